package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/pflag"

	"coracle/cluster"
)

// tlsSettings say how the API is served, by kube-apiserver's names.
type tlsSettings struct {
	CertFile   string   `mapstructure:"tls-cert-file"`
	KeyFile    string   `mapstructure:"tls-private-key-file"`
	SNI        []string `mapstructure:"tls-sni-cert-key"`
	MinVersion string   `mapstructure:"tls-min-version"`
	Suites     []string `mapstructure:"tls-cipher-suites"`
	Curves     []string `mapstructure:"tls-curve-preferences"`
}

// addTLSSettings defines the flags.
func addTLSSettings(f *pflag.FlagSet, in func(group string, names ...string)) {
	f.String("tls-cert-file", "", "certificate to serve in place of the cluster's own; its chain may follow in the file")
	f.String("tls-private-key-file", "", "its key")
	f.StringArray("tls-sni-cert-key", nil, "further certificate and key for clients that ask for certain names: CERT,KEY or CERT,KEY:NAME,*.NAME; may be repeated")
	f.String("tls-min-version", "", "VersionTLS12 or VersionTLS13 (default VersionTLS12)")
	f.StringSlice("tls-cipher-suites", nil, "cipher suites of TLS 1.2 (default: Go's choice)")
	f.StringSlice("tls-curve-preferences", nil, "key exchanges, by the numbers of Go's crypto/tls.CurveID (default: Go's choice)")
	in(groupNetwork, "tls-cert-file", "tls-private-key-file", "tls-sni-cert-key", "tls-min-version", "tls-cipher-suites", "tls-curve-preferences")
}

// policy is what the settings say.
func (s *tlsSettings) policy() (cluster.TLSPolicy, error) {
	p := cluster.TLSPolicy{
		CertFile: s.CertFile, PrivateKeyFile: s.KeyFile, SNICertKeys: list(s.SNI),
		MinVersion: s.MinVersion, CipherSuites: list(s.Suites),
	}
	for _, text := range s.Curves {
		n, err := strconv.ParseInt(text, 10, 32)
		if err != nil {
			return p, fmt.Errorf("--tls-curve-preferences %q is no number; they are those of Go's crypto/tls.CurveID, such as 29 for X25519", text)
		}
		p.CurvePreferences = append(p.CurvePreferences, int32(n))
	}
	return p, nil
}
