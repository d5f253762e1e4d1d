package customresource

import (
	"slices"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// numbered has a list of whole numbers.
func numbered() *version {
	number := apiextensionsv1.JSONSchemaProps{Type: "integer"}
	return newVersion(apiextensionsv1.CustomResourceDefinitionVersion{Name: "v1", Schema: &apiextensionsv1.CustomResourceValidation{
		OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", Properties: map[string]apiextensionsv1.JSONSchemaProps{
			"numbers": {Type: "array", Items: &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &number}},
		}},
	}})
}

func holding(items ...any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"apiVersion": "x.io/v1", "kind": "N", "metadata": map[string]any{"name": "n"}, "numbers": items}}
}

// Without a bound the faults of 20,000 items are compared 400 million times, and those of a body of 3 MiB for hours.
func TestFaultsAreCounted(t *testing.T) {
	const many = 20000
	good, bad := slices.Repeat([]any{int64(1)}, many), slices.Repeat([]any{"x"}, many)
	for _, c := range []struct {
		name     string
		obj, old *unstructured.Unstructured
		want     int
	}{
		{name: "none", obj: holding(good...)},
		{name: "the last of many", obj: holding(append(slices.Clone(good), "x")...), want: 1},
		{name: "all", obj: holding(bad...), want: maxFaults + 1},
		{name: "all, in a change", obj: holding(bad...), old: holding(), want: maxFaults + 1},
		{name: "the last, behind many that were there", obj: holding(append(slices.Clone(bad), "y")...), old: holding(bad...), want: maxFaults + 1},
		{name: "none beside many that were there", obj: holding(bad...), old: holding(bad...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := numbered()
			errs := v.validate(c.obj)
			if c.old != nil {
				errs = v.ratchet(c.obj, c.old, false, func(string) {})
			}
			if len(errs) != c.want {
				t.Errorf("%d faults, want %d; the last: %v", len(errs), c.want, errs[max(0, len(errs)-1):])
			}
		})
	}
}
