package admission

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/apiserver/catalog"
)

type oneNode struct{ node *corev1.Node }

func (o oneNode) Node(name string) *corev1.Node {
	if name != o.node.Name {
		return nil
	}
	return o.node
}

func TestPodTopologyLabels(t *testing.T) {
	pods := &catalog.Kind{GroupVersionKind: schema.GroupVersionKind{Version: "v1", Kind: "Pod"}, Resource: "pods"}
	zone := map[string]string{corev1.LabelTopologyZone: "z", corev1.LabelTopologyRegion: "r"}
	plugin := PodTopologyLabels{oneNode{&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{
		corev1.LabelTopologyZone: "z", corev1.LabelTopologyRegion: "r", corev1.LabelHostname: "h",
	}}}}}
	bound := func(kind, name string) *corev1.Binding {
		return &corev1.Binding{Target: corev1.ObjectReference{Kind: kind, Name: name}}
	}
	for name, test := range map[string]struct {
		object runtime.Object
		as     Operation
		want   map[string]string
	}{
		"a binding":                  {bound("Node", "n"), Create, zone},
		"a binding to no node":       {bound("Node", "m"), Create, nil},
		"a binding to what is none":  {bound("", "n"), Create, nil},
		"a pod that says its node":   {&corev1.Pod{Spec: corev1.PodSpec{NodeName: "n"}}, Create, zone},
		"a pod that is not bound":    {&corev1.Pod{}, Create, nil},
		"a pod that is only changed": {&corev1.Pod{Spec: corev1.PodSpec{NodeName: "n"}}, Update, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a := &Attributes{Operation: test.as, Kind: pods, Object: test.object}
			if err := plugin.Mutate(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, test.object.(metav1.Object).GetLabels()); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
		})
	}
}
