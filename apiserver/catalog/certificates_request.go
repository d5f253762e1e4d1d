package catalog

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/diff"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/authentication/user"
)

// A signing request goes through three hands, and each may write one part of it: whoever asks makes it, the
// approver adds conditions (approval), the signer adds the certificate (status).
// Source of the sentences: k8s.io/kubernetes/pkg/apis/certificates/validation.

// mayChange is what one of the hands may write.
type mayChange struct{ approval, certificate bool }

// setRequester writes who asks. What the client said of that counts for nothing: approvers decide by it.
func setRequester(r *signingRequest, u user.Info) {
	r.Spec.Username, r.Spec.UID, r.Spec.Groups, r.Spec.Extra = u.GetName(), u.GetUID(), slices.Clone(u.GetGroups()), nil
	for key, values := range u.GetExtra() {
		if r.Spec.Extra == nil {
			r.Spec.Extra = map[string]certificatesv1.ExtraValue{}
		}
		r.Spec.Extra[key] = slices.Clone(values)
	}
}

// prepareApproval lets the approver change the conditions alone.
func prepareApproval(r, old *signingRequest) {
	conditions := r.Status.Conditions
	before := old.DeepCopy()
	r.Spec, r.Status = before.Spec, before.Status
	r.Status.Conditions = conditions
}

// prepareSigning keeps the approver's conditions, as long as they are as many as before: a change of their number
// is left for validation to refuse.
func prepareSigning(r, old *signingRequest) {
	before := old.DeepCopy()
	r.Spec = before.Spec
	for _, t := range []certificatesv1.RequestConditionType{certificatesv1.CertificateApproved, certificatesv1.CertificateDenied} {
		was := conditionsOf(before, t)
		if len(conditionsOf(r, t)) != len(was) {
			continue
		}
		for i := range r.Status.Conditions {
			if r.Status.Conditions[i].Type == t {
				r.Status.Conditions[i], was = was[0], was[1:]
			}
		}
	}
}

func conditionsOf(r *signingRequest, t certificatesv1.RequestConditionType) []certificatesv1.CertificateSigningRequestCondition {
	var of []certificatesv1.CertificateSigningRequestCondition
	for _, c := range r.Status.Conditions {
		if c.Type == t {
			of = append(of, c)
		}
	}
	return of
}

// stampConditions fills in the times that the client left out.
func stampConditions(obj, before runtime.Object, at time.Time) {
	r, old, now := obj.(*signingRequest), before.(*signingRequest), metav1.NewTime(at)
	for i := range r.Status.Conditions {
		c := &r.Status.Conditions[i]
		if c.LastUpdateTime.IsZero() {
			c.LastUpdateTime = now
		}
		if !c.LastTransitionTime.IsZero() {
			continue
		}
		c.LastTransitionTime = now
		for _, was := range old.Status.Conditions {
			if was.Type == c.Type && was.Status == c.Status && !was.LastTransitionTime.IsZero() {
				c.LastTransitionTime = was.LastTransitionTime
				break
			}
		}
	}
}

func validateApproval(r, old *signingRequest, root *field.Path) errorList {
	return validateRequestChange(r, old, mayChange{approval: true}, root)
}

func validateSigning(r, old *signingRequest, root *field.Path) errorList {
	return validateRequestChange(r, old, mayChange{certificate: true}, root)
}

// validateSigningRequest checks a request; old is nil at creation. What was already wrong may stay wrong.
func validateSigningRequest(r, old *signingRequest, root *field.Path) errorList {
	path := child(root, "spec")
	var errs errorList
	if err := checkRequest(r.Spec.Request); err != nil {
		errs = append(errs, field.Invalid(child(path, "request"), r.Spec.Request, err.Error()))
	}
	errs = append(errs, validateUsages(r.Spec.Usages, child(path, "usages"))...)
	if r.Spec.SignerName == "kubernetes.io/legacy-unknown" {
		errs = append(errs, field.Invalid(child(path, "signerName"), r.Spec.SignerName, "the legacy signerName is not allowed via this API version"))
	} else {
		errs = append(errs, validateSignerName(r.Spec.SignerName, child(path, "signerName"))...)
	}
	if s := r.Spec.ExpirationSeconds; s != nil && *s < 600 {
		errs = append(errs, field.Invalid(child(path, "expirationSeconds"), *s, "may not specify a duration less than 600 seconds (10 minutes)"))
	}
	errs = append(errs, validateRequestConditions(r, child(root, "status", "conditions"))...)
	if old != nil && bytes.Equal(r.Status.Certificate, old.Status.Certificate) {
		return errs
	}
	if err := checkCertificate(r.Status.Certificate); err != nil {
		errs = append(errs, field.Invalid(child(root, "status", "certificate"), "<certificate data>", err.Error()))
	}
	return errs
}

// checkRequest checks that whoever asks holds the private key: the request is signed with it.
func checkRequest(pemData []byte) error {
	block, _ := pem.Decode(pemData)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return errors.New("PEM block type must be CERTIFICATE REQUEST")
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return err
	}
	if key, ok := request.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > longestKey {
		return fmt.Errorf("an RSA key of %d bits is too long: at most %d are checked", key.N.BitLen(), longestKey)
	}
	return request.CheckSignature()
}

// longestKey is how many bits an RSA key may have whose signature is checked, which takes a second for 128 Kbit, and four times as long for
// twice as many: hours for what fits a body. TLS takes 8192.
const longestKey = 16384

func checkCertificate(pemData []byte) error {
	if len(pemData) == 0 {
		return nil
	}
	for blocks := 0; ; blocks++ {
		block, rest := pem.Decode(pemData)
		if block == nil {
			if blocks == 0 {
				return errors.New("must contain at least one CERTIFICATE PEM block")
			}
			return nil
		}
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("only CERTIFICATE PEM blocks are allowed, found %q", block.Type)
		}
		if len(block.Headers) != 0 {
			return errors.New("no PEM block headers are permitted")
		}
		certificates, err := x509.ParseCertificates(block.Bytes)
		if err != nil {
			return err
		}
		if len(certificates) == 0 {
			return errors.New("found CERTIFICATE PEM block containing 0 certificates")
		}
		pemData = rest
	}
}

func validateUsages(usages []certificatesv1.KeyUsage, path *field.Path) errorList {
	var errs errorList
	if len(usages) == 0 {
		errs = append(errs, field.Required(path, ""))
	}
	for i, u := range usages {
		if !slices.Contains(knownUsages(), u) {
			errs = append(errs, field.NotSupported(nth(path, i), u, knownUsages()))
		}
	}
	seen := before[certificatesv1.KeyUsage]{}
	for i, u := range usages {
		if seen.has(u) {
			errs = append(errs, field.Duplicate(nth(path, i), u))
		}
	}
	return errs
}

func knownUsages() []certificatesv1.KeyUsage {
	usages := []certificatesv1.KeyUsage{
		certificatesv1.UsageSigning, certificatesv1.UsageDigitalSignature, certificatesv1.UsageContentCommitment,
		certificatesv1.UsageKeyEncipherment, certificatesv1.UsageKeyAgreement, certificatesv1.UsageDataEncipherment,
		certificatesv1.UsageCertSign, certificatesv1.UsageCRLSign, certificatesv1.UsageEncipherOnly,
		certificatesv1.UsageDecipherOnly, certificatesv1.UsageAny, certificatesv1.UsageServerAuth,
		certificatesv1.UsageClientAuth, certificatesv1.UsageCodeSigning, certificatesv1.UsageEmailProtection,
		certificatesv1.UsageSMIME, certificatesv1.UsageIPsecEndSystem, certificatesv1.UsageIPsecTunnel,
		certificatesv1.UsageIPsecUser, certificatesv1.UsageTimestamping, certificatesv1.UsageOCSPSigning,
		certificatesv1.UsageMicrosoftSGC, certificatesv1.UsageNetscapeSGC,
	}
	slices.Sort(usages)
	return usages
}

func validateRequestConditions(r *signingRequest, path *field.Path) errorList {
	final := []certificatesv1.RequestConditionType{certificatesv1.CertificateApproved, certificatesv1.CertificateDenied, certificatesv1.CertificateFailed}
	var errs errorList
	seen := map[certificatesv1.RequestConditionType]bool{}
	for i, c := range r.Status.Conditions {
		if c.Type == "" {
			errs = append(errs, field.Required(child(nth(path, i), "type"), ""))
		}
		known := []corev1.ConditionStatus{corev1.ConditionFalse, corev1.ConditionTrue, corev1.ConditionUnknown}
		if slices.Contains(final, c.Type) {
			known = known[1:2]
		}
		switch at := child(nth(path, i), "status"); {
		case c.Status == "":
			errs = append(errs, field.Required(at, ""))
		case !slices.Contains(known, c.Status):
			errs = append(errs, field.NotSupported(at, c.Status, known))
		}
		if seen[c.Type] {
			errs = append(errs, field.Duplicate(child(nth(path, i), "type"), c.Type))
		}
		seen[c.Type] = true
	}
	if seen[certificatesv1.CertificateApproved] && seen[certificatesv1.CertificateDenied] {
		const yes, no = `conditions[{"type": "Approved"}]`, `conditions[{"type": "Denied"}]`
		errs = append(errs, declared(field.Invalid(path, "{"+yes+", "+no+"}", "must specify at most one of: `"+yes+"`, `"+no+"`"))...)
	}
	return errs
}

// validateRequestChange checks that each hand changes its part only.
func validateRequestChange(r, old *signingRequest, may mayChange, root *field.Path) errorList {
	errs := validateSigningRequest(r, old, root)
	atConditions, atCertificate := child(root, "status", "conditions"), child(root, "status", "certificate")
	for _, t := range []certificatesv1.RequestConditionType{certificatesv1.CertificateApproved, certificatesv1.CertificateDenied, certificatesv1.CertificateFailed} {
		if len(conditionsOf(r, t)) < len(conditionsOf(old, t)) {
			errs = append(errs, field.Forbidden(atConditions, fmt.Sprintf("updates may not remove a condition of type %q", t)))
		}
	}
	for _, t := range []certificatesv1.RequestConditionType{certificatesv1.CertificateApproved, certificatesv1.CertificateDenied} {
		now, was := conditionsOf(r, t), conditionsOf(old, t)
		switch {
		case may.approval, len(now) < len(was):
		case len(now) > len(was):
			errs = append(errs, field.Forbidden(atConditions, fmt.Sprintf("updates may not add a condition of type %q", t)))
		case !equality.Semantic.DeepEqual(was, now):
			errs = append(errs, field.Forbidden(atConditions, fmt.Sprintf("updates may not modify a condition of type %q\n%v", t, diff.Diff(was, now))))
		}
	}
	if !bytes.Equal(r.Status.Certificate, old.Status.Certificate) {
		switch {
		case !may.certificate:
			errs = append(errs, field.Forbidden(atCertificate, "updates may not set certificate content"))
		case len(old.Status.Certificate) > 0:
			errs = append(errs, field.Forbidden(atCertificate, "updates may not modify existing certificate content"))
		}
	}
	return errs
}
