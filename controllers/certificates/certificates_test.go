package certificates_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"coracle/authn/pki"
	"coracle/controllers/certificates"
	"coracle/controllers/looptest"
)

type csr = certificatesv1.CertificateSigningRequest

func node() x509.CertificateRequest {
	return x509.CertificateRequest{Subject: pkix.Name{CommonName: "system:node:one", Organization: []string{"system:nodes"}}}
}

func request(t *testing.T, signer string, template x509.CertificateRequest, usages ...certificatesv1.KeyUsage) *csr {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &template, key)
	if err != nil {
		t.Fatal(err)
	}
	return &csr{
		ObjectMeta: metav1.ObjectMeta{Name: "mine"},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), SignerName: signer, Usages: usages, Username: "system:node:one",
		},
	}
}

func condition(r *csr, kind certificatesv1.RequestConditionType, at time.Time) *csr {
	r.Status.Conditions = append(r.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: kind, Status: corev1.ConditionTrue, LastUpdateTime: metav1.NewTime(at),
	})
	return r
}

func get(t *testing.T, w *looptest.World) *csr {
	t.Helper()
	r, err := w.Client.CertificatesV1().CertificateSigningRequests().Get(t.Context(), "mine", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

type keyless struct{ certificates.Authority }

func (keyless) CanSign() bool { return false }

// sign shows a signer an approved request and returns what became of it.
func sign(t *testing.T, r *csr, change func(*certificates.Config)) (got *csr) {
	t.Helper()
	keys, err := pki.Open(t.TempDir(), pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	looptest.Run(t, []runtime.Object{r}, func(t *testing.T, w *looptest.World) {
		config := certificates.Config{Authority: func() certificates.Authority { return keys.Authority() }, Now: func() time.Time { return clock() }}
		if change != nil {
			change(&config)
		}
		w.Start(certificates.NewSigner(w.Client, w.Factory, config, w.Log))
		got = get(t, w)
	})
	return got
}

// clock is in the life of an authority that was made just now.
func clock() time.Time { return time.Now().AddDate(30, 0, 0) }

func TestEachSignerHasItsRules(t *testing.T) {
	const (
		client, kubelet, serving = certificatesv1.KubeAPIServerClientSignerName, certificatesv1.KubeAPIServerClientKubeletSignerName, certificatesv1.KubeletServingSignerName
		sig, enc, cli, srv       = certificatesv1.UsageDigitalSignature, certificatesv1.UsageKeyEncipherment, certificatesv1.UsageClientAuth, certificatesv1.UsageServerAuth
	)
	but := func(change func(*x509.CertificateRequest)) x509.CertificateRequest {
		r := node()
		change(&r)
		return r
	}
	named := but(func(r *x509.CertificateRequest) { r.DNSNames = []string{"one"} })
	tests := []struct {
		name, signer string
		template     x509.CertificateRequest
		usages       []certificatesv1.KeyUsage
		want         string // of the condition Failed; empty: signed
	}{
		{"a client", client, node(), []certificatesv1.KeyUsage{cli, sig, enc}, ""},
		{"a client that wants to serve", client, node(), []certificatesv1.KeyUsage{cli, srv}, "invalid usage for client certificate: server auth"},
		{"a client that wants to sign", client, node(), []certificatesv1.KeyUsage{cli, certificatesv1.UsageCertSign}, "invalid usage for client certificate: cert sign"},
		{"a client that is none", client, node(), []certificatesv1.KeyUsage{sig}, "missing required usage for client certificate: client auth"},
		{"a kubelet's client", kubelet, node(), []certificatesv1.KeyUsage{cli, sig}, ""},
		{"a kubelet's client of another group", kubelet, but(func(r *x509.CertificateRequest) { r.Subject.Organization = []string{"system:masters"} }), []certificatesv1.KeyUsage{cli, sig}, "subject organization is not system:nodes"},
		{"a kubelet's client of one group more", kubelet, but(func(r *x509.CertificateRequest) {
			r.Subject.Organization = []string{"system:nodes", "system:masters"}
		}), []certificatesv1.KeyUsage{cli, sig}, "subject organization is not system:nodes"},
		{"a kubelet's client that is no node", kubelet, but(func(r *x509.CertificateRequest) { r.Subject.CommonName = "admin" }), []certificatesv1.KeyUsage{cli, sig}, "subject common name does not begin with system:node:"},
		{"a kubelet's client with a host name", kubelet, named, []certificatesv1.KeyUsage{cli, sig}, "DNS subjectAltNames are not allowed"},
		{"a kubelet's client with an address", kubelet, but(func(r *x509.CertificateRequest) { r.IPAddresses = []net.IP{net.IPv4(10, 0, 0, 1)} }), []certificatesv1.KeyUsage{cli, sig}, "IP subjectAltNames are not allowed"},
		{"a kubelet's client with mail", kubelet, but(func(r *x509.CertificateRequest) { r.EmailAddresses = []string{"a@b.c"} }), []certificatesv1.KeyUsage{cli, sig}, "Email subjectAltNames are not allowed"},
		{"a kubelet's client with a URI", kubelet, but(func(r *x509.CertificateRequest) { r.URIs = []*url.URL{{Scheme: "spiffe", Host: "a"}} }), []certificatesv1.KeyUsage{cli, sig}, "URI subjectAltNames are not allowed"},
		{"a kubelet's client that wants to serve", kubelet, node(), []certificatesv1.KeyUsage{srv, sig}, "usages did not match [client auth digital signature key encipherment]"},
		{"a kubelet's server", serving, named, []certificatesv1.KeyUsage{srv, sig, enc}, ""},
		{"a kubelet's server without a name", serving, node(), []certificatesv1.KeyUsage{srv, sig}, "DNS or IP subjectAltName is required"},
		{"a kubelet's server that wants to be a client", serving, named, []certificatesv1.KeyUsage{srv, cli, sig}, "usages did not match [digital signature key encipherment server auth]"},
		{"the signer without rules", "kubernetes.io/legacy-unknown", node(), []certificatesv1.KeyUsage{srv, certificatesv1.UsageCodeSigning}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := sign(t, condition(request(t, tt.signer, tt.template, tt.usages...), certificatesv1.CertificateApproved, clock()), nil)
			if tt.want == "" {
				if len(r.Status.Certificate) == 0 {
					t.Errorf("not signed: %+v", r.Status.Conditions)
				}
				return
			}
			failed := r.Status.Conditions[len(r.Status.Conditions)-1]
			got := []string{string(failed.Type), string(failed.Status), failed.Reason, failed.Message}
			if diff := cmp.Diff([]string{"Failed", "True", "SignerValidationFailure", tt.want}, got); diff != "" || len(r.Status.Certificate) > 0 {
				t.Errorf("condition (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsSigned(t *testing.T) {
	asked := func(t *testing.T, seconds *int32) *csr {
		r := request(t, certificatesv1.KubeAPIServerClientSignerName, node(), certificatesv1.UsageClientAuth)
		r.Spec.ExpirationSeconds = seconds
		return r
	}
	lifetimes := []struct {
		name    string
		seconds *int32
		longest time.Duration
		want    time.Duration // from now
	}{
		{"who does not say gets a year, less the backdating", nil, 0, 365*24*time.Hour - 5*time.Minute},
		{"a short one is not shortened", new(int32(600)), 0, 10 * time.Minute},
		{"one below ten minutes is lengthened", new(int32(1)), 0, 10 * time.Minute},
		{"nobody gets more than the longest", new(int32(7200)), time.Hour, time.Hour},
		{"a negative wish is a short one", new(int32(-1)), 0, 10 * time.Minute},
	}
	for _, tt := range lifetimes {
		t.Run(tt.name, func(t *testing.T) {
			now := time.Now().Truncate(time.Second)
			r := sign(t, condition(asked(t, tt.seconds), certificatesv1.CertificateApproved, now), func(c *certificates.Config) {
				c.Duration, c.Now = tt.longest, func() time.Time { return now }
			})
			leaf, err := pki.ParseCertificates(r.Status.Certificate)
			if err != nil {
				t.Fatal(err)
			}
			if from, to := leaf[0].NotBefore.Sub(now), leaf[0].NotAfter.Sub(now); from != -5*time.Minute || to != tt.want || leaf[0].IsCA {
				t.Errorf("in force from %s to %s of now, CA %v; want -5m to %s, no CA", from, to, leaf[0].IsCA, tt.want)
			}
		})
	}
	unsigned := map[string]func(t *testing.T) (*csr, func(*certificates.Config)){
		"a request that nobody approved": func(t *testing.T) (*csr, func(*certificates.Config)) { return asked(t, nil), nil },
		"a request that was denied": func(t *testing.T) (*csr, func(*certificates.Config)) {
			return condition(asked(t, nil), certificatesv1.CertificateDenied, time.Now()), nil
		},
		"somebody else's signer": func(t *testing.T) (*csr, func(*certificates.Config)) {
			return condition(request(t, "example.com/mine", node(), certificatesv1.UsageClientAuth), certificatesv1.CertificateApproved, time.Now()), nil
		},
		"an authority whose key is elsewhere": func(t *testing.T) (*csr, func(*certificates.Config)) {
			return condition(asked(t, nil), certificatesv1.CertificateApproved, time.Now()), func(c *certificates.Config) {
				real := c.Authority
				c.Authority = func() certificates.Authority { return keyless{real()} }
			}
		},
	}
	for name, make := range unsigned {
		t.Run(name+" is not signed", func(t *testing.T) {
			r, change := make(t)
			before := len(r.Status.Conditions)
			if r = sign(t, r, change); len(r.Status.Certificate) > 0 || len(r.Status.Conditions) != before {
				t.Errorf("status is %+v", r.Status)
			}
		})
	}
}

func TestApprover(t *testing.T) {
	tests := []struct {
		name, user, may string
		template        x509.CertificateRequest
		want            string
	}{
		{"a node renews its own", "system:node:one", "selfnodeclient", node(), "Auto approving self kubelet client certificate after SubjectAccessReview."},
		{"a bootstrap token asks for a node", "system:bootstrap:abcdef", "nodeclient", node(), "Auto approving kubelet client certificate after SubjectAccessReview."},
		{"a node asks for another node's name", "system:node:two", "selfnodeclient", node(), ""},
		{"who may do nothing waits", "alice", "", node(), ""},
		{"what is no node's waits, whoever asks", "system:node:one", "nodeclient", x509.CertificateRequest{Subject: pkix.Name{CommonName: "system:node:one", Organization: []string{"system:masters"}}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := request(t, certificatesv1.KubeAPIServerClientKubeletSignerName, tt.template, certificatesv1.UsageClientAuth, certificatesv1.UsageDigitalSignature)
			r.Spec.Username = tt.user
			looptest.Run(t, []runtime.Object{r}, func(t *testing.T, w *looptest.World) {
				w.Client.PrependReactor("create", "subjectaccessreviews", func(a clienttesting.Action) (bool, runtime.Object, error) {
					review := a.(clienttesting.CreateAction).GetObject().(*authorizationv1.SubjectAccessReview).DeepCopy()
					review.Status.Allowed = review.Spec.User == tt.user && review.Spec.ResourceAttributes.Subresource == tt.may
					return true, review, nil
				})
				w.Start(certificates.NewApprover(w.Client, w.Factory, w.Log))
				got := ""
				for _, c := range get(t, w).Status.Conditions {
					got += c.Message
				}
				if got != tt.want {
					t.Errorf("approved with %q, want %q", got, tt.want)
				}
			})
		})
	}
}

func TestCleaner(t *testing.T) {
	tests := []struct {
		name   string
		kind   certificatesv1.RequestConditionType
		signed bool
		stays  time.Duration
	}{
		{"pending for a day", "", false, 24 * time.Hour},
		{"denied for an hour", certificatesv1.CertificateDenied, false, time.Hour},
		{"failed for an hour", certificatesv1.CertificateFailed, false, time.Hour},
		{"approved and not signed for a day", certificatesv1.CertificateApproved, false, 24 * time.Hour},
		{"signed for an hour", certificatesv1.CertificateApproved, true, time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			looptest.Run(t, nil, func(t *testing.T, w *looptest.World) {
				now := time.Now()
				r := request(t, certificatesv1.KubeAPIServerClientSignerName, node(), certificatesv1.UsageClientAuth)
				r.CreationTimestamp = metav1.NewTime(now)
				if tt.kind != "" {
					condition(r, tt.kind, now)
				}
				if tt.signed {
					r.Status.Certificate = []byte("a certificate")
				}
				w.Add(r)
				w.Start(certificates.NewCleaner(w.Client, w.Factory, time.Now, w.Log))
				w.Advance(tt.stays - time.Second)
				get(t, w)
				w.Advance(2 * time.Second)
				if _, err := w.Client.CertificatesV1().CertificateSigningRequests().Get(t.Context(), "mine", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
					t.Errorf("it is still there: %v", err)
				}
			})
		})
	}
}
