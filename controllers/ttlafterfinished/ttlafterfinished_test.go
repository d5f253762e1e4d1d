package ttlafterfinished_test

import (
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coracle/controllers/looptest"
	"coracle/controllers/ttlafterfinished"
)

func TestController(t *testing.T) {
	ended := []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: v1.ConditionTrue}}
	for _, test := range []struct {
		name       string
		ttl        *int32
		conditions []batchv1.JobCondition
		goes       bool
	}{
		{"a Job that has ended goes when its time has come", new(int32(60)), ended, true},
		{"one without a time to live stays", nil, ended, false},
		{"one that runs stays", new(int32(60)), nil, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "job"}, Spec: batchv1.JobSpec{TTLSecondsAfterFinished: test.ttl}}
			looptest.Run(t, []runtime.Object{job}, func(t *testing.T, w *looptest.World) {
				w.Start(ttlafterfinished.New(w.Client, w.Factory, w.Log))
				jobs := w.Client.BatchV1().Jobs("default")
				stored, err := jobs.Get(t.Context(), "job", metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range test.conditions {
					c.LastTransitionTime = metav1.Now()
					stored.Status.Conditions = append(stored.Status.Conditions, c)
				}
				if _, err := jobs.UpdateStatus(t.Context(), stored, metav1.UpdateOptions{}); err != nil {
					t.Fatal(err)
				}
				gone := func() bool {
					got, err := jobs.Get(t.Context(), "job", metav1.GetOptions{})
					return apierrors.IsNotFound(err) || got.DeletionTimestamp != nil
				}
				w.Advance(59 * time.Second)
				if gone() {
					t.Error("gone too early")
				}
				w.Advance(2 * time.Second)
				if gone() != test.goes {
					t.Errorf("gone: %t, want %t", gone(), test.goes)
				}
			})
		})
	}
}
