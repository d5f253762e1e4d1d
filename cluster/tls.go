package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	cliflag "k8s.io/component-base/cli/flag"

	"coracle/authn/pki"
)

// TLSPolicy is how the API is served, by kube-apiserver's --tls-* flags.
// Source: k8s.io/apiserver/pkg/server/options/serving.go.
type TLSPolicy struct {
	// CertFile and PrivateKeyFile are served in place of the cluster's own certificate. Default: DATA-DIR/pki/apiserver.crt.
	CertFile, PrivateKeyFile string
	// SNICertKeys are further certificates, CERT,KEY or CERT,KEY:NAME,NAME: for clients that ask for those names, or else for the
	// names in the certificate. *. stands for one label. Of several that fit, the one named first is served.
	SNICertKeys []string
	// MinVersion is VersionTLS12, the default, or VersionTLS13.
	MinVersion string
	// CipherSuites are those of TLS 1.2, by their names. Default: Go's.
	CipherSuites []string
	// CurvePreferences are numbers of key exchanges (crypto/tls.CurveID). Default: Go's.
	CurvePreferences []int32
}

// apply puts the policy into the listener's configuration. Its files are watched: w is told of each.
func (p TLSPolicy) apply(config *tls.Config, w func(flag string, pair *servedPair)) (err error) {
	if p.MinVersion != "" {
		if config.MinVersion, err = cliflag.TLSVersion(p.MinVersion); err != nil {
			return fmt.Errorf("--tls-min-version: %w; choose VersionTLS12 or VersionTLS13", err)
		}
		if config.MinVersion < tls.VersionTLS12 {
			return fmt.Errorf("--tls-min-version %s is broken and not served; choose VersionTLS12 or VersionTLS13", p.MinVersion)
		}
	}
	if config.CipherSuites, err = cliflag.TLSCipherSuites(p.CipherSuites); err != nil {
		return fmt.Errorf("--tls-cipher-suites: %w; choose of %s", err, strings.Join(cliflag.PreferredTLSCipherNames(), ", "))
	}
	// RFC 7540, section 9.2.2; net/http would end the server for it. TLS 1.3 has suites of its own, which cannot be chosen.
	if needed := []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}; len(config.CipherSuites) > 0 && config.MinVersion < tls.VersionTLS13 &&
		!slices.ContainsFunc(config.CipherSuites, func(suite uint16) bool { return slices.Contains(needed, suite) }) {
		return fmt.Errorf("--tls-cipher-suites: HTTP/2 cannot do without %s or %s; add the one that fits the certificate", tls.CipherSuiteName(needed[0]), tls.CipherSuiteName(needed[1]))
	}
	if config.CurvePreferences, err = cliflag.TLSCurvePreferences(p.CurvePreferences); err != nil {
		return fmt.Errorf("--tls-curve-preferences: %w", err)
	}
	own, further, err := p.pairs(w)
	if err != nil || own == nil && len(further) == 0 {
		return err
	}
	fallback := config.GetCertificate
	config.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		name := hello.ServerName
		if name == "" && hello.Conn != nil { // as upstream: a client that asks for no name means the address
			name, _, _ = net.SplitHostPort(hello.Conn.LocalAddr().String())
		}
		for _, pair := range further {
			if pair.serves(name) {
				return pair.current.Load(), nil
			}
		}
		if own != nil {
			return own.current.Load(), nil
		}
		return fallback(hello)
	}
	return nil
}

// pairs reads the files.
func (p TLSPolicy) pairs(w func(string, *servedPair)) (own *servedPair, further []*servedPair, err error) {
	if (p.CertFile == "") != (p.PrivateKeyFile == "") {
		return nil, nil, errors.New("--tls-cert-file and --tls-private-key-file go together: give both, or none")
	}
	if p.CertFile != "" {
		if own, err = openPair(p.CertFile, p.PrivateKeyFile, nil); err != nil {
			return nil, nil, fmt.Errorf("--tls-cert-file: %w", err)
		}
		w("--tls-cert-file", own)
	}
	for _, text := range p.SNICertKeys {
		var named cliflag.NamedCertKey
		if err := named.Set(text); err != nil {
			return nil, nil, fmt.Errorf("--tls-sni-cert-key %s: %w", text, err)
		}
		pair, err := openPair(named.CertFile, named.KeyFile, named.Names)
		if err != nil {
			return nil, nil, fmt.Errorf("--tls-sni-cert-key: %w", err)
		}
		further = append(further, pair)
		w("--tls-sni-cert-key", pair)
	}
	return own, further, nil
}

// servedPair is a certificate and its key, which are read again when one of their files changes. Both have to fit: while one
// of them is replaced and the other not yet, those before stay in use.
type servedPair struct {
	certFile, keyFile string
	names             []string // nil: those in the certificate
	current           atomic.Pointer[tls.Certificate]
	seen              [2]time.Time
}

func openPair(certFile, keyFile string, names []string) (*servedPair, error) {
	p := &servedPair{certFile: certFile, keyFile: keyFile, names: names}
	if _, err := p.Reload(context.Background()); err != nil {
		return nil, err
	}
	return p, nil
}

// Reload reads the files again, if they have changed.
func (p *servedPair) Reload(context.Context) (bool, error) {
	var now [2]time.Time
	for i, path := range []string{p.certFile, p.keyFile} {
		info, err := os.Stat(path)
		if err != nil {
			return false, fmt.Errorf("%s cannot be read: %w", path, unwrapPath(err))
		}
		if err := pki.Exposed(path, info); i == 1 && err != nil {
			return false, err
		}
		now[i] = info.ModTime()
	}
	if now == p.seen {
		return false, nil
	}
	pair, err := tls.LoadX509KeyPair(p.certFile, p.keyFile)
	if err != nil {
		return false, fmt.Errorf("%s and %s are no certificate and its key: %w", p.certFile, p.keyFile, err)
	}
	p.current.Store(&pair)
	p.seen = now
	return true, nil
}

// serves tells whether a client that asks for this name gets this certificate.
func (p *servedPair) serves(name string) bool {
	if p.names == nil {
		return p.current.Load().Leaf.VerifyHostname(name) == nil
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	_, parent, _ := strings.Cut(name, ".")
	return slices.ContainsFunc(p.names, func(pattern string) bool {
		pattern = strings.ToLower(pattern)
		return pattern == name || parent != "" && pattern == "*."+parent
	})
}
