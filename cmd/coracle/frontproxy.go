package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"coracle/authn/pki"
	"coracle/counterparts/endpoint"
	"coracle/counterparts/frontproxy"
	"coracle/counterparts/people"
)

// frontProxyCommand runs an authenticating proxy.
func frontProxyCommand() *cobra.Command {
	c := &counterpart{name: "frontproxy"}
	var server string
	cmd := &cobra.Command{
		Use:   "frontproxy",
		Short: "Run an authenticating proxy in front of the API server",
		Long: `Run an authenticating proxy in front of the API server, until Ctrl-C.

It knows people by name and password, and tells the server in headers (X-Remote-User, -Uid, -Group, -Extra-) who asks.
The server believes it because of the certificate DATA-DIR/pki/front-proxy-client.crt. Such headers of clients are removed.

  users:
  - {name: ann, uid: "7", groups: [dev], password: anns-password}`,
		Example: `  coracle frontproxy --users users.yaml
  kubectl --server https://127.0.0.1:7444 --certificate-authority ~/.coracle/default/counterparts/frontproxy/tls.crt \
    --username ann --password anns-password get pods`,
		Args: cobra.NoArgs,
	}
	c.addFlags(cmd, "127.0.0.1:7444")
	cmd.Flags().StringVar(&server, "server", "https://127.0.0.1:6443", "URL of the API server")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return c.run(cmd, func(_ context.Context, e *endpoint.Endpoint, known *people.File) (http.Handler, error) {
			behind, err := url.Parse(server)
			if err != nil || behind.Scheme != "https" || behind.Host == "" {
				return nil, fmt.Errorf("--server %q is no https:// URL", server)
			}
			config, err := proxyTLS(filepath.Join(c.dataDir, "pki"))
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(c.out, "The proxy for %s answers on %s\n\n  kubectl --server %s --certificate-authority %s --username NAME --password PASSWORD get pods\n", server, e.URL, e.URL, e.CAFile)
			return frontproxy.Proxy(behind, config, known, slog.NewLogLogger(c.log.Handler(), slog.LevelWarn)), nil
		})
	}
	return cmd
}

// proxyTLS reads how the proxy proves who it is, and by what it knows the server.
func proxyTLS(dir string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "front-proxy-client.crt"), filepath.Join(dir, "front-proxy-client.key"))
	if err != nil {
		return nil, fmt.Errorf("the proxy's certificate cannot be read: %w; `coracle up` makes it, in its --data-dir", err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		return nil, fmt.Errorf("the cluster's authority cannot be read: %w", err)
	}
	authorities, err := pki.ParseCertificates(data)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	for _, a := range authorities {
		config.RootCAs.AddCert(a)
	}
	return config, nil
}
