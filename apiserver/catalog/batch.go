package catalog

import (
	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/fields"
)

func batchKinds() []*Kind {
	gv := batchv1.SchemeGroupVersion
	return []*Kind{
		row[batchv1.CronJob, batchv1.CronJobList](gv, Kind{
			Resource:     "cronjobs",
			ShortNames:   []string{"cj"},
			Categories:   inAll(),
			Namespaced:   true,
			Subresources: onlyStatus(),
			Strategy: Strategy{
				Default: on(defaultCronJob),
				PrepareForCreate: on(func(c *batchv1.CronJob) {
					c.Status = batchv1.CronJobStatus{}
					c.Spec.JobTemplate.Spec.Scheduling = nil
				}),
				PrepareForUpdate: onChange(func(c, _ *batchv1.CronJob) { c.Spec.JobTemplate.Spec.Scheduling = nil }),
				Validate:         check(validateCronJob),
				Revalidate:       checkChange(validateCronJobChange),
				Warnings:         warnings(cronJobWarnings),
				Generation:       true,
			},
			Table: cronJobTable(),
		}),
		row[batchv1.Job, batchv1.JobList](gv, Kind{
			Resource:        "jobs",
			Categories:      inAll(),
			Namespaced:      true,
			OrphanByDefault: true,
			OrphanWarning:   "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning",
			Subresources:    onlyStatus(),
			Strategy: Strategy{
				Default:              on(defaultJob),
				PrepareForCreate:     on(prepareNewJob),
				PrepareForUpdate:     onChange(func(j, _ *batchv1.Job) { j.Spec.Scheduling = nil }),
				Validate:             check(validateJob),
				Revalidate:           checkChange(validateJobChange),
				ValidateStatusUpdate: checkChange(validateJobStatusChange),
				Warnings:             warnings(jobWarnings),
				Generation:           true,
			},
			Table:        jobTable(),
			FieldNames:   []string{"status.successful"},
			UnknownField: "field label %q not supported for Job",
			Fields:       fieldsOf(func(j *batchv1.Job) fields.Set { return fields.Set{"status.successful": decimal(j.Status.Succeeded)} }),
		}),
	}
}
