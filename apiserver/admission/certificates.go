package admission

import (
	"bytes"
	"context"
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/apiserver/authz"
	"coracle/rbac"
)

// CertificateApproval: whoever approves or denies a signing request needs the verb `approve` on its signer, because
// to approve a certificate is as good as to have it.
// Source: https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#certificateapproval
type CertificateApproval struct{ Authz Authorizer }

// Name returns CertificateApproval.
func (CertificateApproval) Name() string { return "CertificateApproval" }

// Validate looks at the request as it was: its signer cannot be changed on the way.
func (p CertificateApproval) Validate(ctx context.Context, a *Attributes) error {
	if !concernsRequest(a, Update, "approval") {
		return nil
	}
	old, err := as[*certificatesv1.CertificateSigningRequest](a, a.Old)
	if err != nil {
		return err
	}
	if !maySign(ctx, p.Authz, a.User, "approve", old.Spec.SignerName) {
		return forbid(a, "user not permitted to approve requests with signerName %q", old.Spec.SignerName)
	}
	return nil
}

// CertificateSigning: whoever writes a certificate into a signing request needs the verb `sign` on its signer.
// Source: https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#certificatesigning
type CertificateSigning struct{ Authz Authorizer }

// Name returns CertificateSigning.
func (CertificateSigning) Name() string { return "CertificateSigning" }

// Validate lets pass what changes neither the certificate nor a condition.
func (p CertificateSigning) Validate(ctx context.Context, a *Attributes) error {
	if !concernsRequest(a, Update, "status") {
		return nil
	}
	old, err := as[*certificatesv1.CertificateSigningRequest](a, a.Old)
	if err != nil {
		return err
	}
	csr, err := as[*certificatesv1.CertificateSigningRequest](a, a.Object)
	if err != nil {
		return err
	}
	if bytes.Equal(old.Status.Certificate, csr.Status.Certificate) && equality.Semantic.DeepEqual(old.Status.Conditions, csr.Status.Conditions) {
		return nil
	}
	if !maySign(ctx, p.Authz, a.User, "sign", old.Spec.SignerName) {
		return forbid(a, "user not permitted to sign requests with signerName %q", old.Spec.SignerName)
	}
	return nil
}

// CertificateSubjectRestriction: nobody becomes system:masters, the group above all rules, by a certificate from
// this cluster's own signer.
// Source: https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#certificatesubjectrestriction
type CertificateSubjectRestriction struct{}

// Name returns CertificateSubjectRestriction.
func (CertificateSubjectRestriction) Name() string { return "CertificateSubjectRestriction" }

// Validate looks at new requests.
func (CertificateSubjectRestriction) Validate(_ context.Context, a *Attributes) error {
	if !concernsRequest(a, Create, "") {
		return nil
	}
	csr, err := as[*certificatesv1.CertificateSigningRequest](a, a.Object)
	if err != nil {
		return err
	}
	if csr.Spec.SignerName != certificatesv1.KubeAPIServerClientSignerName {
		return nil
	}
	request, err := parseRequest(csr.Spec.Request)
	if err != nil {
		return forbid(a, "failed to parse CSR: %w", err)
	}
	if slices.Contains(request.Subject.Organization, user.SystemPrivilegedGroup) {
		return forbid(a, "use of %s signer with system:masters group is not allowed", certificatesv1.KubeAPIServerClientSignerName)
	}
	return nil
}

func concernsRequest(a *Attributes, op Operation, subresource string) bool {
	csrs := schema.GroupResource{Group: certificatesv1.GroupName, Resource: "certificatesigningrequests"}
	return a.Kind.GroupResource() == csrs && a.Operation == op && a.Subresource == subresource
}

// maySign asks for the verb on the signer, or else on all signers of its domain (`example.com/*`). The record tells of
// the one signer: that permission is the smaller.
func maySign(ctx context.Context, asked Authorizer, u user.Info, verb, signer string) bool {
	on := func(name string) *rbac.Attributes {
		return &rbac.Attributes{
			User: u, Verb: verb, ResourceRequest: true,
			APIGroup: certificatesv1.GroupName, APIVersion: "*", Resource: "signers", Name: name, Unserved: true,
		}
	}
	domain, _, _ := strings.Cut(signer, "/")
	return asked.Ask(ctx, on(domain+"/*")).Allowed() || authz.Further(ctx, asked, on(signer)).Allowed()
}
