package crdvalidation

import (
	"fmt"
	"strings"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

type props = apiextensionsv1.JSONSchemaProps

func definitionWith(spec props) *apiextensionsv1.CustomResourceDefinition {
	return &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "things.example.com"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "example.com", Scope: apiextensionsv1.NamespaceScoped,
			Names:      apiextensionsv1.CustomResourceDefinitionNames{Plural: "things", Singular: "thing", Kind: "Thing", ListKind: "ThingList"},
			Conversion: &apiextensionsv1.CustomResourceConversion{Strategy: apiextensionsv1.NoneConverter},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &props{Type: "object", Properties: map[string]props{"spec": spec}}},
			}},
		},
		Status: apiextensionsv1.CustomResourceDefinitionStatus{StoredVersions: []string{"v1"}},
	}
}

func nested(depth int) props {
	p := props{Type: "string"}
	for range depth {
		p = props{Type: "object", Properties: map[string]props{"p": p}}
	}
	return p
}

func TestValidate(t *testing.T) {
	list := props{Type: "array", Items: &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &props{Type: "string"}}}
	rule := func(text string) props {
		return props{Type: "object", Properties: map[string]props{"l": list}, XValidations: apiextensionsv1.ValidationRules{{Rule: text}}}
	}
	const spec = "spec.validation.openAPIV3Schema.properties[spec]"
	for name, tc := range map[string]struct {
		spec props
		want string // "" for a schema that is in order
	}{
		"a schema in order":              {spec: rule("size(self.l) < 10")},
		"deep, but not too deep":         {spec: nested(100)},
		"so deep that it is an attack":   {spec: nested(5000), want: `spec.versions[0].schema.openAPIV3Schema: Invalid value: "": must not nest deeper than 128 levels`},
		"a rule that is too expensive":   {spec: rule("self.l.all(x, self.l.all(y, x == y))"), want: spec + `.x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x`},
		"a rule that is not a question":  {spec: rule("size(self.l)"), want: "cel expression must evaluate to a bool"},
		"a rule about an unknown field":  {spec: rule("self.m == 1"), want: "undefined field 'm'"},
		"a part without a type":          {spec: props{Properties: map[string]props{"a": {Type: "string"}}}, want: spec + `.type: Required value: must not be empty for specified object fields`},
		"a reference to another schema":  {spec: props{Type: "object", Ref: new("#/definitions/x")}, want: spec + `.$ref: Forbidden: $ref is not supported`},
		"items that have to be compared": {spec: props{Type: "array", UniqueItems: true, Items: list.Items}, want: spec + ".uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic"},
		"a default of another type":      {spec: props{Type: "integer", Default: &apiextensionsv1.JSON{Raw: []byte(`"x"`)}}, want: spec + `.default: Invalid value: "string":  in body must be of type integer: "string"`},
	} {
		t.Run(name, func(t *testing.T) {
			errs := Validate(definitionWith(tc.spec))
			switch {
			case tc.want == "" && len(errs) > 0:
				t.Errorf("refused: %v", errs)
			case tc.want != "" && !strings.Contains(fmt.Sprint(errs.ToAggregate()), tc.want):
				t.Errorf("got  %v\nwant %s", errs.ToAggregate(), tc.want)
			}
		})
	}
}

func TestApprovalOf(t *testing.T) {
	for text, want := range map[string]Approval{
		"":                                Missing,
		"https://github.com/kubernetes/x": Approved,
		"unapproved, an experiment":       Bypassed,
		"yes":                             Invalid,
		"//host-without-scheme/path":      Invalid,
	} {
		t.Run(fmt.Sprintf("%q", text), func(t *testing.T) {
			if got, _ := ApprovalOf(map[string]string{apiextensionsv1.KubeAPIApprovedAnnotation: text}); got != want {
				t.Errorf("got %d, want %d", got, want)
			}
		})
	}
	for group, want := range map[string]bool{"k8s.io": true, "x.k8s.io": true, "kubernetes.io": true, "notk8s.io": false, "example.com": false} {
		if Protected(group) != want {
			t.Errorf("Protected(%s) = %v", group, !want)
		}
	}
}
