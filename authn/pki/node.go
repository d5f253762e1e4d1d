package pki

import (
	"crypto/tls"
	"net"
)

// NodeClient issues what a node's kubelet presents to the API server. Who it is for keeps it.
func (a *Authority) NodeClient(node string) (tls.Certificate, error) {
	return a.issueNode(Node(node).profile())
}

// NodeServing issues what a node's kubelet serves its own API with.
func (a *Authority) NodeServing(node string, ips ...net.IP) (tls.Certificate, error) {
	p := Node(node).profile()
	p.usages, p.names, p.ips = serverAuth, []string{node}, ips
	return a.issueNode(p)
}

func (a *Authority) issueNode(p profile) (tls.Certificate, error) {
	pair, err := a.issuePair(p)
	if err != nil {
		return tls.Certificate{}, err
	}
	return pair.TLS(), nil
}
