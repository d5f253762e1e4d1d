package catalog

import (
	authenticationv1 "k8s.io/api/authentication/v1"
)

func authenticationKinds() []*Kind {
	gv := authenticationv1.SchemeGroupVersion
	return []*Kind{
		review[authenticationv1.SelfSubjectReview](gv, Kind{
			Resource: "selfsubjectreviews",
		}),
		review[authenticationv1.TokenReview](gv, Kind{
			Resource: "tokenreviews",
		}),
	}
}
