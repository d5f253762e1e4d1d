package kubeletsim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"coracle/kubelet-sim/status"
)

// sent is what the server was last told of a pod.
type sent struct {
	ok      bool
	status  corev1.PodStatus
	version string // of the pod that it was worked out from
	pause   time.Duration
}

// report works out the pod's status and tells the server, if it does not know. An error asks for another step.
func (w *worker) report(ctx context.Context, pod *corev1.Pod) error {
	base := *pod
	base.Status = status.Merge(pod.Status, w.status)
	now := w.n.now()
	next := status.Generate(&base, w.observed(pod), now)
	w.status, w.news = next, false

	same := w.sent.ok && apiequality.Semantic.DeepEqual(next, w.sent.status)
	if same && (pod.ResourceVersion == w.sent.version || apiequality.Semantic.DeepEqual(next, pod.Status)) {
		return nil
	}
	if err := w.n.sendStatus(ctx, pod, next); err != nil {
		w.retryRequest(ctx, fmt.Errorf("update the status of pod %s/%s: %w", pod.Namespace, pod.Name, err))
		return err
	}
	w.sent = sent{ok: true, status: next, version: pod.ResourceVersion}
	return nil
}

// retryRequest asks for another step after a request that failed, later each time.
func (w *worker) retryRequest(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return // it failed because the kubelet ends
	}
	w.n.log.Warn("request failed", "err", err)
	w.sent.pause = min(max(2*w.sent.pause, 100*time.Millisecond), 10*time.Second)
	w.at(w.n.now().Add(w.sent.pause))
}

// observed is what the worker knows of its pod.
func (w *worker) observed(pod *corev1.Pod) status.Observed {
	observed := status.Observed{
		HostIP: w.n.config.NodeIP, PodIP: w.ip, Sandbox: w.sandbox, Ending: w.ending, Failed: w.failed,
	}
	for _, c := range w.all(pod) {
		switch c.role {
		case status.Init, status.Sidecar:
			observed.Init = append(observed.Init, c.status)
		case status.Ephemeral:
			observed.Ephemeral = append(observed.Ephemeral, c.status)
		default:
			observed.Containers = append(observed.Containers, c.status)
		}
		observed.Busy = observed.Busy || c.process != nil
	}
	return observed
}

// sendStatus patches the pod's status, and nothing of it that others own. A pod that is gone, or that is another
// one of the same name by now, needs no status.
func (n *node) sendStatus(ctx context.Context, pod *corev1.Pod, next corev1.PodStatus) error {
	api := n.client.CoreV1().Pods(pod.Namespace)
	current, err := api.Get(ctx, pod.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case apierrors.IsForbidden(err):
		// The Node authorizer may not know yet that the pod is here. What the watch told will do for a new pod.
		current = pod
	case err != nil:
		return err
	}
	if current.UID != pod.UID {
		return nil
	}
	patch, err := statusPatch(current, status.Merge(current.Status, next))
	if err != nil || patch == nil {
		return err
	}
	_, err = api.Patch(ctx, pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// statusPatch is the patch from a pod's status to the next, nil for none. It carries the pod's UID, so that the
// server refuses it for any other pod.
func statusPatch(pod *corev1.Pod, next corev1.PodStatus) ([]byte, error) {
	before, err := json.Marshal(corev1.Pod{Status: pod.Status})
	if err != nil {
		return nil, err
	}
	after, err := json.Marshal(corev1.Pod{ObjectMeta: metav1.ObjectMeta{UID: pod.UID}, Status: next})
	if err != nil {
		return nil, err
	}
	patch, err := strategicpatch.CreateTwoWayMergePatch(before, after, corev1.Pod{})
	if err != nil || bytes.Equal(patch, fmt.Appendf(nil, `{"metadata":{"uid":%q}}`, pod.UID)) {
		return nil, err
	}
	return patch, nil
}
