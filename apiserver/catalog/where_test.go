package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func TestWhereAFaultIs(t *testing.T) {
	path := func(root *field.Path) *field.Path {
		return child(keyed(child(nth(child(root, "spec", "containers"), 1), "limits"), "cpu"), "a", "b")
	}
	if got, want := path(nil).String(), "spec.containers[1].limits[cpu].a.b"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := path(nowhere); got != nowhere {
		t.Errorf("%s, of which nobody asked where it is", got)
	}
	if n := testing.AllocsPerRun(10, func() { path(nowhere) }); n > 0 {
		t.Errorf("%v allocations, for nothing", n)
	}
}

// Objects are looked through twice, so a look may not change them.
func TestLookingForFaultsChangesNothing(t *testing.T) {
	eachRecorded(t, "create", func(t *testing.T, k *Kind, c recorded) {
		obj := decode(t, k, c.Given)
		create(k, obj)
		before := obj.DeepCopyObject()
		if k.Strategy.Validate != nil {
			k.Strategy.Validate(obj)
		}
		if k.Strategy.Warnings != nil {
			k.Strategy.Warnings(obj, nil)
		}
		if !equality.Semantic.DeepEqual(before, obj) {
			t.Errorf("-before, +after:\n%s", cmp.Diff(before, obj))
		}
	})
}

func TestFaultsAreLookedForOnceMoreAndToldOnce(t *testing.T) {
	var roots []*field.Path
	look := check(func(p *corev1.Pod, root *field.Path) errorList {
		roots = append(roots, root)
		return needed(child(root, "spec", "nodeName"), p.Spec.NodeName)
	})
	right, wrong := &corev1.Pod{Spec: corev1.PodSpec{NodeName: "n"}}, &corev1.Pod{}
	if errs := look(right); errs != nil || len(roots) != 1 {
		t.Errorf("%v after %d looks at what is right", errs, len(roots))
	}
	if errs := look(wrong); len(errs) != 1 || errs[0].Field != "spec.nodeName" || len(roots) != 3 {
		t.Errorf("%v after %d looks at what is wrong", errs, len(roots)-1)
	}
}
