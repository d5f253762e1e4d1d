package catalog

import (
	schedulingv1 "k8s.io/api/scheduling/v1"
)

func schedulingKinds() []*Kind {
	gv := schedulingv1.SchemeGroupVersion
	return []*Kind{
		row[schedulingv1.PriorityClass, schedulingv1.PriorityClassList](gv, Kind{
			Resource:   "priorityclasses",
			ShortNames: []string{"pc"},
		}),
	}
}
