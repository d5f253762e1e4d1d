package authn

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"sync"
)

// NewCAFile reads a PEM bundle of authorities, as kube-apiserver's --client-ca-file names.
func NewCAFile(path string) (*File[[]*x509.Certificate], error) {
	return OpenFile(path, parseAuthorities)
}

func parseAuthorities(data []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d in it is broken: %w", len(certs)+1, err)
		}
		certs = append(certs, c)
	}
	if len(certs) == 0 {
		return nil, errors.New("there is no PEM certificate in it")
	}
	return certs, nil
}

// Roots is a pool of authorities from several sources, made again only when one of them changes. Its method
// Pool suits NewX509 and RequestHeaderOptions.
type Roots struct {
	sources []func() []*x509.Certificate

	mu    sync.Mutex // guards what follows
	certs [][]*x509.Certificate
	pool  *x509.CertPool
}

// NewRoots returns the pool of all that the sources give. A source must give another slice when it changes.
func NewRoots(sources ...func() []*x509.Certificate) *Roots {
	return &Roots{sources: sources, certs: make([][]*x509.Certificate, len(sources))}
}

// Pool is the present pool: the same one as long as no source changes, and nil when there is no authority at all.
func (r *Roots) Pool() *x509.CertPool {
	r.mu.Lock()
	defer r.mu.Unlock()
	changed := false
	total := 0
	for i, source := range r.sources {
		certs := source()
		total += len(certs)
		if !same(certs, r.certs[i]) {
			r.certs[i], changed = certs, true
		}
	}
	switch {
	case total == 0:
		r.pool = nil
	case changed || r.pool == nil:
		r.pool = x509.NewCertPool()
		for _, certs := range r.certs {
			for _, c := range certs {
				r.pool.AddCert(c)
			}
		}
	}
	return r.pool
}

// same says whether two slices are one.
func same(a, b []*x509.Certificate) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}
