package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// The sentences are those of kube-apiserver 1.37.
func TestWhatIsRefusedAtCreation(t *testing.T) {
	for _, test := range []struct {
		name, resource, object string
		want                   []string
	}{
		{"a selector that is none", "deviceclasses", `{"metadata":{"name":"c"},"spec":{"selectors":[{}]}}`,
			[]string{"spec.selectors[0].cel: Required value"}},
		{"an expression that ends too early", "deviceclasses", `{"metadata":{"name":"c"},"spec":{"selectors":[{"cel":{"expression":"1 +"}}]}}`,
			[]string{"spec.selectors[0].cel.expression: Invalid value: \"1 +\": compilation failed: ERROR: <input>:1:4: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}\n | 1 +\n | ...^"}},
		{"a configuration of nothing", "deviceclasses", `{"metadata":{"name":"c"},"spec":{"config":[{"opaque":{"driver":"","parameters":null}}]}}`,
			[]string{"spec.config[0].opaque.parameters: Required value", "spec.config[0].opaque.driver: Required value"}},
		{"a request twice", "resourceclaims", `{"metadata":{"name":"c"},"spec":{"devices":{"requests":[{"name":"r","exactly":{"deviceClassName":"c"}},{"name":"r","exactly":{"deviceClassName":"c"}}]}}}`,
			[]string{`spec.devices.requests[1]: Duplicate value: {"name":"r","exactly":{"deviceClassName":"c","allocationMode":"ExactCount","count":1}}`}},
		{"a mode that there is not", "resourceclaims", `{"metadata":{"name":"c"},"spec":{"devices":{"requests":[{"name":"r","exactly":{"deviceClassName":"c","allocationMode":"Odd"}}]}}}`,
			[]string{`spec.devices.requests[0].exactly.allocationMode: Unsupported value: "Odd": supported values: "All", "ExactCount"`}},
		{"a constraint about nothing", "resourceclaims", `{"metadata":{"name":"c"},"spec":{"devices":{"requests":[{"name":"r","exactly":{"deviceClassName":"c"}}],"constraints":[{"matchAttribute":"a","requests":["none"]}]}}}`,
			[]string{`spec.devices.constraints[0].requests[0]: Invalid value: "none": must be the name of a request in the claim or the name of a request and a subrequest separated by '/'`,
				`spec.devices.constraints[0].matchAttribute: Invalid value: "a": a fully qualified name must be a domain and a name separated by a slash`}},
		{"an overhead below nothing", "runtimeclasses", `{"metadata":{"name":"c"},"handler":"h","overhead":{"podFixed":{"cpu":"-1"}}}`,
			[]string{`overhead.limits[cpu]: Invalid value: "-1": must be greater than or equal to 0`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			k := builtin(t, test.resource)
			var got []string
			for _, e := range create(k, decode(t, k, []byte(test.object))) {
				got = append(got, e.Error())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Kubernetes -, here +:\n%s", diff)
			}
		})
	}
}

func TestADaemonSetSaysTheNumberOfItsTemplate(t *testing.T) {
	k := builtin(t, "daemonsets")
	obj := decode(t, k, []byte(`{"metadata":{"name":"d"}}`))
	number := func(obj runtime.Object) string {
		return obj.(*appsv1.DaemonSet).Annotations[appsv1.DeprecatedTemplateGeneration]
	}
	setDefaults(k, obj)
	if got := number(obj); got != "0" {
		t.Errorf("as it is sent it says %q, want 0", got)
	}
	k.Strategy.PrepareForCreate(obj)
	if got := number(obj); got != "1" {
		t.Errorf("as it is stored it says %q, want 1", got)
	}
}

func builtin(t *testing.T, resource string) *Kind {
	t.Helper()
	for _, k := range Builtin() {
		if k.Resource == resource {
			return k
		}
	}
	t.Fatalf("there is no %s", resource)
	return nil
}
