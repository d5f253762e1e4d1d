package authn

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	asn1util "k8s.io/apimachinery/pkg/apis/asn1"
	"k8s.io/apiserver/pkg/authentication/user"
)

// X509 accepts client certificates: the subject's common name is the user, its organizations are the groups.
//
// The TLS handshake has already proved that the client has the certificate's key. What is left to check is that a trusted
// authority issued it, for clients, and that it is in force. Nothing can take it back before it expires, short of
// replacing the authority: Kubernetes knows no revocation.
type X509 struct {
	roots func() *x509.CertPool
	now   func() time.Time
	seen  *cache[[sha256.Size]byte, verified]
}

// verified is a certificate that was found good under these roots until then.
type verified struct {
	roots       *x509.CertPool
	begins, end time.Time
	user        user.Info
}

const (
	// maxChain bounds how many certificates of a client are looked at.
	maxChain = 10
	// maxSeen bounds how many verified certificates are remembered.
	maxSeen = 1024
)

const (
	whyNoCertificate reason = "the client presented no certificate"
	whyNoRoots       reason = "no authority for client certificates is configured"
	whyNoName        reason = "the certificate's subject has no common name, so it names nobody"
	whyLongChain     reason = "the client presented more than 10 certificates"
)

// NewX509 returns the strategy. Roots gives the authorities that are trusted now; for other authorities it must return
// another pool, rather than a changed one, for the pool is how X509 knows that what it remembers still holds. Nil passes on everybody.
func NewX509(roots func() *x509.CertPool, now func() time.Time) *X509 {
	return &X509{roots: roots, now: now, seen: newCache[[sha256.Size]byte, verified](maxSeen)}
}

// Name is `x509`.
func (*X509) Name() string { return "x509" }

// Authenticate accepts a certificate that verifies, refuses one that does not, and passes on clients without one.
func (x *X509) Authenticate(_ context.Context, c *Credentials) Answer {
	if len(c.Certificates) == 0 {
		return Answer{Why: whyNoCertificate}
	}
	roots := x.roots()
	if roots == nil {
		return Answer{Why: whyNoRoots}
	}
	leaf := c.Certificates[0]
	now := x.now()
	sum := sha256.Sum256(leaf.Raw)
	if v, ok := x.seen.get(sum); ok && v.roots == roots && !now.Before(v.begins) && !now.After(v.end) {
		return Answer{Verdict: Accepted, User: v.user}
	}
	chain, err := verifyClient(c.Certificates, roots, now)
	if err != nil {
		return refuse(fmt.Sprintf("verifying certificate %s failed: %v", identify(leaf), err), explainCertificate(leaf, now, err))
	}
	if leaf.Subject.CommonName == "" {
		return Answer{Why: whyNoName}
	}
	uid, err := certifiedUID(leaf)
	if err != nil {
		return refuse(err.Error(), nil)
	}
	v := verified{roots: roots, begins: leaf.NotBefore, end: leaf.NotAfter}
	for _, cert := range chain {
		if cert.NotAfter.Before(v.end) {
			v.end = cert.NotAfter
		}
		if cert.NotBefore.After(v.begins) {
			v.begins = cert.NotBefore
		}
	}
	v.user = authenticated(&user.DefaultInfo{
		Name:   leaf.Subject.CommonName,
		UID:    uid,
		Groups: leaf.Subject.Organization,
		Extra:  map[string][]string{user.CredentialIDKey: {"X509SHA256=" + hex.EncodeToString(sum[:])}},
	})
	x.seen.set(sum, v)
	return Answer{Verdict: Accepted, User: v.user}
}

// verifyClient returns a chain from the first certificate to a root, good now and for clients.
func verifyClient(certs []*x509.Certificate, roots *x509.CertPool, now time.Time) ([]*x509.Certificate, error) {
	if len(certs) > maxChain {
		return nil, whyLongChain
	}
	opts := x509.VerifyOptions{
		Roots:       roots,
		CurrentTime: now,
		KeyUsages:   []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if len(certs) > 1 {
		opts.Intermediates = x509.NewCertPool()
		for _, c := range certs[1:] {
			opts.Intermediates.AddCert(c)
		}
	}
	chains, err := certs[0].Verify(opts)
	if err != nil {
		return nil, err
	}
	return chains[0], nil
}

// certifiedUID is the user's UID that the subject has under Kubernetes' own attribute type, if it has one.
func certifiedUID(c *x509.Certificate) (string, error) {
	uids := []string{}
	for _, name := range c.Subject.Names {
		if !name.Type.Equal(asn1util.X509UID()) {
			continue
		}
		uid, ok := name.Value.(string)
		if !ok {
			return "", errors.New("unable to parse UID into a string")
		}
		uids = append(uids, uid)
	}
	switch {
	case len(uids) == 0:
		return "", nil
	case len(uids) != 1:
		return "", fmt.Errorf("expected 1 UID, but found multiple: %v", uids)
	case uids[0] == "":
		return "", errors.New("UID cannot be an empty string")
	}
	return uids[0], nil
}

// identify names a certificate as Kubernetes' log does.
func identify(c *x509.Certificate) string {
	return fmt.Sprintf("SN=%d, SKID=%s, AKID=%s", c.SerialNumber, colons(c.SubjectKeyId), colons(c.AuthorityKeyId))
}

func colons(b []byte) string {
	pairs := make([]string, len(b))
	for i, c := range b {
		pairs[i] = fmt.Sprintf("%02X", c)
	}
	return strings.Join(pairs, ":")
}

// explainCertificate says what is wrong with a certificate that does not verify.
func explainCertificate(c *x509.Certificate, now time.Time, err error) error {
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	switch {
	case now.After(c.NotAfter):
		return fmt.Errorf("the certificate of %q expired %s ago, on %s", c.Subject.CommonName, span(now.Sub(c.NotAfter)), c.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(c.NotBefore):
		return fmt.Errorf("the certificate of %q is not valid for another %s, until %s", c.Subject.CommonName, span(c.NotBefore.Sub(now)), c.NotBefore.UTC().Format(time.RFC3339))
	case errors.As(err, &unknown):
		return fmt.Errorf("the certificate of %q was issued by %q, which is not a trusted authority, or only has its name", c.Subject.CommonName, c.Issuer.CommonName)
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		use := "not for clients"
		if slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) {
			use = "for servers, not for clients"
		}
		return fmt.Errorf("the certificate of %q is %s (extended key usage)", c.Subject.CommonName, use)
	}
	return fmt.Errorf("the certificate of %q: %w", c.Subject.CommonName, err)
}
