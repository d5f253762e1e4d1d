package kubeletsim

import (
	"context"
	"iter"
	"time"

	corev1 "k8s.io/api/core/v1"

	"coracle/kubelet-sim/status"
)

// container is one container of a pod, over all its restarts.
type container struct {
	role    status.Role
	status  corev1.ContainerStatus
	process *process // nil when none runs
	endedAt time.Time
	backOff backOff
	retryAt time.Time // when to try again what failed before the process started
}

// process is one run of a container.
type process struct {
	id   string
	stop chan struct{}      // closed to ask for an orderly end
	kill context.CancelFunc // ends it

	// Once it is to be stopped: when to ask, whether that was done, and when to kill.
	stopping, asked bool
	askAt, killAt   time.Time
}

// exited is the end of a process.
type exited struct {
	container, id string
	exit          Exit
}

// exited takes note of an end.
func (w *worker) exited(e exited) {
	c := w.containers[e.container]
	if c == nil || c.process == nil || c.process.id != e.id {
		return
	}
	c.process.kill() // gives back its context
	c.process = nil
	c.endedAt = w.n.now()
	c.status = status.Ended(c.role, c.status, e.exit.Code, e.exit.Signal, e.exit.Message, c.endedAt)
	w.news = true
}

// end is how the container last ended, nil if it never did.
func (c *container) end() *corev1.ContainerStateTerminated {
	if c.status.State.Terminated != nil {
		return c.status.State.Terminated
	}
	return c.status.LastTerminationState.Terminated
}

// ended tells whether the container does not run any more.
func (c *container) ended() bool { return c.process == nil && c.end() != nil }

func (c *container) code() int32 {
	if end := c.end(); end != nil {
		return end.ExitCode
	}
	return 0
}

// failed and succeeded tell how a container ended; neither is so while it runs, or before it ever did.
func (c *container) failed() bool    { return c.ended() && c.code() != 0 }
func (c *container) succeeded() bool { return c.ended() && c.code() == 0 }

// all are the pod's containers that the worker keeps track of, in the order in which they start.
func (w *worker) all(pod *corev1.Pod) iter.Seq2[*corev1.Container, *container] {
	return func(yield func(*corev1.Container, *container) bool) {
		for _, spec := range specs(pod) {
			if c, ok := w.containers[spec.Name]; ok && !yield(spec, c) {
				return
			}
		}
	}
}

func specs(pod *corev1.Pod) []*corev1.Container {
	var specs []*corev1.Container
	for i := range pod.Spec.InitContainers {
		specs = append(specs, &pod.Spec.InitContainers[i])
	}
	for i := range pod.Spec.Containers {
		specs = append(specs, &pod.Spec.Containers[i])
	}
	for i := range pod.Spec.EphemeralContainers {
		specs = append(specs, (*corev1.Container)(&pod.Spec.EphemeralContainers[i].EphemeralContainerCommon))
	}
	return specs
}

// track begins to keep track of containers that are new: all of a new pod, and debuggers added later.
func (w *worker) track(pod *corev1.Pod) {
	for _, spec := range specs(pod) {
		if _, known := w.containers[spec.Name]; !known {
			w.containers[spec.Name] = &container{role: status.RoleOf(pod, spec.Name), status: status.Created(pod, spec)}
		}
	}
}

const (
	firstBackOff = 10 * time.Second
	lastBackOff  = 5 * time.Minute
)

// backOff is how long a container that keeps ending waits before it is started again. It starts over after the
// container has run for twice the longest wait.
type backOff struct {
	period  time.Duration // 0 before the first restart
	started time.Time
}

// until is when a container that ended may start again.
func (b *backOff) until(ended time.Time) time.Time {
	if ended.Sub(b.started) > 2*lastBackOff {
		b.period = 0
	}
	return ended.Add(b.period)
}

// next is called when it does.
func (b *backOff) next(now time.Time) {
	b.period = min(max(2*b.period, firstBackOff), lastBackOff)
	b.started = now
}
