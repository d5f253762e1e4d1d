package catalog

import (
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

func apiregistrationKinds() []*Kind {
	gv := apiregistrationv1.SchemeGroupVersion
	return []*Kind{
		row[apiregistrationv1.APIService, apiregistrationv1.APIServiceList](gv, Kind{
			Resource:     "apiservices",
			Categories:   inExtensions(),
			Subresources: onlyStatus(),
		}),
	}
}
