package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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

// What is right costs no garbage but the maps of what is looked up again.
func TestARightPodMakesNoGarbage(t *testing.T) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "blue", Labels: map[string]string{"app": "web"}, Annotations: map[string]string{"a": "b"},
			ManagedFields: []metav1.ManagedFieldsEntry{{Manager: "Go-http-client", Operation: "Update", FieldsType: "FieldsV1"}}},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{{
				Name: "main", Image: "example/image:1.2.3", Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 80}},
				Env:          []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}},
				VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/data"}},
				Resources:    corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}},
			}},
			Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
		},
	}
	k := podKind()
	if errs := create(k, pod); len(errs) > 0 {
		t.Fatal(errs)
	}
	if n := testing.AllocsPerRun(100, func() {
		k.ValidateMetadata(pod)
		k.Strategy.Validate(pod)
		k.Strategy.Warnings(pod, nil)
	}); n > 2 {
		t.Errorf("%v allocations", n)
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
