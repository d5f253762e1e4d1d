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
	clients *clients
}

const (
	whyNoCertificate reason = "the client presented no certificate"
	whyNoRoots       reason = "no authority for client certificates is configured"
	whyNoName        reason = "the certificate's subject has no common name, so it names nobody"
)

// NewX509 returns the strategy. Roots gives the authorities that are trusted now; for other authorities it must return
// another pool, rather than a changed one, for the pool is how X509 knows that what it remembers still holds. Nil passes on everybody.
func NewX509(roots func() *x509.CertPool, now func() time.Time) *X509 {
	return &X509{newClients(roots, now)}
}

// Name is `x509`.
func (*X509) Name() string { return "x509" }

// Authenticate accepts a certificate that verifies, refuses one that does not, and passes on clients without one.
func (x *X509) Authenticate(_ context.Context, c *Credentials) Answer {
	if len(c.Certificates) == 0 {
		return Answer{Why: whyNoCertificate}
	}
	leaf := c.Certificates[0]
	v, err := x.clients.verify(c.Certificates)
	if err != nil {
		return refuse(fmt.Sprintf("verifying certificate %s failed: %v", identify(leaf), err), explainCertificate(leaf, x.clients.now(), err))
	}
	switch {
	case v == nil:
		return Answer{Why: whyNoRoots}
	case v.uidErr != nil:
		return refuse(v.uidErr.Error(), nil)
	case v.user == nil:
		return Answer{Why: whyNoName}
	}
	return Answer{Verdict: Accepted, User: v.user}
}

// certified is who a verified certificate's subject is, or nil if it names nobody.
func certified(leaf *x509.Certificate, sum [sha256.Size]byte) (user.Info, error) {
	if leaf.Subject.CommonName == "" {
		return nil, nil
	}
	uid, err := certifiedUID(leaf)
	if err != nil {
		return nil, err
	}
	return authenticated(&user.DefaultInfo{
		Name:   leaf.Subject.CommonName,
		UID:    uid,
		Groups: leaf.Subject.Organization,
		Extra:  map[string][]string{user.CredentialIDKey: {"X509SHA256=" + hex.EncodeToString(sum[:])}},
	}), nil
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
		return fmt.Errorf("the certificate of %q expired %s ago, on %s", c.Subject.CommonName, Span(now.Sub(c.NotAfter)), c.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(c.NotBefore):
		return fmt.Errorf("the certificate of %q is not valid for another %s, until %s", c.Subject.CommonName, Span(c.NotBefore.Sub(now)), c.NotBefore.UTC().Format(time.RFC3339))
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
