package certificates

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"sync"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	listers "k8s.io/client-go/listers/certificates/v1"

	"coracle/controllers/loop"
)

const (
	// DefaultDuration is for how long a certificate is good when its request does not say.
	DefaultDuration = 365 * 24 * time.Hour

	// backdate is for clients whose clock is behind.
	backdate = 5 * time.Minute
	// short lifetimes are not shortened by backdate.
	short = 8 * time.Hour
	// shortest is what nobody gets less of by asking: twice backdate.
	shortest = 2 * backdate

	workers = 2
)

// Authority is the certificate authority that signs.
type Authority interface {
	// Certificate is the authority's own.
	Certificate() *x509.Certificate
	// CanSign reports whether the authority's key is here.
	CanSign() bool
	// Sign issues a certificate as the template has it.
	Sign(template *x509.Certificate, public crypto.PublicKey) (*x509.Certificate, error)
}

// Config is what a Signer goes by.
type Config struct {
	// Authority is asked at each signature: it may be replaced. Without a key nothing is signed.
	Authority func() Authority
	// Duration is the longest lifetime, and that of who does not say. Default: DefaultDuration.
	Duration time.Duration
	// Now is the clock. Default: time.Now.
	Now func() time.Time
}

// Signer signs approved requests.
type Signer struct {
	config   Config
	client   kubernetes.Interface
	requests listers.CertificateSigningRequestLister
	loop     *loop.Loop[string]
	log      *slog.Logger
	noKey    sync.Once // to say so
}

// NewSigner makes a signer. Call it before the factory starts.
func NewSigner(client kubernetes.Interface, factory informers.SharedInformerFactory, config Config, log *slog.Logger) *Signer {
	if config.Duration == 0 {
		config.Duration = DefaultDuration
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	requests := factory.Certificates().V1().CertificateSigningRequests()
	s := &Signer{config: config, client: client, requests: requests.Lister(), log: log}
	s.loop = loop.New("csrsigning", log, s.reconcile)
	loop.Watch(s.loop, requests.Informer(), func(_, r *certificatesv1.CertificateSigningRequest) {
		if r != nil && len(r.Status.Certificate) == 0 && has(r, certificatesv1.CertificateApproved) {
			s.loop.Add(r.Name)
		}
	})
	return s
}

// Run runs the signer until ctx ends.
func (s *Signer) Run(ctx context.Context) error { return s.loop.Run(ctx, workers) }

func (s *Signer) reconcile(ctx context.Context, name string) error {
	r, err := s.requests.Get(name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	check := ruleOf(r.Spec.SignerName)
	if check == nil || len(r.Status.Certificate) > 0 || has(r, certificatesv1.CertificateFailed) ||
		!has(r, certificatesv1.CertificateApproved) || has(r, certificatesv1.CertificateDenied) {
		return nil
	}
	authority := s.config.Authority()
	if !authority.CanSign() {
		s.noKey.Do(func() {
			s.log.Warn("certificates are not signed: the key of the cluster's authority is kept elsewhere", "request", name)
		})
		return nil
	}
	request, err := parse(r.Spec.Request)
	if err != nil {
		return fmt.Errorf("unable to parse csr %q: %w", name, err)
	}
	r = r.DeepCopy()
	if err := check(request, r.Spec.Usages); err != nil {
		r.Status.Conditions = append(r.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
			Type: certificatesv1.CertificateFailed, Status: corev1.ConditionTrue,
			Reason: "SignerValidationFailure", Message: err.Error(), LastUpdateTime: metav1.NewTime(s.config.Now()),
		})
	} else if r.Status.Certificate, err = s.sign(authority, request, &r.Spec); err != nil {
		return fmt.Errorf("error auto signing csr: %w", err)
	}
	_, err = s.client.CertificatesV1().CertificateSigningRequests().UpdateStatus(ctx, r, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// sign issues what the request asks for: its subject and names, the usages of the spec, and none of the extensions
// that it wants, so that nobody becomes an authority.
func (s *Signer) sign(authority Authority, request *x509.CertificateRequest, spec *certificatesv1.CertificateSigningRequestSpec) ([]byte, error) {
	if err := request.CheckSignature(); err != nil {
		return nil, fmt.Errorf("unable to verify certificate request signature: %w", err)
	}
	usage, extended, err := x509Usages(spec.Usages)
	if err != nil {
		return nil, err
	}
	now, lifetime, end := s.config.Now(), s.lifetime(spec.ExpirationSeconds), authority.Certificate().NotAfter
	if !now.Before(end) {
		return nil, fmt.Errorf("refusing to sign a certificate that expired in the past: NotAfter=%v", end)
	}
	if lifetime >= short {
		lifetime -= backdate
	}
	certificate, err := authority.Sign(&x509.Certificate{
		Subject:  request.Subject,
		DNSNames: request.DNSNames, IPAddresses: request.IPAddresses, EmailAddresses: request.EmailAddresses, URIs: request.URIs,
		KeyUsage: usage, ExtKeyUsage: extended, BasicConstraintsValid: true,
		NotBefore: now.Add(-backdate), NotAfter: now.Add(lifetime),
	}, request.PublicKey)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}), nil
}

// lifetime is what was asked for, within what there is. Without a wish it is the longest.
func (s *Signer) lifetime(seconds *int32) time.Duration {
	if seconds == nil {
		return s.config.Duration
	}
	return min(max(time.Duration(*seconds)*time.Second, shortest), s.config.Duration)
}

func has(r *certificatesv1.CertificateSigningRequest, t certificatesv1.RequestConditionType) bool {
	for _, c := range r.Status.Conditions {
		if c.Type == t {
			return true
		}
	}
	return false
}
