package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ErrNoKey is returned when something must be signed by an authority whose key is kept elsewhere (kubeadm's
// "external CA" mode). What needs no signing still works.
var ErrNoKey = errors.New("the authority's key is not here")

// Authority is a CA: its certificate, and its key where we have it.
type Authority struct {
	name string // ca, front-proxy-ca
	cert *x509.Certificate
	key  crypto.Signer // nil: kept elsewhere
	now  func() time.Time
	// trusted are its certificate and, while one takes over from another, further ones.
	trusted []*x509.Certificate
}

func newAuthority(name string, pair *Pair, now func() time.Time) *Authority {
	return &Authority{name: name, cert: pair.Cert, key: pair.Key, now: now, trusted: append([]*x509.Certificate{pair.Cert}, pair.rest...)}
}

// Certificate is the authority's own certificate.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// Trusted are the authority's own certificate and, while it is replaced, that of the one before or after it. It
// is the same slice as long as no file changes.
func (a *Authority) Trusted() []*x509.Certificate { return a.trusted }

// PEM is what is trusted, as the authority's file holds it.
func (a *Authority) PEM() []byte { return encodeCertificates(a.Trusted()) }

// CanSign reports whether the authority's key is here.
func (a *Authority) CanSign() bool { return a.key != nil }

// Pool returns a new pool of what is trusted.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	for _, c := range a.Trusted() {
		pool.AddCert(c)
	}
	return pool
}

// Signed tells whether one of the trusted signed the certificate.
func (a *Authority) Signed(c *x509.Certificate) bool {
	return slices.ContainsFunc(a.Trusted(), func(by *x509.Certificate) bool { return c.CheckSignatureFrom(by) == nil })
}

// Sign issues a certificate for a public key as the template has it: subject, names, usages, NotBefore and NotAfter.
// The certificate never outlives the authority's own. ErrNoKey is returned when the key is kept elsewhere.
func (a *Authority) Sign(template *x509.Certificate, public crypto.PublicKey) (*x509.Certificate, error) {
	if a.key == nil {
		return nil, fmt.Errorf("sign a certificate for %q with %s: %w", template.Subject.CommonName, a.name, ErrNoKey)
	}
	t := *template
	t.SerialNumber = nil // random
	if t.NotAfter.After(a.cert.NotAfter) {
		t.NotAfter = a.cert.NotAfter
	}
	der, err := x509.CreateCertificate(rand.Reader, &t, a.cert, public, a.key)
	if err != nil {
		return nil, fmt.Errorf("sign a certificate for %q with %s: %w", template.Subject.CommonName, a.name, err)
	}
	return x509.ParseCertificate(der)
}

func (a *Authority) issue(p profile, public crypto.PublicKey) (*x509.Certificate, error) {
	now := a.now()
	lifetime := p.lifetime
	if lifetime == 0 {
		lifetime = leafLifetime
	}
	return a.Sign(&x509.Certificate{
		Subject:               pkix.Name{CommonName: p.commonName, Organization: p.organization},
		DNSNames:              p.names,
		IPAddresses:           p.ips,
		NotBefore:             now.Add(-skew),
		NotAfter:              now.Add(lifetime),
		KeyUsage:              x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           p.usages,
		BasicConstraintsValid: true,
	}, public)
}

// issuePair issues a certificate for a new key.
func (a *Authority) issuePair(p profile) (*Pair, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	cert, err := a.issue(p, key.Public())
	if err != nil {
		return nil, err
	}
	return &Pair{Cert: cert, Key: key}, nil
}

// selfSign makes a new authority's certificate.
func selfSign(commonName string, key crypto.Signer, now time.Time, lifetime time.Duration) (*x509.Certificate, error) {
	t := &x509.Certificate{
		Subject:               pkix.Name{CommonName: commonName},
		DNSNames:              []string{commonName},
		NotBefore:             now.Add(-skew),
		NotAfter:              now.Add(lifetime),
		KeyUsage:              x509.KeyUsageKeyEncipherment | x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign the authority %q: %w", commonName, err)
	}
	return x509.ParseCertificate(der)
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return key, nil
}
