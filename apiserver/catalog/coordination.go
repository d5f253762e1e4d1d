package catalog

import (
	coordinationv1 "k8s.io/api/coordination/v1"
)

func coordinationKinds() []*Kind {
	gv := coordinationv1.SchemeGroupVersion
	return []*Kind{
		row[coordinationv1.Lease, coordinationv1.LeaseList](gv, Kind{
			Resource:   "leases",
			Namespaced: true,
		}),
	}
}
