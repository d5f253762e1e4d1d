package admission

import (
	"context"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// PodCertificateSigning: whoever answers a pod's request for a certificate, by issuing it or not, needs the verb `sign`
// on its signer; and what is issued is valid from now on, by the server's clock. Upstream checks this in the storage of
// these requests, last of all, and words it as an invalid field.
// Source: k8s.io/kubernetes/pkg/registry/certificates/podcertificaterequest/strategy.go.
type PodCertificateSigning struct {
	Authz Authorizer
	Now   func() time.Time
}

// Name returns PodCertificateSigning.
func (PodCertificateSigning) Name() string { return "PodCertificateSigning" }

// Validate lets pass what changes nothing.
func (p PodCertificateSigning) Validate(ctx context.Context, a *Attributes) error {
	if a.Kind.GroupResource() != certificatesv1.Resource("podcertificaterequests") || a.Operation != Update || a.Subresource != "status" {
		return nil
	}
	old, err := as[*certificatesv1.PodCertificateRequest](a, a.Old)
	if err != nil {
		return err
	}
	request, err := as[*certificatesv1.PodCertificateRequest](a, a.Object)
	if err != nil {
		return err
	}
	if equality.Semantic.DeepEqual(old.Status, request.Status) {
		return nil
	}
	invalid := func(e *field.Error) error {
		return apierrors.NewInvalid(a.Kind.Checked(), request.Name, field.ErrorList{e})
	}
	const skew = 5 * time.Minute
	if begin := request.Status.NotBefore; begin != nil && begin.Sub(p.Now()).Abs() >= skew {
		return invalid(field.Invalid(field.NewPath("status", "notBefore"), begin.Time, "must be set to within 5 minutes of kube-apiserver's current time"))
	}
	if signer := old.Spec.SignerName; !maySign(ctx, p.Authz, a.User, "sign", signer) {
		return invalid(field.Forbidden(field.NewPath("spec", "signerName"), fmt.Sprintf("User %q is not permitted to \"sign\" for signer %q", a.User.GetName(), signer)))
	}
	return nil
}
