package catalog

import (
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

func apiextensionsKinds() []*Kind {
	gv := apiextensionsv1.SchemeGroupVersion
	return []*Kind{
		row[apiextensionsv1.CustomResourceDefinition, apiextensionsv1.CustomResourceDefinitionList](gv, Kind{
			Resource:     "customresourcedefinitions",
			ShortNames:   []string{"crd", "crds"},
			Categories:   inExtensions(),
			Subresources: onlyStatus(),
		}),
	}
}
