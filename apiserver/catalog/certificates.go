package catalog

import (
	certificatesv1 "k8s.io/api/certificates/v1"
)

func certificatesKinds() []*Kind {
	gv := certificatesv1.SchemeGroupVersion
	return []*Kind{
		row[certificatesv1.CertificateSigningRequest, certificatesv1.CertificateSigningRequestList](gv, Kind{
			Resource:     "certificatesigningrequests",
			ShortNames:   []string{"csr"},
			Subresources: []Subresource{{Name: "approval"}, {Name: "status"}},
		}),
		row[certificatesv1.ClusterTrustBundle, certificatesv1.ClusterTrustBundleList](gv, Kind{
			Resource: "clustertrustbundles",
		}),
		row[certificatesv1.PodCertificateRequest, certificatesv1.PodCertificateRequestList](gv, Kind{
			Resource:     "podcertificaterequests",
			Namespaced:   true,
			Subresources: onlyStatus(),
		}),
	}
}
