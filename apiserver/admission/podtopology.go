package admission

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Nodes finds a node, nil when there is none.
type Nodes interface {
	Node(name string) *corev1.Node
}

// PodTopologyLabels tells a pod where it runs: it gets the labels for zone and region of the node that it is bound to, so that what
// runs in it can learn of them without a right to read nodes.
// Source: k8s.io/kubernetes/plugin/pkg/admission/podtopologylabels (KEP-4742).
type PodTopologyLabels struct{ Nodes Nodes }

// Name returns PodTopologyLabels.
func (PodTopologyLabels) Name() string { return "PodTopologyLabels" }

// Mutate labels a binding, whose labels go over to the pod, or a pod that says itself where it runs.
func (p PodTopologyLabels) Mutate(_ context.Context, a *Attributes) error {
	if a.Operation != Create || a.Kind.Qualified() != (schema.GroupResource{Resource: "pods"}) {
		return nil
	}
	var node string
	var labels *metav1.ObjectMeta
	switch obj := a.Object.(type) {
	case *corev1.Pod:
		node, labels = obj.Spec.NodeName, &obj.ObjectMeta
	case *corev1.Binding:
		node, labels = obj.Target.Name, &obj.ObjectMeta
		if obj.Target.Kind != "Node" {
			return nil
		}
	}
	if node == "" {
		return nil
	}
	n := p.Nodes.Node(node)
	if n == nil {
		return nil
	}
	for _, key := range []string{corev1.LabelTopologyZone, corev1.LabelTopologyRegion} {
		if value, ok := n.Labels[key]; ok {
			metav1.SetMetaDataLabel(labels, key, value)
			a.Changed("metadata.labels: %s=%s", key, value)
		}
	}
	return nil
}
