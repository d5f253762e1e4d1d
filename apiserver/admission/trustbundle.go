package admission

import (
	"context"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/api/equality"
)

// ClusterTrustBundleAttest: whoever publishes what is to be trusted in a signer's name needs the verb `attest` on that
// signer, because every pod that projects the signer's bundles believes it. Bundles that name no signer are believed by
// those alone who name the bundle, and need no such permission.
// Source: https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#clustertrustbundleattest
type ClusterTrustBundleAttest struct{ Authz Authorizer }

// Name returns ClusterTrustBundleAttest.
func (ClusterTrustBundleAttest) Name() string { return "ClusterTrustBundleAttest" }

// Validate looks at the new object: its signer cannot be another than it was.
func (p ClusterTrustBundleAttest) Validate(ctx context.Context, a *Attributes) error {
	if !a.Is(certificatesv1.Resource("clustertrustbundles")) || a.Operation != Create && a.Operation != Update {
		return nil
	}
	bundle, err := as[*certificatesv1.ClusterTrustBundle](a, a.Object)
	if err != nil {
		return err
	}
	if bundle.Spec.SignerName == "" {
		return nil
	}
	if old, ok := a.Old.(*certificatesv1.ClusterTrustBundle); ok && a.Operation == Update && ownersAlone(bundle, old) {
		return nil // the garbage collector does this, which vouches for nobody
	}
	if !maySign(ctx, p.Authz, a.User, "attest", bundle.Spec.SignerName) {
		return forbid(a, "user not permitted to attest for signerName %q", bundle.Spec.SignerName)
	}
	return nil
}

// ownersAlone tells whether nothing is changed but owners and finalizers.
func ownersAlone(bundle, old *certificatesv1.ClusterTrustBundle) bool {
	same := bundle.DeepCopy()
	same.TypeMeta = old.TypeMeta
	same.OwnerReferences, same.Finalizers, same.ManagedFields = old.OwnerReferences, old.Finalizers, old.ManagedFields
	return equality.Semantic.DeepEqual(same, old)
}
