package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"path/filepath"
	"sync/atomic"

	"coracle/authn/pki"
)

// credential is the client certificate of a part of this process: that of its kubeconfig, which is read again when
// somebody replaces the file.
type credential struct {
	path  string // "" for one that is kept in memory alone
	id    pki.Identity
	certs atomic.Pointer[[]*x509.Certificate]
}

// chain is what is presented now; nothing for nobody.
func (c *credential) chain() []*x509.Certificate {
	if c == nil {
		return nil
	}
	return *c.certs.Load()
}

func (c *credential) hold(certificate tls.Certificate) {
	c.certs.Store(&[]*x509.Certificate{certificate.Leaf})
}

// credentials are those of all parts, and the kubeconfigs of people.
type credentials struct {
	keys *pki.PKI
	url  string
	log  *slog.Logger
}

// kubeconfig writes the kubeconfig of a part, and returns the certificate in it. Where the authority's key is kept
// elsewhere, and nobody has put a kubeconfig in place, the part has a certificate of the process itself.
func (c credentials) kubeconfig(path string, id pki.Identity) (*credential, error) {
	certificate, err := c.keys.Kubeconfig(path, c.url, id)
	if errors.Is(err, pki.ErrNoKey) {
		c.log.Warn("a kubeconfig is not written, and the part goes by a certificate of this process alone", "file", filepath.Base(path), "error", err)
		return c.memory(id)
	}
	if err != nil {
		return nil, err
	}
	held := &credential{path: path, id: id}
	held.hold(certificate)
	return held, nil
}

// memory is a certificate that this process alone knows, and takes.
func (c credentials) memory(id pki.Identity) (*credential, error) {
	certificate, err := c.keys.LoopbackCertificate(id)
	if err != nil {
		return nil, err
	}
	held := &credential{id: id}
	held.hold(certificate)
	return held, nil
}
