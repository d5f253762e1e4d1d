package catalog

import (
	batchv1 "k8s.io/api/batch/v1"
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
		}),
		row[batchv1.Job, batchv1.JobList](gv, Kind{
			Resource:        "jobs",
			Categories:      inAll(),
			Namespaced:      true,
			OrphanByDefault: true,
			Subresources:    onlyStatus(),
		}),
	}
}
