package admission_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coracle/apiserver/admission"
	"coracle/apiserver/catalog"
)

func TestANewNodeTakesNoPodsYet(t *testing.T) {
	taint := corev1.Taint{Key: "node.kubernetes.io/not-ready", Effect: corev1.TaintEffectNoSchedule}
	other := corev1.Taint{Key: "gpu", Effect: corev1.TaintEffectNoSchedule}
	for _, test := range []struct {
		name      string
		operation admission.Operation
		has, want []corev1.Taint
	}{
		{"one without taints gets it", admission.Create, nil, []corev1.Taint{taint}},
		{"others stay", admission.Create, []corev1.Taint{other}, []corev1.Taint{other, taint}},
		{"it is there but once", admission.Create, []corev1.Taint{taint}, []corev1.Taint{taint}},
		{"one that is there already is left alone", admission.Update, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			node := &corev1.Node{Spec: corev1.NodeSpec{Taints: test.has}}
			a := &admission.Attributes{Operation: test.operation, Kind: &catalog.Kind{Resource: "nodes"}, Object: node}
			if err := (admission.NodeTaint{}).Mutate(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(test.want, node.Spec.Taints); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestAClaimIsProtectedFromItsCreationOn(t *testing.T) {
	for _, test := range []struct {
		name      string
		operation admission.Operation
		has, want []string
	}{
		{"a new one gets the finalizer", admission.Create, []string{"example.com/x"}, []string{"example.com/x", "kubernetes.io/pvc-protection"}},
		{"it is there but once", admission.Create, []string{"kubernetes.io/pvc-protection"}, []string{"kubernetes.io/pvc-protection"}},
		{"an update may take it off", admission.Update, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Finalizers: test.has}}
			a := &admission.Attributes{Operation: test.operation, Kind: &catalog.Kind{Resource: "persistentvolumeclaims"}, Object: claim}
			if err := (admission.StorageProtection{}).Mutate(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(test.want, claim.Finalizers); d != "" {
				t.Error(d)
			}
		})
	}
}

type noClasses struct{}

func (noClasses) PriorityClass(string) *schedulingv1.PriorityClass { return nil }
func (noClasses) PriorityClasses() []*schedulingv1.PriorityClass   { return nil }

func TestAnUpdateOfAPodKeepsItsPriority(t *testing.T) {
	old := &corev1.Pod{Spec: corev1.PodSpec{Priority: new(int32(7)), PreemptionPolicy: new(corev1.PreemptNever)}}
	for _, test := range []struct {
		name       string
		sent, want corev1.PodSpec
	}{
		{"where the client says nothing", corev1.PodSpec{}, old.Spec},
		{"and not where it says something, which validation refuses", corev1.PodSpec{Priority: new(int32(8))},
			corev1.PodSpec{Priority: new(int32(8)), PreemptionPolicy: old.Spec.PreemptionPolicy}},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := &corev1.Pod{Spec: test.sent}
			a := &admission.Attributes{Operation: admission.Update, Kind: &catalog.Kind{Resource: "pods"}, Object: pod, Old: old}
			if err := (admission.Priority{Classes: noClasses{}}).Mutate(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(test.want, pod.Spec); d != "" {
				t.Error(d)
			}
		})
	}
}
