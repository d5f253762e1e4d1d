package admission

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"
)

func TestClusterTrustBundleAttest(t *testing.T) {
	bundle := func(signer string, change ...func(*certificatesv1.ClusterTrustBundle)) *certificatesv1.ClusterTrustBundle {
		b := made(change...)
		b.Spec.SignerName = signer
		return b
	}
	anchors := func(b *certificatesv1.ClusterTrustBundle) { b.Spec.TrustBundle = "the attacker's CA" }
	labelled := func(b *certificatesv1.ClusterTrustBundle) { b.Labels = map[string]string{"live": "yes"} }
	owned := func(b *certificatesv1.ClusterTrustBundle) {
		b.OwnerReferences = []metav1.OwnerReference{{Kind: "ConfigMap", Name: "a"}}
		b.Finalizers = []string{"example.com/hold"}
		b.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "gc"}}
	}
	const signer = "example.com/boats"
	const refused = `clustertrustbundles.certificates.k8s.io "b" is forbidden: user not permitted to attest for signerName "example.com/boats"`
	for name, c := range map[string]struct {
		may  roles
		a    Attributes
		want string
	}{
		"publishing takes a permission":       {nil, Attributes{Operation: Create, Object: bundle(signer)}, refused},
		"that of the signer is one":           {roles{"attest signers /example.com/boats"}, Attributes{Operation: Create, Object: bundle(signer)}, ""},
		"and that of all of its domain":       {roles{"attest signers /example.com/*"}, Attributes{Operation: Create, Object: bundle(signer)}, ""},
		"that of another signer is none":      {roles{"attest signers /example.com/ships"}, Attributes{Operation: Create, Object: bundle(signer)}, refused},
		"nor is that of signing":              {roles{"sign signers /example.com/boats"}, Attributes{Operation: Create, Object: bundle(signer)}, refused},
		"changing the anchors takes it":       {nil, Attributes{Operation: Update, Old: bundle(signer), Object: bundle(signer, anchors)}, refused},
		"and so do labels, which select":      {nil, Attributes{Operation: Update, Old: bundle(signer), Object: bundle(signer, labelled)}, refused},
		"owners and finalizers take none":     {nil, Attributes{Operation: Update, Old: bundle(signer), Object: bundle(signer, owned)}, ""},
		"but hide nothing":                    {nil, Attributes{Operation: Update, Old: bundle(signer), Object: bundle(signer, owned, anchors)}, refused},
		"without a signer anything goes":      {nil, Attributes{Operation: Create, Object: bundle("", anchors)}, ""},
		"deleting is RBAC's business":         {nil, Attributes{Operation: Delete, Old: bundle(signer)}, ""},
		"whoever may attest may also replace": {roles{"attest signers /example.com/boats"}, Attributes{Operation: Update, Old: bundle(signer), Object: bundle(signer, anchors)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := c.a
			a.Kind, a.Name, a.User = kindOf("certificates.k8s.io", "clustertrustbundles"), "b", &user.DefaultInfo{Name: "alice"}
			got := ""
			if err := (ClusterTrustBundleAttest{c.may}).Validate(context.Background(), &a); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
