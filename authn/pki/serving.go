package pki

import (
	"crypto/tls"
)

// ServerTLS is the configuration of the API server's listener: TLS 1.2 or later, HTTP/2, and client certificates asked for
// but not judged, since that is the x509 authenticator's work and not every client has one. A certificate that is
// renewed while the server runs is used from the next handshake on.
func (p *PKI) ServerTLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"h2", "http/1.1"},
		ClientAuth:     tls.RequestClientCert,
		ClientCAs:      p.cluster.Pool(), // named in the handshake, so that clients can choose a certificate
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.serving.Load(), nil },
	}
}

// ServingCertificate is what the API server serves with now.
func (p *PKI) ServingCertificate() *tls.Certificate { return p.serving.Load() }

// Refresh reads the serving certificate again, if somebody replaced it, and renews it when its end is near. Call it
// now and then, such as once an hour. On an error the one in use stays.
func (p *PKI) Refresh() error {
	p.refresh.Lock()
	defer p.refresh.Unlock()
	row := leaves(p.options.ServerNames, p.options.ServerIPs)[0]
	cert, err := p.leaf(row)
	if err != nil {
		return err
	}
	p.serving.Store(&cert)
	return p.dir.sync()
}
