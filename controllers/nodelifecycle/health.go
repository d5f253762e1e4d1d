package nodelifecycle

import (
	"context"
	"fmt"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// grace is how long a node may be silent.
const grace = 50 * time.Second

// heartbeat is the last that was heard of a node, and when that was by our own clock: those of nodes may be wrong.
type heartbeat struct {
	renewed, reported time.Time // by the node's clock
	at                time.Time
}

// checkHealth returns the node as it is afterwards: marked if it has been silent for too long.
func (c *Controller) checkHealth(ctx context.Context, node *v1.Node) (*v1.Node, error) {
	now := time.Now()
	last, known := c.heard[node.Name]
	next := heartbeat{at: now}
	if lease, err := c.leases.Leases(v1.NamespaceNodeLease).Get(node.Name); err == nil && lease.Spec.RenewTime != nil {
		next.renewed = lease.Spec.RenewTime.Time
	}
	r := ready(node)
	if r != nil {
		next.reported = r.LastHeartbeatTime.Time
	}
	switch {
	case !known:
		c.events.Normal(node, "RegisteredNode", "Registered Node %v in Controller", node.Name)
	case next.renewed.Equal(last.renewed) && next.reported.Equal(last.reported):
		next.at = last.at
	}
	c.heard[node.Name] = next
	if wait := next.at.Add(grace).Sub(now); wait > 0 {
		c.loop.AddAfter(node.Name, wait)
		return node, nil
	}
	if r != nil && r.Status == v1.ConditionUnknown {
		return node, nil
	}
	return c.markSilent(ctx, node, r)
}

// markSilent says that nobody knows how the node is, and that its pods do not serve.
func (c *Controller) markSilent(ctx context.Context, node *v1.Node, was *v1.NodeCondition) (*v1.Node, error) {
	wasReady, now := was != nil && was.Status == v1.ConditionTrue, metav1.Now()
	for _, kind := range []v1.NodeConditionType{v1.NodeReady, v1.NodeMemoryPressure, v1.NodeDiskPressure, v1.NodePIDPressure} {
		found := false
		for i := range node.Status.Conditions {
			if condition := &node.Status.Conditions[i]; condition.Type == kind {
				found = true
				if condition.Status != v1.ConditionUnknown {
					condition.Status, condition.Reason, condition.Message = v1.ConditionUnknown, "NodeStatusUnknown", "Kubelet stopped posting node status."
					condition.LastTransitionTime = now
				}
			}
		}
		if !found {
			node.Status.Conditions = append(node.Status.Conditions, v1.NodeCondition{
				Type: kind, Status: v1.ConditionUnknown, Reason: "NodeStatusNeverUpdated", Message: "Kubelet never posted node status.",
				LastHeartbeatTime: node.CreationTimestamp, LastTransitionTime: now,
			})
		}
	}
	updated, err := c.client.CoreV1().Nodes().UpdateStatus(ctx, node, updateOptions())
	if err != nil {
		return nil, err
	}
	if !wasReady {
		return updated, nil
	}
	c.events.Normal(updated, "NodeNotReady", "Node %s status is now: NodeNotReady", node.Name)
	pods, err := c.podsOn(node.Name)
	if err != nil {
		return nil, err
	}
	for _, pod := range pods {
		if err := c.markPodNotReady(ctx, pod); err != nil {
			return nil, fmt.Errorf("mark the pods of node %s as not ready: %w", node.Name, err)
		}
	}
	return updated, nil
}

func (c *Controller) markPodNotReady(ctx context.Context, pod *v1.Pod) error {
	pod = pod.DeepCopy()
	for i := range pod.Status.Conditions {
		condition := &pod.Status.Conditions[i]
		if condition.Type != v1.PodReady || condition.Status != v1.ConditionTrue {
			continue
		}
		condition.Status, condition.LastTransitionTime = v1.ConditionFalse, metav1.Now()
		if _, err := c.client.CoreV1().Pods(pod.Namespace).UpdateStatus(ctx, pod, updateOptions()); err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return err
		}
		c.events.Warning(pod, "NodeNotReady", "Node is not ready")
	}
	return nil
}
