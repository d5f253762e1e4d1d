package authn

import (
	"crypto/sha256"
	"crypto/x509"
	"time"

	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/authn/memo"
)

// clients verifies client certificates under authorities that may change. It remembers which were good, for verifying costs more
// than all else that a small request costs; and it forgets as soon as time or the authorities change that.
type clients struct {
	roots func() *x509.CertPool
	now   func() time.Time
	seen  *memo.Memo[[sha256.Size]byte, *verified]
}

// verified is a certificate that was found good under these roots, and when it is.
type verified struct {
	roots      *x509.CertPool
	begin, end time.Time
	user       user.Info // nil: the subject names nobody
	uidErr     error
}

const (
	// maxChain bounds how many certificates of a client are looked at.
	maxChain = 10
	// maxSeen bounds how many verified certificates are remembered.
	maxSeen = 1024

	whyLongChain reason = "the client presented more than 10 certificates"
)

func newClients(roots func() *x509.CertPool, now func() time.Time) *clients {
	return &clients{roots: roots, now: now, seen: memo.New[[sha256.Size]byte, *verified](maxSeen)}
}

// verify checks that a chain leads from its first certificate to a root, is in force, and may be used by a client. Without roots
// it has no opinion: nil, nil.
func (c *clients) verify(chain []*x509.Certificate) (*verified, error) {
	roots := c.roots()
	if roots == nil {
		return nil, nil
	}
	now := c.now()
	sum := sha256.Sum256(chain[0].Raw)
	if v, ok := c.seen.Get(sum); ok && v.roots == roots && !now.Before(v.begin) && !now.After(v.end) {
		return v, nil
	}
	path, err := verifyClient(chain, roots, now)
	if err != nil {
		return nil, err
	}
	v := &verified{roots: roots, begin: path[0].NotBefore, end: path[0].NotAfter}
	for _, cert := range path {
		if cert.NotAfter.Before(v.end) {
			v.end = cert.NotAfter
		}
		if cert.NotBefore.After(v.begin) {
			v.begin = cert.NotBefore
		}
	}
	v.user, v.uidErr = certified(chain[0], sum)
	c.seen.Set(sum, v)
	return v, nil
}

func verifyClient(chain []*x509.Certificate, roots *x509.CertPool, now time.Time) ([]*x509.Certificate, error) {
	if len(chain) > maxChain {
		return nil, whyLongChain
	}
	opts := x509.VerifyOptions{
		Roots:       roots,
		CurrentTime: now,
		KeyUsages:   []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if len(chain) > 1 {
		opts.Intermediates = x509.NewCertPool()
		for _, c := range chain[1:] {
			opts.Intermediates.AddCert(c)
		}
	}
	paths, err := chain[0].Verify(opts)
	if err != nil {
		return nil, err
	}
	return paths[0], nil
}
