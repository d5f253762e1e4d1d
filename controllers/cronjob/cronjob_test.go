package cronjob_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coracle/controllers/cronjob"
	"coracle/controllers/looptest"
)

// everyMinute is a CronJob. Bubbles of synctest begin at midnight of 2000-01-01 UTC.
func everyMinute(change ...func(*batchv1.CronJob)) *batchv1.CronJob {
	c := &batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "tick", CreationTimestamp: metav1.NewTime(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))},
		Spec: batchv1.CronJobSpec{
			Schedule: "* * * * *", SuccessfulJobsHistoryLimit: new(int32(1)), FailedJobsHistoryLimit: new(int32(1)),
			JobTemplate: batchv1.JobTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"team": "blue"}}},
		},
	}
	for _, f := range change {
		f(c)
	}
	return c
}

// jobs are the minutes after the beginning for which there are Jobs.
func jobs(t *testing.T, w *looptest.World) string {
	t.Helper()
	list, err := w.Client.BatchV1().Jobs("default").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var minutes []string
	for _, j := range list.Items {
		at, err := time.Parse(time.RFC3339, j.Annotations[batchv1.CronJobScheduledTimestampAnnotation])
		if err != nil {
			t.Fatal(err)
		}
		minutes = append(minutes, at.UTC().Format("15:04"))
	}
	slices.Sort(minutes)
	return strings.Join(minutes, " ")
}

func complete(t *testing.T, w *looptest.World) {
	t.Helper()
	list, err := w.Client.BatchV1().Jobs("default").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, j := range list.Items {
		if len(j.Status.Conditions) > 0 {
			continue
		}
		now := metav1.Now()
		j.Status.StartTime, j.Status.CompletionTime = &now, &now
		j.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: v1.ConditionTrue, LastTransitionTime: now}}
		if _, err := w.Client.BatchV1().Jobs("default").UpdateStatus(t.Context(), &j, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	w.Settle()
}

func status(t *testing.T, w *looptest.World) batchv1.CronJobStatus {
	t.Helper()
	c, err := w.Client.BatchV1().CronJobs("default").Get(t.Context(), "tick", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return c.Status
}

func TestController(t *testing.T) {
	tests := []struct {
		name   string
		cron   *batchv1.CronJob
		do     func(t *testing.T, w *looptest.World)
		jobs   string
		active int
	}{
		{"each minute has its Job", everyMinute(), func(t *testing.T, w *looptest.World) {
			w.Advance(2*time.Minute + time.Second)
		}, "00:01 00:02", 2},
		{"those that have ended are forgotten, but for the last", everyMinute(), func(t *testing.T, w *looptest.World) {
			for range 3 {
				w.Advance(time.Minute + time.Second)
				complete(t, w)
			}
		}, "00:03", 0},
		{"no two at a time where that is forbidden", everyMinute(func(c *batchv1.CronJob) { c.Spec.ConcurrencyPolicy = batchv1.ForbidConcurrent }), func(t *testing.T, w *looptest.World) {
			w.Advance(3*time.Minute + time.Second)
		}, "00:01", 1},
		{"the new in place of the old", everyMinute(func(c *batchv1.CronJob) { c.Spec.ConcurrencyPolicy = batchv1.ReplaceConcurrent }), func(t *testing.T, w *looptest.World) {
			w.Advance(3*time.Minute + time.Second)
		}, "00:03", 1},
		{"suspended there are none", everyMinute(func(c *batchv1.CronJob) { c.Spec.Suspend = new(true) }), func(t *testing.T, w *looptest.World) {
			w.Advance(3 * time.Minute)
		}, "", 0},
		{"of those missed only the last is made up for", everyMinute(func(c *batchv1.CronJob) {
			c.CreationTimestamp = metav1.NewTime(time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC))
		}), func(*testing.T, *looptest.World) {}, "00:00", 1},
		{"one whose deadline has passed is not", everyMinute(func(c *batchv1.CronJob) {
			c.Spec.Schedule, c.Spec.StartingDeadlineSeconds = "30 12 * * *", new(int64(60))
			c.CreationTimestamp = metav1.NewTime(time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC))
		}), func(*testing.T, *looptest.World) {}, "", 0},
		{"in its own time zone", everyMinute(func(c *batchv1.CronJob) { c.Spec.Schedule, c.Spec.TimeZone = "5 9 * * *", new("Asia/Tokyo") }), func(t *testing.T, w *looptest.World) {
			w.Advance(6 * time.Minute)
		}, "00:05", 1},
		{"a schedule that is none makes none", everyMinute(func(c *batchv1.CronJob) { c.Spec.Schedule = "TZ=" }), func(t *testing.T, w *looptest.World) {
			w.Advance(time.Hour)
		}, "", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			looptest.Run(t, []runtime.Object{test.cron}, func(t *testing.T, w *looptest.World) {
				w.Start(cronjob.New(w.Client, w.Factory, w.Log))
				test.do(t, w)
				if got := jobs(t, w); got != test.jobs {
					t.Errorf("jobs of %q, want %q", got, test.jobs)
				}
				if got := len(status(t, w).Active); got != test.active {
					t.Errorf("%d active, want %d", got, test.active)
				}
			})
		})
	}
}
