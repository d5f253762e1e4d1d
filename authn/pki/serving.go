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
		ClientCAs:      p.Authority().Pool(), // named in the handshake, so that clients can choose a certificate
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.ServingCertificate(), nil },
	}
}

// ServingCertificate is what the API server serves with now.
func (p *PKI) ServingCertificate() *tls.Certificate { return &p.held.Load().certs[0] }

// Refresh issues again what is about to end, and reads what somebody replaced. Call it now and then, such as once an
// hour. On an error all that is in use stays.
func (p *PKI) Refresh() error {
	p.changing.Lock()
	defer p.changing.Unlock()
	unlock, err := p.dir.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return p.load()
}
