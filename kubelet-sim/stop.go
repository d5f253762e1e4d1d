package kubeletsim

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coracle/kubelet-sim/status"
)

// leastGrace is what every process is given between being asked and being killed.
const leastGrace = 2 * time.Second

// gracePeriod is how long the pod's containers may take to end: what its deletion said, or its spec.
func gracePeriod(pod *corev1.Pod) time.Duration {
	seconds := int64(corev1.DefaultTerminationGracePeriodSeconds)
	if pod.Spec.TerminationGracePeriodSeconds != nil {
		seconds = *pod.Spec.TerminationGracePeriodSeconds
	}
	if pod.DeletionGracePeriodSeconds != nil {
		seconds = *pod.DeletionGracePeriodSeconds
	}
	return time.Duration(seconds) * time.Second
}

// stopAll has all processes end within grace, and tells whether any still runs. Sidecars are stopped last, in the
// reverse of the order in which they started, with what the others left of the time.
func (w *worker) stopAll(pod *corev1.Pod, grace time.Duration) (busy bool) {
	if deadline := w.n.now().Add(grace); w.deadline.IsZero() || deadline.Before(w.deadline) {
		w.deadline = deadline
	}
	var last *container // sidecar that runs
	var lastSpec *corev1.Container
	for spec, c := range w.all(pod) {
		switch {
		case c.process == nil:
		case c.role == status.Sidecar:
			last, lastSpec = c, spec
		default:
			busy = true
			w.stop(pod, spec, c, w.deadline, "Stopping container "+spec.Name)
		}
	}
	if !busy && last != nil {
		busy = true
		w.stop(pod, lastSpec, last, w.deadline, "Stopping container "+lastSpec.Name)
	}
	w.carryOutStops()
	return busy
}

// stop begins to end a process: first its preStop hook, then the request, at the deadline by force. Asked again, it
// can only shorten what is left.
func (w *worker) stop(pod *corev1.Pod, spec *corev1.Container, c *container, deadline time.Time, why string) {
	p, now := c.process, w.n.now()
	if !p.stopping {
		w.n.events.pod(pod, spec.Name, corev1.EventTypeNormal, "Killing", why)
		p.stopping, p.askAt = true, now.Add(preStop(spec))
	}
	if !p.asked && deadline.Before(p.askAt) {
		p.askAt = later(deadline, now)
	}
	killAt := later(deadline, p.askAt.Add(leastGrace))
	if p.killAt.IsZero() || killAt.Before(p.killAt) {
		p.killAt = killAt
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// carryOutStops asks and kills the processes whose time has come.
func (w *worker) carryOutStops() {
	now := w.n.now()
	for _, c := range w.containers {
		p := c.process
		if p == nil || !p.stopping {
			continue
		}
		switch {
		case !p.asked && now.Before(p.askAt):
			w.at(p.askAt)
			continue
		case !p.asked:
			p.asked = true
			close(p.stop)
		}
		if now.Before(p.killAt) {
			w.at(p.killAt)
		} else {
			p.kill()
		}
	}
}

// preStop is how long a container's preStop hook takes. Hooks that are no sleep are done at once.
func preStop(spec *corev1.Container) time.Duration {
	if spec.Lifecycle == nil || spec.Lifecycle.PreStop == nil {
		return 0
	}
	hook := spec.Lifecycle.PreStop
	if hook.Sleep != nil {
		return time.Duration(hook.Sleep.Seconds) * time.Second
	}
	total := time.Duration(0)
	if hook.Exec != nil {
		script, ok := parse(hook.Exec.Command)
		if !ok {
			return 0
		}
		for _, c := range script {
			total += c.duration
		}
	}
	return total
}

// terminate ends a pod that is being deleted: its containers, then its files, then its object.
func (w *worker) terminate(ctx context.Context, pod *corev1.Pod) {
	w.track(pod)
	if w.stopAll(pod, gracePeriod(pod)) {
		w.report(ctx, pod)
		return
	}
	w.ending, w.sandbox = true, false
	w.giveUp(pod)
	if w.report(ctx, pod) != nil {
		return
	}
	if !w.clean(ctx, pod) {
		return
	}
	err := w.n.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: new(int64(0)),
		Preconditions:      metav1.NewUIDPreconditions(string(pod.UID)),
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		w.retryRequest(ctx, fmt.Errorf("confirm the deletion of pod %s/%s: %w", pod.Namespace, pod.Name, err))
		return
	}
	w.stage = removed // finalizers may keep the object; there is nothing left to do for it
}

// giveUp settles what becomes of containers that never ran, so that the pod's last phase is a terminal one.
// Source: k8s.io/kubernetes/pkg/kubelet/status TerminatePod.
func (w *worker) giveUp(pod *corev1.Pod) {
	initialized, lastInit := true, -1
	i := 0
	for _, c := range w.all(pod) {
		if c.role == status.Init || c.role == status.Sidecar {
			initialized = initialized && (c.succeeded() || c.role == status.Sidecar && c.end() != nil)
			if c.end() != nil {
				lastInit = i
			}
			i++
		}
	}
	initialized = initialized || w.begun(pod)
	i = 0
	for _, c := range w.all(pod) {
		lost := c.role == status.Main && initialized
		if c.role == status.Init || c.role == status.Sidecar {
			lost = i <= max(lastInit, 0) // all up to the last that ran, and the first in any case
			i++
		}
		if lost && c.status.State.Terminated == nil {
			c.status = status.Lost(c.status)
		}
	}
	if !initialized && w.failed == nil {
		w.failed = &status.Reason{}
	}
}

// abandon ends a pod whose object is gone: nobody needs to be told. It is done when nothing is left.
func (w *worker) abandon(ctx context.Context, pod *corev1.Pod) (done bool) {
	if w.stage == removed {
		return true
	}
	return !w.stopAll(pod, 0) && w.clean(ctx, pod)
}

// clean removes all that the node has of a pod. What cannot be removed is tried again.
func (w *worker) clean(ctx context.Context, pod *corev1.Pod) bool {
	w.n.forget(pod.UID)
	err := w.n.disk.Unlink(pod.Namespace, pod.Name, pod.UID)
	if err == nil {
		err = w.n.disk.Remove(pod.UID)
	}
	if err != nil {
		w.retryRequest(ctx, fmt.Errorf("remove the directory of pod %s/%s: %w", pod.Namespace, pod.Name, err))
	}
	return err == nil
}
