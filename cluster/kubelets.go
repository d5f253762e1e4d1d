package cluster

import (
	"crypto/tls"
	"time"

	"coracle/authn/pki"
)

// kubelets is how the API server speaks to nodes: with the certificate that is there for that, and to none but those that the
// cluster's authority vouches for, or this process itself.
type kubelets struct {
	keys *pki.PKI
	now  func() time.Time
}

// TLS implements apiserver.Kubelets.
func (k kubelets) TLS() *tls.Config {
	trusted := k.keys.Authority().Pool()
	if !k.keys.Authority().CanSign() {
		trusted.AddCert(k.keys.Loopback().Certificate()) // see ownNode.manager
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: trusted, Certificates: []tls.Certificate{k.keys.KubeletClient()}, Time: k.now,
	}
}
