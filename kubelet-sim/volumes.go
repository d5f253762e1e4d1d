package kubeletsim

import (
	"context"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"

	"coracle/kubelet-sim/downward"
)

const (
	firstMountRetry = 500 * time.Millisecond
	lastMountRetry  = 2*time.Minute + 2*time.Second
	sandboxRetry    = 10 * time.Second
)

// mounted is what a worker knows of its pod's volumes.
type mounted struct {
	ok      bool        // they were all set up once: containers may start
	pod     *corev1.Pod // as it was when they were last set up
	stale   bool        // what they are made from has changed
	refresh time.Time   // when to set them up again, zero for only when something changes
	pause   time.Duration
}

// mount sets up the pod's volumes, if that was not done or something has changed since. It tells whether they are
// there; while one cannot be set up for the first time, the pod's containers wait.
func (w *worker) mount(ctx context.Context, pod *corev1.Pod) bool {
	v := &w.volumes
	now := w.n.now()
	changed := v.pod == nil || v.stale || !maps.Equal(v.pod.Labels, pod.Labels) || !maps.Equal(v.pod.Annotations, pod.Annotations)
	if !changed && (v.refresh.IsZero() || now.Before(v.refresh)) {
		if !v.refresh.IsZero() {
			w.at(v.refresh)
		}
		return v.ok
	}
	failures, refresh := w.n.disk.Setup(ctx, pod, w.self(pod), w.n.sources(), now)
	if ctx.Err() != nil {
		return false
	}
	v.pod, v.stale = pod, false
	if len(failures) > 0 {
		for _, failure := range failures {
			w.n.events.pod(pod, "", corev1.EventTypeWarning, "FailedMount", failure.Error())
		}
		v.pause = min(max(2*v.pause, firstMountRetry), lastMountRetry)
		retry := now.Add(v.pause)
		if refresh.IsZero() || retry.Before(refresh) {
			refresh = retry
		}
	} else {
		v.ok, v.pause = true, 0
	}
	v.refresh = refresh
	if !refresh.IsZero() {
		w.at(refresh)
	}
	return v.ok
}

// network gives the pod an address, unless it uses its node's.
func (w *worker) network(pod *corev1.Pod) bool {
	if !pod.Spec.HostNetwork && w.ip == "" {
		ip, err := w.n.addresses.take(pod.UID)
		if err != nil {
			w.n.events.pod(pod, "", corev1.EventTypeWarning, "FailedCreatePodSandBox", "Failed to create pod sandbox: "+err.Error())
			w.at(w.n.now().Add(sandboxRetry))
			return false
		}
		w.ip = ip
	}
	w.sandbox = true
	return true
}

// self is what the pod may learn of its node and address.
func (w *worker) self(pod *corev1.Pod) downward.Node {
	node := downward.Node{HostIP: w.n.config.NodeIP, PodIP: w.ip, Allocatable: allocatable()}
	if pod.Spec.HostNetwork {
		node.PodIP = node.HostIP
	}
	return node
}
