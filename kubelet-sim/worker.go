package kubeletsim

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"coracle/kubelet-sim/status"
)

// worker runs one pod, from the moment it is bound to the node until its object is gone from the API.
type worker struct {
	n      *node
	uid    types.UID
	wakeup chan struct{} // has room for one: several wakes are as good as one
	exits  chan exited

	mu      sync.Mutex
	pod     *corev1.Pod // newest from the API; guarded by mu, as are the two below
	gone    bool        // from the API
	stirred bool        // a Secret or ConfigMap that the pod names has changed

	// All below belongs to the goroutine of run.

	containers map[string]*container
	processes  sync.WaitGroup   // those that wait for a process to end
	status     corev1.PodStatus // the kubelet's part of it, as last worked out
	sent       sent
	failed     *status.Reason // why the pod as a whole has failed
	ip         string
	sandbox    bool // the pod has volumes and an address
	ending     bool // no container will be started any more
	news       bool // a process ended since the last report
	volumes    mounted
	stage      stage
	deadline   time.Time // of all processes, once the pod is to end
	due        time.Time // when to look again, zero for not before being woken
}

// stage is how far a worker has come with its pod.
type stage int

const (
	fresh     stage = iota // what was before this run of the kubelet is not taken up yet
	running                // containers are kept as the pod wants them
	completed              // the pod has succeeded or failed, and holds no resources
	removed                // the pod's files are removed and the API was told so
)

func newWorker(n *node, pod *corev1.Pod) *worker {
	return &worker{
		n: n, uid: pod.UID, pod: pod,
		wakeup:     make(chan struct{}, 1),
		exits:      make(chan exited),
		containers: map[string]*container{},
	}
}

// update gives the worker a newer version of its pod.
func (w *worker) update(pod *corev1.Pod) {
	w.mu.Lock()
	w.pod = pod
	w.mu.Unlock()
	w.wake()
}

// current is the newest version of the pod, nil when it is gone.
func (w *worker) current() *corev1.Pod {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone {
		return nil
	}
	return w.pod
}

// remove tells it that the pod is gone from the API.
func (w *worker) remove() {
	w.mu.Lock()
	w.gone = true
	w.mu.Unlock()
	w.wake()
}

// poke tells it that something the pod names has changed.
func (w *worker) poke() {
	w.mu.Lock()
	w.stirred = true
	w.mu.Unlock()
	w.wake()
}

func (w *worker) wake() {
	select {
	case w.wakeup <- struct{}{}:
	default:
	}
}

// run works until the pod is gone or ctx ends.
func (w *worker) run(ctx context.Context) {
	defer w.processes.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		w.due = time.Time{}
		if done := w.step(ctx); done {
			return
		}
		timer.Stop()
		if !w.due.IsZero() {
			timer.Reset(w.due.Sub(w.n.now()))
		}
		select {
		case <-ctx.Done():
		case <-w.wakeup:
		case <-timer.C:
		case e := <-w.exits:
			if ctx.Err() == nil { // else it did not end: the kubelet does
				w.exited(e)
			}
		}
		if ctx.Err() != nil {
			return // everything stays as it is
		}
	}
}

// at asks for another step at a time, or before.
func (w *worker) at(t time.Time) {
	if w.due.IsZero() || t.Before(w.due) {
		w.due = t
	}
}

// step does what there is to do now. It is done when nothing of the pod is left.
func (w *worker) step(ctx context.Context) (done bool) {
	w.mu.Lock()
	pod, gone, stirred := w.pod, w.gone, w.stirred
	w.stirred = false
	w.mu.Unlock()

	if w.stage == fresh {
		w.takeUp(ctx, pod)
		w.stage = running
	}
	if stirred {
		w.retryAll()
	}
	switch {
	case gone:
		return w.abandon(ctx, pod)
	case w.stage == removed:
	case pod.DeletionTimestamp != nil:
		w.terminate(ctx, pod)
	case w.stage == completed:
		w.report(ctx, pod)
	default:
		w.sync(ctx, pod)
	}
	return false
}

// sync brings a pod nearer to what its spec wants.
func (w *worker) sync(ctx context.Context, pod *corev1.Pod) {
	w.n.objects.Register(ctx, pod)
	w.track(pod)
	if w.status.StartTime == nil || w.news {
		// Seen first, or a container ended: people are told before what follows changes it again.
		w.report(ctx, pod)
	}
	if w.hasEnded(pod) {
		w.complete(ctx, pod)
		return
	}
	if w.mount(ctx, pod) && w.network(pod) {
		w.startContainers(ctx, pod)
	}
	w.carryOutStops()
	if w.hasEnded(pod) {
		w.complete(ctx, pod)
		return
	}
	w.report(ctx, pod)
}

// hasEnded tells whether the pod has come to its end without being deleted.
func (w *worker) hasEnded(pod *corev1.Pod) bool {
	if status.Terminal(pod.Status.Phase) && !status.Terminal(w.status.Phase) {
		// Somebody else has said so, and a pod never leaves such a phase.
		w.status.Phase, w.status.Reason, w.status.Message = pod.Status.Phase, pod.Status.Reason, pod.Status.Message
	}
	if status.Terminal(w.status.Phase) || w.failed != nil || w.pastDeadline(pod) {
		return true
	}
	for spec, c := range w.all(pod) {
		switch {
		case c.role == status.Init && c.failed() && !status.ShouldRestart(pod, spec, c.code()):
			return true
		case c.role == status.Main && (!c.ended() || status.ShouldRestart(pod, spec, c.code())):
			return false
		}
	}
	return true
}

// pastDeadline looks at the pod's activeDeadlineSeconds.
func (w *worker) pastDeadline(pod *corev1.Pod) bool {
	if pod.Spec.ActiveDeadlineSeconds == nil || w.status.StartTime == nil {
		return false
	}
	deadline := w.status.StartTime.Add(time.Duration(*pod.Spec.ActiveDeadlineSeconds) * time.Second)
	if w.n.now().Before(deadline) {
		w.at(deadline)
		return false
	}
	w.failed = &status.Reason{Reason: "DeadlineExceeded", Message: "Pod was active on the node longer than the specified deadline"}
	w.n.events.pod(pod, "", corev1.EventTypeNormal, w.failed.Reason, w.failed.Message)
	return true
}

// complete stops what still runs of a pod that has come to its end, and then gives back what it held. Logs stay.
func (w *worker) complete(ctx context.Context, pod *corev1.Pod) {
	if w.stopAll(pod, gracePeriod(pod)) {
		w.report(ctx, pod)
		return
	}
	w.ending, w.sandbox = true, false
	if w.report(ctx, pod) != nil {
		return
	}
	w.n.unmount(pod)
	w.stage = completed
}

// unmount removes a pod's volumes and root directories, and the ways in.
func (n *node) unmount(pod *corev1.Pod) {
	n.forget(pod.UID)
	if err := n.disk.Unlink(pod.Namespace, pod.Name, pod.UID); err != nil {
		n.log.Warn("cannot remove the links of a pod", "pod", pod.Name, "namespace", pod.Namespace, "err", err)
	}
	if err := n.disk.Unmount(pod.UID); err != nil {
		n.log.Warn("cannot remove the volumes of a pod", "pod", pod.Name, "namespace", pod.Namespace, "err", err)
	}
}
