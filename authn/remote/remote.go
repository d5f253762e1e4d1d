// Package remote reaches the services that kubeconfig files name: the webhooks of authentication, of authorization and of the
// audit log. Such a file's cluster is the service, its user is us.
package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/transport"
)

// Patience bounds one question, its answer's body included, unless the configuration says otherwise.
const Patience = 30 * time.Second

const (
	dialPatience = 30 * time.Second
	tlsPatience  = 10 * time.Second
	idlePerHost  = 25 // as in client-go
)

// Read reads where a service is and how to prove to it who we are.
// Errors: a sentence with the file's name.
func Read(path string) (*rest.Config, error) {
	file, err := clientcmd.LoadFromFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the webhook's kubeconfig %s: %w", path, err)
	}
	config, err := clientcmd.NewDefaultClientConfig(*file, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read the webhook's kubeconfig %s: %w", path, err)
	}
	config.Timeout = Patience
	return config, nil
}

// Client is rest.HTTPClientFor with a clock: whether the service's certificate is over is decided by now. The file with
// authorities is read for each connection that is made, so that a replaced one counts from then on.
func Client(config *rest.Config, now func() time.Time) (*http.Client, error) {
	c, err := config.TransportConfig()
	if err != nil {
		return nil, err
	}
	base := c.Transport
	if base == nil {
		if base, err = connecting(c, now); err != nil {
			return nil, err
		}
	}
	wrapped, err := transport.HTTPWrappersForConfig(c, base)
	if err != nil {
		return nil, err
	}
	return &http.Client{Transport: wrapped, Timeout: config.Timeout}, nil
}

func connecting(c *transport.Config, now func() time.Time) (http.RoundTripper, error) {
	caFile := c.TLS.CAFile
	if len(c.TLS.CAData) > 0 {
		caFile = "" // data goes before files
	}
	secured, err := transport.TLSConfigFor(c)
	if err != nil {
		return nil, err
	}
	if secured == nil {
		secured = &tls.Config{MinVersion: tls.VersionTLS12, Time: now}
	}
	secured.Time = now
	dial := (&net.Dialer{Timeout: dialPatience, KeepAlive: dialPatience}).DialContext
	if c.DialHolder != nil {
		dial = c.DialHolder.Dial
	}
	base := utilnet.SetTransportDefaults(&http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		TLSHandshakeTimeout: tlsPatience,
		TLSClientConfig:     secured,
		MaxIdleConnsPerHost: idlePerHost,
		DialContext:         dial,
		DisableCompression:  c.DisableCompression,
	})
	if c.Proxy != nil {
		base.Proxy = c.Proxy
	}
	if caFile != "" {
		// Not for connections through a proxy, which Go secures itself.
		trust := authorities{file: caFile}
		base.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			config := base.TLSClientConfig.Clone()
			if pool := trust.now(); pool != nil {
				config.RootCAs = pool
			}
			return dialTLS(ctx, dial, network, address, config)
		}
	}
	return base, nil
}

// authorities are those in a file.
type authorities struct {
	file string
	last atomic.Pointer[x509.CertPool]
}

// now are those that are in the file now, or, where it cannot be read, half written perhaps, those of the last time.
func (a *authorities) now() *x509.CertPool {
	if data, err := os.ReadFile(a.file); err == nil {
		if pool := x509.NewCertPool(); pool.AppendCertsFromPEM(data) {
			a.last.Store(pool)
		}
	}
	return a.last.Load()
}

func dialTLS(ctx context.Context, dial func(context.Context, string, string) (net.Conn, error), network, address string, config *tls.Config) (net.Conn, error) {
	if config.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		config.ServerName = host
	}
	conn, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, tlsPatience)
	defer cancel()
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}
