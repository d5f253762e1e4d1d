package catalog

import (
	discoveryv1 "k8s.io/api/discovery/v1"
)

func discoveryKinds() []*Kind {
	gv := discoveryv1.SchemeGroupVersion
	return []*Kind{
		row[discoveryv1.EndpointSlice, discoveryv1.EndpointSliceList](gv, Kind{
			Resource:   "endpointslices",
			Namespaced: true,
		}),
	}
}
