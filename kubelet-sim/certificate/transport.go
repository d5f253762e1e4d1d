package certificate

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/util/connrotation"
)

// dialPatience is how long a connection may take to be made.
const dialPatience = 30 * time.Second

// Transport speaks to the server that the authorities vouch for which are trusted at the time, with the certificate that is in use
// then. When that changes its connections are closed: they are as old as the certificate that they were made with.
func (m *Manager) Transport(trust *Trust) http.RoundTripper {
	dialer := connrotation.NewDialer((&net.Dialer{Timeout: dialPatience, KeepAlive: dialPatience}).DialContext)
	m.changed = dialer.CloseAll
	return utilnet.SetTransportDefaults(&http.Transport{
		DialContext: dialer.DialContext,
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			config := &tls.Config{
				RootCAs: trust.Pool(), ServerName: host, MinVersion: tls.VersionTLS12, Time: m.config.Now, NextProtos: []string{"h2", "http/1.1"},
			}
			if pair := m.Current(); pair != nil {
				config.Certificates = []tls.Certificate{*pair}
			}
			ctx, done := context.WithTimeout(ctx, dialPatience)
			defer done()
			secured := tls.Client(conn, config)
			if err := secured.HandshakeContext(ctx); err != nil {
				conn.Close()
				return nil, err
			}
			return secured, nil
		},
	})
}
