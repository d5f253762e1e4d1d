package nodelifecycle

import (
	"context"
	"slices"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// due are the taints that a node should have for its conditions and for being cordoned.
func due(node *v1.Node) []v1.Taint {
	var taints []v1.Taint
	add := func(key string, effect v1.TaintEffect) { taints = append(taints, v1.Taint{Key: key, Effect: effect}) }
	for _, c := range node.Status.Conditions {
		switch {
		case c.Type == v1.NodeReady && c.Status == v1.ConditionFalse:
			add(v1.TaintNodeNotReady, v1.TaintEffectNoSchedule)
			add(v1.TaintNodeNotReady, v1.TaintEffectNoExecute)
		case c.Type == v1.NodeReady && c.Status == v1.ConditionUnknown:
			add(v1.TaintNodeUnreachable, v1.TaintEffectNoSchedule)
			add(v1.TaintNodeUnreachable, v1.TaintEffectNoExecute)
		case c.Status != v1.ConditionTrue:
		case c.Type == v1.NodeMemoryPressure:
			add(v1.TaintNodeMemoryPressure, v1.TaintEffectNoSchedule)
		case c.Type == v1.NodeDiskPressure:
			add(v1.TaintNodeDiskPressure, v1.TaintEffectNoSchedule)
		case c.Type == v1.NodePIDPressure:
			add(v1.TaintNodePIDPressure, v1.TaintEffectNoSchedule)
		case c.Type == v1.NodeNetworkUnavailable:
			add(v1.TaintNodeNetworkUnavailable, v1.TaintEffectNoSchedule)
		}
	}
	if node.Spec.Unschedulable {
		add(v1.TaintNodeUnschedulable, v1.TaintEffectNoSchedule)
	}
	return taints
}

// isOurs tells whether a taint is one that this controller puts on and takes off.
func isOurs(t v1.Taint) bool {
	switch t.Key {
	case v1.TaintNodeNotReady, v1.TaintNodeUnreachable:
		return t.Effect == v1.TaintEffectNoSchedule || t.Effect == v1.TaintEffectNoExecute
	case v1.TaintNodeMemoryPressure, v1.TaintNodeDiskPressure, v1.TaintNodePIDPressure, v1.TaintNodeNetworkUnavailable, v1.TaintNodeUnschedulable:
		return t.Effect == v1.TaintEffectNoSchedule
	}
	return false
}

func same(a, b v1.Taint) bool { return a.Key == b.Key && a.Effect == b.Effect }

// taint returns the node with the taints that it should have.
func (c *Controller) taint(ctx context.Context, node *v1.Node) (*v1.Node, error) {
	wanted, changed := due(node), false
	taints := slices.DeleteFunc(slices.Clone(node.Spec.Taints), func(t v1.Taint) bool {
		gone := isOurs(t) && !slices.ContainsFunc(wanted, func(w v1.Taint) bool { return same(t, w) })
		changed = changed || gone
		return gone
	})
	now := metav1.Now()
	for _, t := range wanted {
		if !slices.ContainsFunc(taints, func(have v1.Taint) bool { return same(t, have) }) {
			t.TimeAdded = &now
			taints, changed = append(taints, t), true
		}
	}
	if !changed {
		return node, nil
	}
	node.Spec.Taints = taints
	return c.client.CoreV1().Nodes().Update(ctx, node, updateOptions())
}
