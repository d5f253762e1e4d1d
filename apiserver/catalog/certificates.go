package catalog

import (
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	certificatesv1beta1 "k8s.io/api/certificates/v1beta1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/duration"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/authentication/user"
)

type (
	signingRequest        = certificatesv1.CertificateSigningRequest
	trustBundle           = certificatesv1.ClusterTrustBundle
	podCertificateRequest = certificatesv1.PodCertificateRequest
)

// The server fills in who asks for a certificate (spec.username and so on): it alone knows.
func certificatesKinds() []*Kind {
	gv := certificatesv1.SchemeGroupVersion
	return []*Kind{
		row[signingRequest, certificatesv1.CertificateSigningRequestList](gv, Kind{
			Resource:   "certificatesigningrequests",
			ShortNames: []string{"csr"},
			Subresources: []Subresource{
				{Name: "approval", Prepare: onChange(prepareApproval), Stamp: stampConditions, Validate: checkChange(validateApproval)},
				{Name: "status", Prepare: onChange(prepareSigning), Stamp: stampConditions, Validate: checkChange(validateSigning)},
			},
			Strategy: Strategy{
				Keeps:            [][]string{{"spec"}},
				StatusKeeps:      [][]string{{"status", "conditions"}},
				PrepareForCreate: on(func(r *signingRequest) { r.Status = certificatesv1.CertificateSigningRequestStatus{} }),
				Requester:        func(obj runtime.Object, u user.Info) { setRequester(obj.(*signingRequest), u) },
				PrepareForUpdate: onChange(func(r, old *signingRequest) { r.Spec, r.Status = old.DeepCopy().Spec, old.DeepCopy().Status }),
				Validate:         check(func(r *signingRequest, root *field.Path) errorList { return validateSigningRequest(r, nil, root) }),
				Revalidate: checkChange(func(r, old *signingRequest, root *field.Path) errorList {
					return validateRequestChange(r, old, mayChange{}, root)
				}),
				ValidateName: anyName,
			},
			Table:      signingRequestTable(),
			FieldNames: []string{"spec.signerName"},
			Fields:     fieldsOf(func(r *signingRequest) fields.Set { return fields.Set{"spec.signerName": r.Spec.SignerName} }),
		}),
		row[trustBundle, certificatesv1.ClusterTrustBundleList](gv, Kind{
			Resource: "clustertrustbundles",
			Strategy: Strategy{
				Validate:       check(func(b *trustBundle, root *field.Path) errorList { return validateTrustBundle(b, nil, root) }),
				Revalidate:     checkChange(validateTrustBundle),
				ValidateName:   anyName, // the name follows from the signer's: Validate
				RequireVersion: true,
			},
			Table:      trustBundleTable(),
			FieldNames: []string{"spec.signerName"},
			Fields:     fieldsOf(func(b *trustBundle) fields.Set { return fields.Set{"spec.signerName": b.Spec.SignerName} }),
		}),
		row[podCertificateRequest, certificatesv1.PodCertificateRequestList](gv, Kind{
			Resource:     "podcertificaterequests",
			Namespaced:   true,
			Subresources: onlyStatus(),
			Strategy: Strategy{
				Default:              on(defaultPodCertificateRequest),
				PrepareForCreate:     on(func(r *podCertificateRequest) { r.Status = certificatesv1.PodCertificateRequestStatus{} }),
				Validate:             check(validatePodCertificateRequest),
				Revalidate:           checkChange(validatePodCertificateRequestChange),
				ValidateStatusUpdate: checkChange(validatePodCertificateStatus),
				RequireVersion:       true,
			},
			Table:      podCertificateRequestTable(),
			FieldNames: []string{"spec.nodeName", "spec.podName", "spec.signerName"},
			Fields: fieldsOf(func(r *podCertificateRequest) fields.Set {
				return fields.Set{"spec.nodeName": string(r.Spec.NodeName), "spec.podName": r.Spec.PodName, "spec.signerName": r.Spec.SignerName}
			}),
		}),
	}
}

func anyName(string, bool) []string { return nil }

func defaultPodCertificateRequest(r *podCertificateRequest) {
	const day = 24 * 60 * 60
	setDefault(&r.Spec.MaxExpirationSeconds, day)
}

func signingRequestTable() Table {
	doc := certificatesv1beta1.CertificateSigningRequestSpec{}.SwaggerDoc()
	return table(func(r *signingRequest, now time.Time) []any {
		lifetime := "<none>"
		if s := r.Spec.ExpirationSeconds; s != nil {
			lifetime = duration.HumanDuration(time.Duration(*s) * time.Second)
		}
		return []any{
			r.Name, Age(r.CreationTimestamp, now), noneIfEmpty(r.Spec.SignerName), r.Spec.Username, lifetime, requestState(r),
		}
	},
		nameColumn(),
		ageColumn(),
		column("SignerName", "string", doc["signerName"]),
		column("Requestor", "string", doc["request"]),
		column("RequestedDuration", "string", doc["expirationSeconds"]),
		column("Condition", "string", certificatesv1beta1.CertificateSigningRequestStatus{}.SwaggerDoc()["conditions"]),
	)
}

func noneIfEmpty(text string) string {
	if text == "" {
		return "<none>"
	}
	return text
}

func requestState(r *signingRequest) string {
	has := map[certificatesv1.RequestConditionType]bool{}
	for _, c := range r.Status.Conditions {
		has[c.Type] = true
	}
	state := []string{"Pending"}
	switch {
	case has[certificatesv1.CertificateDenied]:
		state[0] = "Denied"
	case has[certificatesv1.CertificateApproved]:
		state[0] = "Approved"
	}
	if has[certificatesv1.CertificateFailed] {
		state = append(state, "Failed")
	}
	if len(r.Status.Certificate) > 0 {
		state = append(state, "Issued")
	}
	return strings.Join(state, ",")
}

func trustBundleTable() Table {
	return table(func(b *trustBundle, now time.Time) []any {
		return []any{b.Name, noneIfEmpty(b.Spec.SignerName)}
	},
		nameColumn(),
		column("SignerName", "string", certificatesv1.ClusterTrustBundleSpec{}.SwaggerDoc()["signerName"]),
	)
}

func podCertificateRequestTable() Table {
	doc := certificatesv1.PodCertificateRequestSpec{}.SwaggerDoc()
	return table(func(r *podCertificateRequest, now time.Time) []any {
		state := "Pending"
		for _, c := range r.Status.Conditions {
			switch c.Type {
			case certificatesv1.PodCertificateRequestConditionTypeIssued, certificatesv1.PodCertificateRequestConditionTypeDenied,
				certificatesv1.PodCertificateRequestConditionTypeFailed:
				state = c.Type
			}
		}
		return []any{
			r.Name, r.Spec.PodName, r.Spec.ServiceAccountName, string(r.Spec.NodeName), r.Spec.SignerName, state,
			labels.FormatLabels(r.Spec.UnverifiedUserAnnotations),
		}
	},
		nameColumn(),
		column("PodName", "string", doc["podName"]),
		column("ServiceAccountName", "string", doc["serviceAccountName"]),
		column("NodeName", "string", doc["nodeName"]),
		column("SignerName", "string", doc["signerName"]),
		column("State", "string", "Is the request Pending, Issued, Denied, or Failed?"),
		column("UnverifiedUserAnnotations", "string", doc["unverifiedUserAnnotations"]),
	)
}
