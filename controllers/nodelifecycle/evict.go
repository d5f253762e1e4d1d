package nodelifecycle

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/klog/v2"
)

// evict deletes the node's pods that may not stay, each when its time has come.
func (c *Controller) evict(ctx context.Context, node *v1.Node) error {
	taints := slices.DeleteFunc(slices.Clone(node.Spec.Taints), func(t v1.Taint) bool { return t.Effect != v1.TaintEffectNoExecute })
	before, after := c.tainted[node.Name], map[types.UID]time.Time{}
	if len(taints) == 0 && len(before) == 0 {
		return nil
	}
	pods, err := c.podsOn(node.Name)
	if err != nil {
		return err
	}
	now := time.Now()
	for _, pod := range pods {
		since, leaving := before[pod.UID]
		stays, leave := tolerates(pod, taints)
		switch {
		case pod.DeletionTimestamp != nil:
			continue
		case stays && leave < 0:
			if leaving {
				c.taints.Normal(pod, "TaintManagerEviction", "Cancelling deletion of Pod %s/%s", pod.Namespace, pod.Name)
			}
			continue
		case !leaving:
			since = now
		}
		if wait := since.Add(leave).Sub(now); wait > 0 {
			after[pod.UID] = since
			c.loop.AddAfter(node.Name, wait)
			continue
		}
		if err := c.driveAway(ctx, pod); err != nil {
			return err
		}
	}
	c.tainted[node.Name] = after
	return nil
}

// tolerates tells whether a pod tolerates all of taints, and for how long: for ever if that is negative.
func tolerates(pod *v1.Pod, taints []v1.Taint) (ok bool, seconds time.Duration) {
	seconds = -1
	for _, taint := range taints {
		// Comparison operators in tolerations (KEP-5471) are off by default.
		i := slices.IndexFunc(pod.Spec.Tolerations, func(t v1.Toleration) bool {
			return corev1helpers.TolerationsTolerateTaint(klog.Background(), []v1.Toleration{t}, &taint, false)
		})
		if i < 0 {
			return false, 0
		}
		if s := pod.Spec.Tolerations[i].TolerationSeconds; s != nil {
			d := time.Duration(max(*s, 0)) * time.Second
			if seconds < 0 || d < seconds {
				seconds = d
			}
		}
	}
	return true, seconds
}

// driveAway deletes a pod, and says in its status why.
func (c *Controller) driveAway(ctx context.Context, pod *v1.Pod) error {
	c.taints.Normal(pod, "TaintManagerEviction", "Marking for deletion Pod %s/%s", pod.Namespace, pod.Name)
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": pod.UID},
		"status": map[string]any{"conditions": []v1.PodCondition{{
			Type: v1.DisruptionTarget, Status: v1.ConditionTrue, LastTransitionTime: metav1.Now(),
			Reason: "DeletionByTaintManager", Message: "Taint manager: deleting due to NoExecute taint",
		}}},
	})
	if err != nil {
		return err
	}
	api := c.client.CoreV1().Pods(pod.Namespace)
	_, err = api.Patch(ctx, pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	if err == nil {
		err = api.Delete(ctx, pod.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}})
	}
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil // it is gone, or another by now
	}
	return err
}
