package admission

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"testing"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apiserver/pkg/authentication/user"
)

func TestSigningRequests(t *testing.T) {
	const own, foreign = certificatesv1.KubeAPIServerClientSignerName, "example.com/boats"
	asking := func(signer string, request []byte) *certificatesv1.CertificateSigningRequest {
		return &certificatesv1.CertificateSigningRequest{Spec: certificatesv1.CertificateSigningRequestSpec{SignerName: signer, Request: request}}
	}
	signed := func(signer, certificate string) *certificatesv1.CertificateSigningRequest {
		csr := asking(signer, nil)
		csr.Status.Certificate = []byte(certificate)
		return csr
	}
	approval := func(signer string) Attributes {
		return Attributes{Operation: Update, Subresource: "approval", Old: asking(signer, nil), Object: asking("example.com/mine", nil)}
	}
	signing := func(before, after string) Attributes {
		return Attributes{Operation: Update, Subresource: "status", Old: signed(foreign, before), Object: signed(foreign, after)}
	}
	creation := func(signer string, request []byte) Attributes {
		return Attributes{Operation: Create, Object: asking(signer, request)}
	}
	masters := requestOf(t, pkix.Name{CommonName: "alice", Organization: []string{"dev", "system:masters"}})
	const refused = `certificatesigningrequests.certificates.k8s.io "r" is forbidden: `
	for name, c := range map[string]struct {
		may  roles
		a    Attributes
		want string
	}{
		"approving takes a permission":             {nil, approval(foreign), refused + `user not permitted to approve requests with signerName "example.com/boats"`},
		"the signer's own is one":                  {roles{"approve signers /example.com/boats"}, approval(foreign), ""},
		"and that for all of its domain":           {roles{"approve signers /example.com/*"}, approval(foreign), ""},
		"another signer's is not":                  {roles{"approve signers /example.com/mine"}, approval(foreign), refused + `user not permitted to approve requests with signerName "example.com/boats"`},
		"nor is that of signing":                   {roles{"sign signers /example.com/boats"}, approval(foreign), refused + `user not permitted to approve requests with signerName "example.com/boats"`},
		"signing takes a permission":               {nil, signing("", "certificate"), refused + `user not permitted to sign requests with signerName "example.com/boats"`},
		"which is not that of approving":           {roles{"approve signers /example.com/*"}, signing("", "certificate"), refused + `user not permitted to sign requests with signerName "example.com/boats"`},
		"whoever has it signs":                     {roles{"sign signers /example.com/boats"}, signing("", "certificate"), ""},
		"what changes nothing takes none":          {nil, signing("certificate", "certificate"), ""},
		"nobody asks to be above all rules":        {nil, creation(own, masters), refused + "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed"},
		"but of other signers":                     {nil, creation(foreign, masters), ""},
		"other groups may be asked for":            {nil, creation(own, requestOf(t, pkix.Name{CommonName: "alice", Organization: []string{"dev"}})), ""},
		"what cannot be read cannot be asked for":  {nil, creation(own, []byte("x")), refused + "failed to parse CSR: PEM block type must be CERTIFICATE REQUEST"},
		"other ways to write are others' business": {nil, Attributes{Operation: Delete, Old: asking(own, masters)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := c.a
			a.Kind, a.Name, a.User = kindOf("certificates.k8s.io", "certificatesigningrequests"), "r", &user.DefaultInfo{Name: "alice"}
			got := ""
			for _, p := range []Validator{CertificateApproval{c.may}, CertificateSigning{c.may}, CertificateSubjectRestriction{}} {
				if err := p.Validate(context.Background(), &a); err != nil {
					got = err.Error()
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func requestOf(t *testing.T, subject pkix.Name) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject}, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}
