package catalog

import (
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
)

func jobTable() Table {
	names, images := containersColumns()
	return table(func(j *batchv1.Job, now time.Time) []any {
		names, images := containersCells(j.Spec.Template.Spec.Containers)
		return []any{
			j.Name, jobState(j), jobCompletions(j), jobDuration(j, now), Age(j.CreationTimestamp, now),
			names, images, metav1.FormatLabelSelector(j.Spec.Selector),
		}
	},
		nameColumn(),
		column("Status", "string", "Status of the job."),
		column("Completions", "string", batchv1.JobStatus{}.SwaggerDoc()["succeeded"]),
		column("Duration", "string", "Time required to complete the job."),
		ageColumn(),
		names, images,
		wide("Selector", "string", batchv1.JobSpec{}.SwaggerDoc()["selector"]),
	)
}

func jobState(j *batchv1.Job) string {
	switch {
	case jobIs(j, batchv1.JobComplete):
		return "Complete"
	case jobIs(j, batchv1.JobFailed):
		return "Failed"
	case j.DeletionTimestamp != nil:
		return "Terminating"
	case jobIs(j, batchv1.JobSuspended):
		return "Suspended"
	case jobIs(j, batchv1.JobFailureTarget):
		return "FailureTarget"
	case jobIs(j, batchv1.JobSuccessCriteriaMet):
		return "SuccessCriteriaMet"
	}
	return "Running"
}

// jobIs tells whether a condition holds.
func jobIs(j *batchv1.Job, t batchv1.JobConditionType) bool {
	for _, c := range j.Status.Conditions {
		if c.Type == t && c.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}

func jobCompletions(j *batchv1.Job) string {
	switch p := value(j.Spec.Parallelism); {
	case j.Spec.Completions != nil:
		return fmt.Sprintf("%d/%d", j.Status.Succeeded, *j.Spec.Completions)
	case p > 1:
		return fmt.Sprintf("%d/1 of %d", j.Status.Succeeded, p)
	}
	return fmt.Sprintf("%d/1", j.Status.Succeeded)
}

func jobDuration(j *batchv1.Job, now time.Time) string {
	switch {
	case j.Status.StartTime == nil:
		return ""
	case j.Status.CompletionTime == nil:
		return duration.HumanDuration(now.Sub(j.Status.StartTime.Time))
	}
	return duration.HumanDuration(j.Status.CompletionTime.Sub(j.Status.StartTime.Time))
}

func cronJobTable() Table {
	doc := batchv1.CronJobSpec{}.SwaggerDoc()
	names, images := containersColumns()
	return table(func(c *batchv1.CronJob, now time.Time) []any {
		last := "<none>"
		if t := c.Status.LastScheduleTime; t != nil {
			last = Age(*t, now)
		}
		names, images := containersCells(c.Spec.JobTemplate.Spec.Template.Spec.Containers)
		return []any{
			c.Name, c.Spec.Schedule, orElse(c.Spec.TimeZone, "<none>"), trueOrFalse(c.Spec.Suspend), count(len(c.Status.Active)), last,
			Age(c.CreationTimestamp, now), names, images, metav1.FormatLabelSelector(c.Spec.JobTemplate.Spec.Selector),
		}
	},
		nameColumn(),
		column("Schedule", "string", doc["schedule"]),
		column("Timezone", "string", doc["timeZone"]),
		column("Suspend", "boolean", doc["suspend"]),
		column("Active", "integer", batchv1.CronJobStatus{}.SwaggerDoc()["active"]),
		column("Last Schedule", "string", batchv1.CronJobStatus{}.SwaggerDoc()["lastScheduleTime"]),
		ageColumn(),
		names, images,
		wide("Selector", "string", batchv1.JobSpec{}.SwaggerDoc()["selector"]),
	)
}

// trueOrFalse is how a boolean is printed.
func trueOrFalse(b *bool) string {
	switch {
	case b == nil:
		return "<unset>"
	case *b:
		return "True"
	}
	return "False"
}
