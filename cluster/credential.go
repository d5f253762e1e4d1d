package cluster

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"path/filepath"
	"sync/atomic"

	"coracle/authn"
	"coracle/authn/pki"
)

// credential is the client certificate of a part of this process: that of its kubeconfig, which is read again when
// somebody replaces the file.
type credential struct {
	file  *authn.File[*x509.Certificate] // nil for one that is kept in memory alone
	certs atomic.Pointer[[]*x509.Certificate]
}

// chain is what is presented now.
func (c *credential) chain() []*x509.Certificate { return *c.certs.Load() }

func (c *credential) hold(certificate *x509.Certificate) {
	c.certs.Store(&[]*x509.Certificate{certificate})
}

// Reload puts the kubeconfig's certificate in use, if the file has changed.
func (c *credential) Reload(ctx context.Context) (bool, error) {
	changed, err := c.file.Reload(ctx)
	if err == nil && changed {
		c.hold(c.file.Get())
	}
	return changed, err
}

// credentials are those of all parts.
type credentials struct {
	keys  *pki.PKI
	url   string
	log   *slog.Logger
	files []*credential
}

// Reload puts those kubeconfigs' certificates in use that have changed.
func (c *credentials) Reload(ctx context.Context) (changed bool, err error) {
	for _, held := range c.files {
		one, fault := held.Reload(ctx)
		changed, err = changed || one, errors.Join(err, fault)
	}
	return changed, err
}

// kubeconfig writes the kubeconfig of a part, and returns the certificate in it. Where the authority's key is kept
// elsewhere, and nobody has put a kubeconfig in place, the part has a certificate of the process itself.
func (c *credentials) kubeconfig(path string, id pki.Identity) (*credential, error) {
	certificate, err := c.keys.Kubeconfig(path, c.url, id)
	if errors.Is(err, pki.ErrNoKey) {
		c.log.Warn("a kubeconfig is not written, and the part goes by a certificate of this process alone", "file", filepath.Base(path), "error", err)
		return c.memory(id)
	}
	if err != nil {
		return nil, err
	}
	held := &credential{}
	if held.file, err = authn.OpenFile(path, func(data []byte) (*x509.Certificate, error) { return pki.KubeconfigCertificate(data, id) }); err != nil {
		return nil, err
	}
	held.hold(certificate.Leaf)
	c.files = append(c.files, held)
	return held, nil
}

// memory is a certificate that this process alone knows, and takes.
func (c *credentials) memory(id pki.Identity) (*credential, error) {
	certificate, err := c.keys.LoopbackCertificate(id)
	if err != nil {
		return nil, err
	}
	held := &credential{}
	held.hold(certificate.Leaf)
	return held, nil
}
