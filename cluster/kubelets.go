package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"sync"
	"time"

	"coracle/authn/pki"
)

// kubelets is how the API server speaks to nodes: with the certificate that is there for that, and to none but those that the
// cluster's authority vouches for.
type kubelets struct {
	keys *pki.PKI
	now  func() time.Time
}

// TLS implements apiserver.Kubelets.
func (k kubelets) TLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12, RootCAs: k.keys.Authority().Pool(), Certificates: []tls.Certificate{k.keys.KubeletClient()}, Time: k.now,
	}
}

// nodeServing is what one of this process's own nodes serves its API with: issued when it is first asked for, and again when the
// authority is another or the end is near.
type nodeServing struct {
	keys *pki.PKI
	name string
	ip   net.IP
	now  func() time.Time

	mu   sync.Mutex
	by   *pki.Authority  // guarded by mu
	pair tls.Certificate // guarded by mu
}

func (n *nodeServing) certificate() (*tls.Certificate, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	by := n.keys.Authority()
	if n.by == by && n.now().Before(n.pair.Leaf.NotAfter.Add(-time.Hour)) {
		return &n.pair, nil
	}
	pair, err := n.keys.KubeletServing(n.name, nil, []net.IP{n.ip})
	if err != nil {
		return nil, fmt.Errorf("no serving certificate available for the kubelet: %w", err)
	}
	n.by, n.pair = by, pair
	return &n.pair, nil
}

func (n *nodeServing) clientCAs() *x509.CertPool { return n.keys.Authority().Pool() }
