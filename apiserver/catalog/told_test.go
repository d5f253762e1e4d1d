package catalog

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// The sentence about a million empty items would take hours to be put together, and hundreds of megabytes.
func TestAttack_ErrorsWithoutEnd(t *testing.T) {
	var pods *Kind
	for _, k := range Builtin() {
		if k.Resource == "pods" {
			pods = k
		}
	}
	pod := &corev1.Pod{}
	pod.Name, pod.Spec.Containers = "p", make([]corev1.Container, 50_000)
	var large field.ErrorList
	for _, name := range []string{"a", "b", "c", "d"} {
		large = append(large, field.Invalid(field.NewPath(name), strings.Repeat("x", 2*maxToldText), "too large"))
	}
	for _, c := range []struct {
		name  string
		errs  field.ErrorList
		told  int
		bytes int
	}{
		{name: "none"},
		{name: "one", errs: large[:1], told: 1, bytes: 3 * maxToldText},
		{name: "some", errs: field.ErrorList{field.Required(field.NewPath("a"), ""), field.Required(field.NewPath("b"), "")}, told: 2, bytes: 1000},
		{name: "large ones", errs: large, told: 2, bytes: 3 * maxToldText},
		{name: "many", errs: pods.Strategy.Validate(pod), told: maxTold + 1, bytes: maxToldText},
	} {
		t.Run(c.name, func(t *testing.T) {
			told := Ordered(c.errs)
			if len(told) != c.told {
				t.Errorf("%d are told, want %d", len(told), c.told)
			}
			if status := apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, "p", told).Status(); len(status.Message) > c.bytes+100 {
				t.Errorf("%d bytes are told, want at most %d", len(status.Message), c.bytes)
			}
		})
	}
}
