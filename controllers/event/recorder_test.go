package event_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coracle/controllers/event"
	"coracle/controllers/looptest"
)

func TestRecorder(t *testing.T) {
	pod := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "p", UID: "u1"}}
	list := func(t *testing.T, w *looptest.World, ns string) []v1.Event {
		t.Helper()
		w.Settle()
		events, err := w.Client.CoreV1().Events(ns).List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return events.Items
	}
	t.Run("what is repeated is counted", func(t *testing.T) {
		looptest.Run(t, nil, func(t *testing.T, w *looptest.World) {
			r := event.New(w.Client, "me", w.Log)
			w.Start(r)
			for range 3 {
				r.Warning(pod, "Failed", "for the %s time", "same")
				w.Advance(time.Second)
			}
			events := list(t, w, "blue")
			if len(events) != 1 {
				t.Fatalf("%d events, want 1", len(events))
			}
			e := events[0]
			got := []any{e.Type, e.Reason, e.Message, e.Source.Component, e.Count, e.InvolvedObject.UID, e.LastTimestamp.Sub(e.FirstTimestamp.Time)}
			want := []any{"Warning", "Failed", "for the same time", "me", int32(3), pod.UID, 2 * time.Second}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("of a cluster-scoped object it is in default", func(t *testing.T) {
		looptest.Run(t, nil, func(t *testing.T, w *looptest.World) {
			r := event.New(w.Client, "me", w.Log)
			w.Start(r)
			r.Normal(&v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n"}}, "Ready", "it is ready")
			if got := len(list(t, w, "default")); got != 1 {
				t.Errorf("%d events in default, want 1", got)
			}
		})
	})
	t.Run("a chatterbox neither blocks nor fills the store", func(t *testing.T) {
		looptest.Run(t, nil, func(t *testing.T, w *looptest.World) {
			r := event.New(w.Client, "me", w.Log)
			for i := range 5000 {
				r.Normal(pod, "Talk", "%d", i)
			}
			w.Start(r)
			if got := len(list(t, w, "blue")); got > 25 {
				t.Errorf("%d events were written", got)
			}
		})
	})
}
