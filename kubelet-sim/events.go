package kubeletsim

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/tools/record/util"

	"coracle/kubelet-sim/status"
)

const (
	eventQueue = 1000 // events waiting to be sent; more are dropped
	eventTries = 12
)

// events sends what the node records. Repetitions are counted in one Event, as a kubelet's recorder does.
type events struct {
	client kubernetes.Interface
	node   string
	now    func() time.Time
	log    *slog.Logger
	queue  chan *corev1.Event

	mu   sync.Mutex
	last int64 // nanoseconds, part of the newest event's name; guarded by mu
}

func newEvents(client kubernetes.Interface, node string, now func() time.Time, log *slog.Logger) *events {
	return &events{client: client, node: node, now: now, log: log, queue: make(chan *corev1.Event, eventQueue)}
}

// pod records something about a pod, or about one of its containers if container is not empty.
func (e *events) pod(pod *corev1.Pod, container, kind, reason, message string) {
	ref := corev1.ObjectReference{
		Kind: "Pod", APIVersion: "v1", Namespace: pod.Namespace, Name: pod.Name,
		UID: pod.UID, ResourceVersion: pod.ResourceVersion,
	}
	if container != "" {
		switch status.RoleOf(pod, container) {
		case status.Init, status.Sidecar:
			ref.FieldPath = "spec.initContainers{" + container + "}"
		case status.Ephemeral:
			ref.FieldPath = "spec.ephemeralContainers{" + container + "}"
		default:
			ref.FieldPath = "spec.containers{" + container + "}"
		}
	}
	e.record(ref, kind, reason, message)
}

// self records something about the node.
func (e *events) self(uid types.UID, kind, reason, message string) {
	e.record(corev1.ObjectReference{Kind: "Node", APIVersion: "v1", Name: e.node, UID: uid}, kind, reason, message)
}

func (e *events) record(ref corev1.ObjectReference, kind, reason, message string) {
	now := e.now()
	namespace := ref.Namespace
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	e.mu.Lock()
	e.last = max(e.last+1, now.UnixNano()) // two events never share a name
	name := util.GenerateEventName(ref.Name, e.last)
	e.mu.Unlock()
	event := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Name: name, Namespace: namespace},
		InvolvedObject: ref,
		Reason:         reason,
		Message:        message,
		Type:           kind,
		Source:         corev1.EventSource{Component: "kubelet", Host: e.node},
		FirstTimestamp: metav1.NewTime(now), LastTimestamp: metav1.NewTime(now),
		Count:               1,
		ReportingController: "kubelet", ReportingInstance: e.node,
	}
	select {
	case e.queue <- event:
	default:
		e.log.Warn("too many events, dropping one", "reason", reason, "message", message)
	}
}

// run sends events until ctx ends.
func (e *events) run(ctx context.Context) {
	correlator := record.NewEventCorrelatorWithOptions(record.CorrelatorOptions{})
	for {
		select {
		case <-ctx.Done():
			return
		case event := <-e.queue:
			correlated, err := correlator.EventCorrelate(event)
			if err != nil {
				e.log.Warn("cannot correlate event", "err", err)
				continue
			}
			if correlated.Skip {
				continue
			}
			if sent := e.send(ctx, correlated); sent != nil {
				correlator.UpdateState(sent)
			}
		}
	}
}

// send returns the Event as the server has it, or nil when the server refused or stays away.
func (e *events) send(ctx context.Context, correlated *record.EventCorrelateResult) *corev1.Event {
	event := correlated.Event
	api := e.client.CoreV1().Events(event.Namespace)
	pause := 100 * time.Millisecond
	for range eventTries {
		var sent *corev1.Event
		var err error
		known := event.Count > 1
		if known {
			sent, err = api.PatchWithEventNamespaceWithContext(ctx, event, correlated.Patch)
		}
		if !known || apierrors.IsNotFound(err) {
			event.ResourceVersion = ""
			sent, err = api.CreateWithEventNamespaceWithContext(ctx, event)
		}
		if err == nil {
			return sent
		}
		if _, answered := errors.AsType[*apierrors.StatusError](err); answered {
			e.log.Debug("event refused", "reason", event.Reason, "err", err) // such as in a namespace that is going away
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
			pause = min(2*pause, 10*time.Second)
		}
	}
	e.log.Warn("gave up on an event", "reason", event.Reason, "message", event.Message)
	return nil
}
