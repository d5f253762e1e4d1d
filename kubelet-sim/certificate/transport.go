package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/util/connrotation"
)

// dialPatience is how long a connection may take to be made.
const dialPatience = 30 * time.Second

// Transport speaks to the server that the authorities vouch for, with the certificate that is in use at the time. When
// that changes its connections are closed: they are as old as the certificate that they were made with.
func (m *Manager) Transport(ca []byte) (http.RoundTripper, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("the cluster's authorities are not understood")
	}
	dialer := connrotation.NewDialer((&net.Dialer{Timeout: dialPatience, KeepAlive: dialPatience}).DialContext)
	m.changed = dialer.CloseAll
	return utilnet.SetTransportDefaults(&http.Transport{
		DialContext: dialer.DialContext,
		TLSClientConfig: &tls.Config{
			RootCAs: roots, MinVersion: tls.VersionTLS12, Time: m.config.Now,
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				if pair := m.Current(); pair != nil {
					return pair, nil
				}
				return &tls.Certificate{}, nil // none
			},
		},
	}), nil
}
