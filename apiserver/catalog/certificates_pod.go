package catalog

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Source of the sentences and limits: k8s.io/kubernetes/pkg/apis/certificates/validation.

func validatePodCertificateRequest(r *podCertificateRequest, root *field.Path) errorList {
	s, path := &r.Spec, child(root, "spec")
	errs := validateSignerName(s.SignerName, child(path, "signerName"))
	for name := range s.UnverifiedUserAnnotations {
		errs = append(errs, validation.IsDomainPrefixedKey(child(path, "unverifiedUserAnnotations"), strings.ToLower(name))...)
	}
	if apivalidation.ValidateAnnotationsSize(s.UnverifiedUserAnnotations) != nil {
		errs = append(errs, field.TooLong(child(path, "unverifiedUserAnnotations"), "", apivalidation.TotalAnnotationSizeLimitB))
	}
	errs = append(errs, invalidEach(child(path, "podName"), s.PodName, apivalidation.NameIsDNSSubdomain(s.PodName, false))...)
	errs = append(errs, validateUID(child(path, "podUID"), s.PodUID)...)
	errs = append(errs, invalidEach(child(path, "serviceAccountName"), s.ServiceAccountName, apivalidation.ValidateServiceAccountName(s.ServiceAccountName, false))...)
	errs = append(errs, validateUID(child(path, "serviceAccountUID"), s.ServiceAccountUID)...)
	errs = append(errs, invalidEach(child(path, "nodeName"), s.NodeName, apivalidation.NameIsDNSSubdomain(string(s.NodeName), false))...)
	errs = append(errs, validateUID(child(path, "nodeUID"), s.NodeUID)...)
	errs = append(errs, validateLifetime(s, child(path, "maxExpirationSeconds"))...)
	if len(s.StubPKCS10Request) == 0 {
		return append(errs, field.Invalid(path, field.OmitValueType{}, "exactly one of (stubPKCS10Request) or (pkixPublicKey, proofOfPossession) must be set"))
	}
	return append(errs, validateStubRequest(s.StubPKCS10Request, child(path, "stubPKCS10Request"))...)
}

func validateUID[T ~string](path *field.Path, uid T) errorList {
	const longest = 128
	switch {
	case uid == "":
		return errorList{field.Invalid(path, uid, "must not be empty")}
	case len(uid) > longest:
		return errorList{field.TooLong(path, uid, longest)}
	}
	return nil
}

// validateLifetime: signers of Kubernetes' own give out certificates for a day at most, others for 91.
func validateLifetime(s *certificatesv1.PodCertificateRequestSpec, path *field.Path) errorList {
	const hour = 60 * 60
	longest := int32(91 * 24 * hour)
	if domain, _, _ := strings.Cut(s.SignerName, "/"); domain == "kubernetes.io" || strings.HasSuffix(domain, ".kubernetes.io") {
		longest = 24 * hour
	}
	if n := value(s.MaxExpirationSeconds); n < hour || n > longest {
		return errorList{field.Invalid(path, n, fmt.Sprintf("must be in the range [%d, %d]", hour, longest))}
	}
	return nil
}

func validateStubRequest(der []byte, path *field.Path) errorList {
	const longest = 10 * 1024
	if len(der) > longest {
		return errorList{field.TooLong(path, der, longest)}
	}
	request, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return errorList{field.Invalid(path, field.OmitValueType{}, "must be a valid PKCS#10 CSR")}
	}
	if bad := badKey(request.PublicKey, path); bad != nil {
		return errorList{bad}
	}
	if err := request.CheckSignature(); err != nil {
		return errorList{field.Invalid(path, field.OmitValueType{}, "invalid signature")}
	}
	return nil
}

// badKey refuses keys that are too weak or too odd.
func badKey(key crypto.PublicKey, path *field.Path) *field.Error {
	switch k := key.(type) {
	case ed25519.PublicKey:
		return nil
	case *ecdsa.PublicKey:
		if !slices.Contains([]elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()}, k.Curve) {
			return field.Invalid(path, "curve "+k.Curve.Params().Name, "elliptic public keys must use curve P256, P384, or P521")
		}
		return nil
	case *rsa.PublicKey:
		if bits := k.Size() * 8; bits != 3072 && bits != 4096 {
			return field.Invalid(path, fmt.Sprintf("%d-bit modulus", bits), "RSA keys must have modulus size 3072 or 4096")
		}
		return nil
	}
	return field.Invalid(path, field.OmitValueType{}, "unknown public key type; supported types are Ed25519, ECDSA, and RSA")
}

func validatePodCertificateRequestChange(r, old *podCertificateRequest, root *field.Path) errorList {
	return unchanged(child(root, "spec"), r.Spec, old.Spec)
}

// validatePodCertificateStatus lets a request reach one of its ends once. What the certificate itself says is the
// signer's affair.
func validatePodCertificateStatus(r, old *podCertificateRequest, root *field.Path) errorList {
	path := child(root, "status")
	ends := []string{
		certificatesv1.PodCertificateRequestConditionTypeIssued, certificatesv1.PodCertificateRequestConditionTypeDenied,
		certificatesv1.PodCertificateRequestConditionTypeFailed,
	}
	var errs errorList
	known := 0
	for i, c := range r.Status.Conditions {
		at := child(path, "conditions", fmt.Sprintf("[%d]", i))
		if !slices.Contains(ends, c.Type) {
			errs = append(errs, field.NotSupported(child(at, "type"), c.Type, ends))
			continue
		}
		if known++; known > 1 {
			errs = append(errs, field.Invalid(child(at, "type"), c.Type, `There may be at most one condition with type "Issued", "Denied", or "Failed"`))
		}
		if c.Status != metav1.ConditionTrue {
			errs = append(errs, field.NotSupported(child(at, "status"), c.Status, []metav1.ConditionStatus{metav1.ConditionTrue}))
		}
	}
	errs = append(errs, metav1validation.ValidateConditions(r.Status.Conditions, child(path, "conditions"))...)
	if len(errs) > 0 || equality.Semantic.DeepEqual(r.Status, old.Status) {
		return errs
	}
	refuse := func(text string) errorList { return errorList{field.Invalid(path, field.OmitValueType{}, text)} }
	now, before := endOf(r), endOf(old)
	switch {
	case before != "":
		return refuse("immutable after PodCertificateRequest is issued, denied, or failed")
	case now == "":
		return refuse(`status is immutable unless transitioning to "Issued", "Denied", or "Failed"`)
	case now == certificatesv1.PodCertificateRequestConditionTypeIssued:
		return validateIssued(r, path)
	case !equality.Semantic.DeepEqual(r.Status, certificatesv1.PodCertificateRequestStatus{Conditions: r.Status.Conditions}):
		return refuse("non-condition status fields must be empty when denying or failing the PodCertificateRequest")
	}
	return nil
}

// endOf is the condition that ended a request, or nothing.
func endOf(r *podCertificateRequest) string {
	for _, c := range r.Status.Conditions {
		if c.Status == metav1.ConditionTrue {
			return c.Type
		}
	}
	return ""
}
