package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// writePair writes a certificate that signs itself, and its key; it is called name and is for hosts.
func writePair(t *testing.T, path, name string, hosts ...string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: hosts,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{path + ".crt": {Type: "CERTIFICATE", Bytes: der}, path + ".key": {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path + ".crt," + path + ".key"
}

// handshake connects a client to a server of this configuration over a loopback connection.
func handshake(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if s := tls.Server(conn, server); s.Handshake() == nil {
			s.Read(make([]byte, 1)) // until the client is done
		}
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client.InsecureSkipVerify = true
	c := tls.Client(conn, client)
	err = c.Handshake()
	return c.ConnectionState(), err
}

func TestTLSPolicy_WhoIsServedWhat(t *testing.T) {
	dir := t.TempDir()
	own := writePair(t, filepath.Join(dir, "own"), "own", "own.example")
	cert, key, _ := strings.Cut(own, ",")
	policy := TLSPolicy{CertFile: cert, PrivateKeyFile: key, SNICertKeys: []string{
		writePair(t, filepath.Join(dir, "named"), "named", "other.example") + ":a.example,*.b.example",
		writePair(t, filepath.Join(dir, "self"), "self", "self.example", "a.example"),
		writePair(t, filepath.Join(dir, "ip"), "ip") + ":127.0.0.1",
	}}
	config := &tls.Config{}
	if err := policy.apply(config, func(string, *servedPair) {}); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, name := range []string{"a.example", "A.example", "x.b.example", "y.x.b.example", "b.example", "self.example", "other.example", "unknown", ""} {
		state, err := handshake(t, config, &tls.Config{ServerName: name})
		if err != nil {
			t.Fatal(err)
		}
		got[name] = state.PeerCertificates[0].Subject.CommonName
	}
	want := map[string]string{
		"a.example": "named", "A.example": "named", "x.b.example": "named", "y.x.b.example": "own", "b.example": "own",
		"self.example": "self", "other.example": "own", "unknown": "own", "": "ip",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTLSPolicy_VersionsSuitesAndCurves(t *testing.T) {
	pair := writePair(t, filepath.Join(t.TempDir(), "own"), "own")
	cert, key, _ := strings.Cut(pair, ",")
	const suite = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
	for name, c := range map[string]struct {
		policy TLSPolicy
		client *tls.Config
		want   bool
	}{
		"1.1 is never served":                         {client: &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}},
		"1.2 is by default":                           {client: &tls.Config{MaxVersion: tls.VersionTLS12}, want: true},
		"but not where 1.3 is the least":              {policy: TLSPolicy{MinVersion: "VersionTLS13"}, client: &tls.Config{MaxVersion: tls.VersionTLS12}},
		"1.3 is then":                                 {policy: TLSPolicy{MinVersion: "VersionTLS13"}, want: true},
		"the suite that is named":                     {policy: TLSPolicy{CipherSuites: []string{suite}}, client: &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}, want: true},
		"suites do not matter where 1.3 is the least": {policy: TLSPolicy{MinVersion: "VersionTLS13", CipherSuites: []string{"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"}}, want: true},
		"and no other":                                {policy: TLSPolicy{CipherSuites: []string{suite}}, client: &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}}},
		"the key exchange that is named":              {policy: TLSPolicy{CurvePreferences: []int32{24}}, client: &tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP384}}, want: true},
		"and no other key exchange, X25519 say":       {policy: TLSPolicy{CurvePreferences: []int32{24}}, client: &tls.Config{CurvePreferences: []tls.CurveID{tls.X25519}}},
	} {
		t.Run(name, func(t *testing.T) {
			config := &tls.Config{MinVersion: tls.VersionTLS12}
			c.policy.CertFile, c.policy.PrivateKeyFile = cert, key
			if c.client == nil {
				c.client = &tls.Config{}
			}
			if err := c.policy.apply(config, func(string, *servedPair) {}); err != nil {
				t.Fatal(err)
			}
			if _, err := handshake(t, config, c.client); (err == nil) != c.want {
				t.Errorf("the handshake ended with %v", err)
			}
		})
	}
}

func TestTLSPolicy_ReplacedFilesAreServed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "own")
	cert, key, _ := strings.Cut(writePair(t, path, "first"), ",")
	config := &tls.Config{}
	var pair *servedPair
	if err := (TLSPolicy{CertFile: cert, PrivateKeyFile: key}).apply(config, func(_ string, p *servedPair) { pair = p }); err != nil {
		t.Fatal(err)
	}
	served := func() string {
		state, err := handshake(t, config, &tls.Config{ServerName: "x"})
		if err != nil {
			t.Fatal(err)
		}
		return state.PeerCertificates[0].Subject.CommonName
	}
	writePair(t, path, "second")
	later := time.Now().Add(time.Minute)
	errs := []error{os.Chtimes(cert, later, later), os.Chtimes(key, later, later)}
	changed, err := pair.Reload(t.Context())
	if err := errors.Join(append(errs, err)...); err != nil || !changed || served() != "second" {
		t.Errorf("changed is %v, %q is served: %v", changed, served(), err)
	}
	if err := os.WriteFile(cert, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := pair.Reload(t.Context()); err == nil || served() != "second" {
		t.Errorf("%q is served after rubbish (%v)", served(), err)
	}
}

func TestTLSPolicy_Refusals(t *testing.T) {
	dir := t.TempDir()
	cert, key, _ := strings.Cut(writePair(t, filepath.Join(dir, "own"), "own"), ",")
	_, stranger, _ := strings.Cut(writePair(t, filepath.Join(dir, "other"), "other"), ",")
	open := filepath.Join(dir, "open.key")
	data, err := os.ReadFile(key)
	if err = errors.Join(err, os.WriteFile(open, data, 0o600), os.Chmod(open, 0o644)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		policy TLSPolicy
		want   string
	}{
		"an unknown version":           {TLSPolicy{MinVersion: "SSL3"}, `--tls-min-version: unknown tls version "SSL3"; choose VersionTLS12 or VersionTLS13`},
		"a version that is broken":     {TLSPolicy{MinVersion: "VersionTLS10"}, "--tls-min-version VersionTLS10 is broken and not served"},
		"an unknown suite":             {TLSPolicy{CipherSuites: []string{"ROT13"}}, "--tls-cipher-suites: Cipher suite ROT13 not supported or doesn't exist"},
		"no suite of HTTP/2":           {TLSPolicy{CipherSuites: []string{"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"}}, "--tls-cipher-suites: HTTP/2 cannot do without TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 or"},
		"an unknown key exchange":      {TLSPolicy{CurvePreferences: []int32{9999}}, "--tls-curve-preferences: curve preference 9999 is not supported"},
		"a certificate without key":    {TLSPolicy{CertFile: cert}, "go together"},
		"a key of another certificate": {TLSPolicy{CertFile: cert, PrivateKeyFile: stranger}, "are no certificate and its key"},
		"a key for all to read":        {TLSPolicy{CertFile: cert, PrivateKeyFile: open}, "everybody on this machine may read it (mode 0644)"},
		"a file that is not there":     {TLSPolicy{SNICertKeys: []string{"/none.crt,/none.key"}}, "--tls-sni-cert-key: /none.crt cannot be read"},
		"a pair that is none":          {TLSPolicy{SNICertKeys: []string{"alone.crt"}}, "expected comma separated certificate and key file paths"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.policy.apply(&tls.Config{}, func(string, *servedPair) {})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want something of %q", err, c.want)
			}
		})
	}
}
