package admission

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// NodeTaint: a new node takes no pods until the node controller has seen that it is ready, and takes the taint off.
// Source: k8s.io/kubernetes/plugin/pkg/admission/nodetaint.
type NodeTaint struct{}

// Name returns TaintNodesByCondition.
func (NodeTaint) Name() string { return "TaintNodesByCondition" }

// Mutate adds the taint node.kubernetes.io/not-ready:NoSchedule.
func (NodeTaint) Mutate(_ context.Context, a *Attributes) error {
	node, ok := a.Object.(*corev1.Node)
	if !ok || a.Operation != Create || !a.Is(schema.GroupResource{Resource: "nodes"}) {
		return nil
	}
	notReady := corev1.Taint{Key: corev1.TaintNodeNotReady, Effect: corev1.TaintEffectNoSchedule}
	if slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.MatchTaint(&notReady) }) {
		return nil
	}
	node.Spec.Taints = append(node.Spec.Taints, notReady)
	a.Changed("spec.taints: %s", notReady.ToString())
	return nil
}
