package kubeletsim

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"coracle/kubelet-sim/status"
)

// startRetry is the pause after a container could not be started.
const startRetry = 10 * time.Second

// failure is why a container could not be started: its waiting reason and message.
type failure struct {
	reason, message string
	recorded        bool // as an event already
}

// startContainers starts what should run and does not. Init containers come first, one after the other.
func (w *worker) startContainers(ctx context.Context, pod *corev1.Pod) {
	begun := w.begun(pod)
	for spec, c := range w.all(pod) {
		if c.role != status.Init && c.role != status.Sidecar {
			continue
		}
		up := w.keepInit(ctx, pod, spec, c, begun)
		if !up && !begun {
			return // the next one waits for this
		}
	}
	for spec, c := range w.all(pod) {
		switch {
		case c.role == status.Ephemeral:
			if c.process == nil && c.end() == nil { // it is never restarted
				w.start(ctx, pod, spec, c)
			}
		case c.role != status.Main:
		case c.process != nil:
			w.replaceIfChanged(pod, spec, c)
		case c.end() == nil || status.ShouldRestart(pod, spec, c.code()):
			w.start(ctx, pod, spec, c)
		}
	}
}

// begun tells whether any main container was ever started; from then on the pod counts as initialized.
func (w *worker) begun(pod *corev1.Pod) bool {
	for _, c := range w.all(pod) {
		if c.role == status.Main && (c.process != nil || c.end() != nil) {
			return true
		}
	}
	return false
}

// keepInit starts an init container if it has to run, and tells whether what comes after it may start.
func (w *worker) keepInit(ctx context.Context, pod *corev1.Pod, spec *corev1.Container, c *container, begun bool) bool {
	if c.role == status.Sidecar {
		return c.process != nil || w.start(ctx, pod, spec, c)
	}
	switch {
	case begun || c.succeeded():
		return true
	case c.process == nil && (c.end() == nil || status.ShouldRestart(pod, spec, c.code())):
		w.start(ctx, pod, spec, c)
	}
	return false
}

// replaceIfChanged stops a container whose image is another one by now. It is started anew when it has ended.
func (w *worker) replaceIfChanged(pod *corev1.Pod, spec *corev1.Container, c *container) {
	if image, _ := status.Image(spec.Image); image != c.status.Image && !c.process.stopping {
		w.stop(pod, spec, c, w.n.now().Add(gracePeriod(pod)), fmt.Sprintf("Container %s definition changed, will be restarted", spec.Name))
	}
}

// start starts a container, unless it is too early to, and tells whether it runs now.
func (w *worker) start(ctx context.Context, pod *corev1.Pod, spec *corev1.Container, c *container) bool {
	now := w.n.now()
	if now.Before(c.retryAt) {
		w.at(c.retryAt)
		return false
	}
	if c.end() != nil {
		if until := c.backOff.until(c.endedAt); now.Before(until) {
			w.hold(pod, spec, c, until)
			return false
		}
		c.backOff.next(now)
	}
	failed := w.n.ensureImage(pod, spec)
	if failed == nil {
		failed = w.launch(ctx, pod, spec, c)
	}
	if failed == nil {
		return true
	}
	if ctx.Err() != nil {
		return false
	}
	if !failed.recorded {
		w.n.events.pod(pod, spec.Name, corev1.EventTypeWarning, "Failed", "Error: "+failed.message)
	}
	c.status = status.Held(c.status, failed.reason, failed.message)
	c.retryAt = now.Add(startRetry)
	w.at(c.retryAt)
	return false
}

// hold keeps a container that keeps ending from being started for a while.
func (w *worker) hold(pod *corev1.Pod, spec *corev1.Container, c *container, until time.Time) {
	w.at(until)
	const reason = "CrashLoopBackOff"
	if waiting := c.status.State.Waiting; waiting != nil && waiting.Reason == reason {
		return
	}
	name := fmt.Sprintf("%s_%s(%s)", pod.Name, pod.Namespace, pod.UID)
	w.n.events.pod(pod, spec.Name, corev1.EventTypeWarning, "BackOff", fmt.Sprintf("Back-off restarting failed container %s in pod %s", spec.Name, name))
	c.status = status.Held(c.status, reason, fmt.Sprintf("back-off %s restarting failed container=%s pod=%s", c.backOff.period, spec.Name, name))
}

// retryAll forgets all waiting that a changed Secret or ConfigMap may have ended.
func (w *worker) retryAll() {
	w.volumes.stale = true
	for _, c := range w.containers {
		c.retryAt = time.Time{}
	}
}

// takeUp takes up a pod as an earlier run of the kubelet left it: what ran goes on, what ended stays ended.
func (w *worker) takeUp(ctx context.Context, pod *corev1.Pod) {
	w.status = pod.Status
	if !pod.Spec.HostNetwork {
		w.ip = pod.Status.PodIP
	}
	w.track(pod)
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses, pod.Status.EphemeralContainerStatuses} {
		for _, was := range list {
			c, ok := w.containers[was.Name]
			if !ok {
				continue
			}
			c.status = was
			if end := c.end(); end != nil {
				c.endedAt = end.FinishedAt.Time
			}
		}
	}
	w.n.objects.Register(ctx, pod)
	for spec, c := range w.all(pod) {
		if c.status.State.Running == nil {
			continue
		}
		w.sandbox = true
		if status.Terminal(pod.Status.Phase) {
			continue
		}
		w.n.images.add(spec.Image)
		if failed := w.resume(ctx, pod, spec, c); failed != nil {
			w.n.log.Warn("cannot take up a container", "pod", pod.Name, "namespace", pod.Namespace, "container", spec.Name, "err", failed.message)
		}
	}
}
