package event

import (
	"context"
	"fmt"
	"log/slog"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/record"
	"k8s.io/client-go/tools/record/util"
	"k8s.io/client-go/tools/reference"
	"k8s.io/utils/clock"
)

// backlog is how many Events may wait to be written. More are dropped: nobody waits for an Event.
const backlog = 1000

// Recorder writes Events on behalf of one component.
type Recorder struct {
	client    kubernetes.Interface
	component string
	log       *slog.Logger
	queue     chan *v1.Event
}

// New makes a recorder. component is what `kubectl describe` shows under From.
func New(client kubernetes.Interface, component string, log *slog.Logger) *Recorder {
	return &Recorder{client: client, component: component, log: log, queue: make(chan *v1.Event, backlog)}
}

// Normal tells that something went as it should. reason is one word in UpperCamelCase.
func (r *Recorder) Normal(about runtime.Object, reason, format string, args ...any) {
	r.add(about, v1.EventTypeNormal, reason, fmt.Sprintf(format, args...))
}

// Warning tells that something did not.
func (r *Recorder) Warning(about runtime.Object, reason, format string, args ...any) {
	r.add(about, v1.EventTypeWarning, reason, fmt.Sprintf(format, args...))
}

func (r *Recorder) add(about runtime.Object, kind, reason, message string) {
	ref, err := reference.GetReference(scheme.Scheme, about)
	if err != nil {
		r.log.Warn("no reference for an event", "reason", reason, "err", err)
		return
	}
	namespace := ref.Namespace
	if namespace == "" {
		namespace = metav1.NamespaceDefault
	}
	now := metav1.Now()
	e := &v1.Event{
		ObjectMeta:          metav1.ObjectMeta{Namespace: namespace, Name: util.GenerateEventName(ref.Name, now.UnixNano())},
		InvolvedObject:      *ref,
		Reason:              reason,
		Message:             message,
		Source:              v1.EventSource{Component: r.component},
		ReportingController: r.component,
		FirstTimestamp:      now,
		LastTimestamp:       now,
		Count:               1,
		Type:                kind,
	}
	select {
	case r.queue <- e:
	default:
		r.log.Warn("too many events, one is dropped", "reason", reason, "namespace", namespace, "name", ref.Name)
	}
}

// Run writes what is recorded until ctx ends. Events recorded before it are written too.
func (r *Recorder) Run(ctx context.Context) error {
	correlator := record.NewEventCorrelator(clock.RealClock{})
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-r.queue:
			if err := r.write(ctx, correlator, e); err != nil && ctx.Err() == nil {
				r.log.Warn("event is dropped", "namespace", e.Namespace, "reason", e.Reason, "err", err)
			}
		}
	}
}

func (r *Recorder) write(ctx context.Context, correlator *record.EventCorrelator, e *v1.Event) error {
	result, err := correlator.EventCorrelate(e)
	if err != nil || result.Skip {
		return err
	}
	e = result.Event
	events := r.client.CoreV1().Events(e.Namespace)
	var written *v1.Event
	if e.Count > 1 {
		written, err = events.Patch(ctx, e.Name, types.StrategicMergePatchType, result.Patch, metav1.PatchOptions{})
	}
	if e.Count <= 1 || apierrors.IsNotFound(err) {
		e.ResourceVersion = ""
		written, err = events.Create(ctx, e, metav1.CreateOptions{})
	}
	switch {
	case apierrors.IsAlreadyExists(err), apierrors.IsNotFound(err), apierrors.HasStatusCause(err, v1.NamespaceTerminatingCause):
		return nil
	case err != nil:
		return err
	}
	correlator.UpdateState(written)
	return nil
}
