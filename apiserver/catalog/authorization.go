package catalog

import (
	authorizationv1 "k8s.io/api/authorization/v1"
)

func authorizationKinds() []*Kind {
	gv := authorizationv1.SchemeGroupVersion
	return []*Kind{
		review[authorizationv1.LocalSubjectAccessReview](gv, Kind{
			Resource:   "localsubjectaccessreviews",
			Namespaced: true,
		}),
		review[authorizationv1.SelfSubjectAccessReview](gv, Kind{
			Resource: "selfsubjectaccessreviews",
		}),
		review[authorizationv1.SelfSubjectRulesReview](gv, Kind{
			Resource: "selfsubjectrulesreviews",
		}),
		review[authorizationv1.SubjectAccessReview](gv, Kind{
			Resource: "subjectaccessreviews",
		}),
	}
}
