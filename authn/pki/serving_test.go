package pki

import (
	"crypto/tls"
	"net"
	"testing"
	"time"
)

// handshake connects a client to the server's configuration and returns what the server saw.
func handshake(t *testing.T, server, client *tls.Config) (tls.ConnectionState, error) {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	s, c := tls.Server(a, server), tls.Client(b, client)
	done := make(chan error, 1)
	go func() {
		err := c.Handshake()
		if err == nil {
			_, err = c.Write([]byte{1}) // TLS 1.3: a client learns of a refusal on its first read or write only
		}
		if err != nil {
			b.Close()
		}
		done <- err
	}()
	err := s.Handshake()
	if err != nil {
		a.Close()
		<-done
		return tls.ConnectionState{}, err
	}
	s.Read(make([]byte, 1))
	return s.ConnectionState(), <-done
}

func TestServerTLS(t *testing.T) {
	p := mustOpen(t, t.TempDir(), Options{})
	trust := p.Authority().Pool()
	admin, err := p.ClientCertificate(Admin())
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := mustOpen(t, t.TempDir(), Options{}).ClientCertificate(SuperAdmin())
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		client *tls.Config
		ok     bool
		peers  int
	}{
		"TLS 1.3 with HTTP/2":    {client: &tls.Config{RootCAs: trust, ServerName: "localhost", NextProtos: []string{"h2"}}, ok: true},
		"TLS 1.2":                {client: &tls.Config{RootCAs: trust, ServerName: "kubernetes.default.svc", NextProtos: []string{"h2"}, MaxVersion: tls.VersionTLS12}, ok: true},
		"TLS 1.1 is refused":     {client: &tls.Config{RootCAs: trust, ServerName: "localhost", NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}},
		"by another name":        {client: &tls.Config{RootCAs: trust, ServerName: "other.example", NextProtos: []string{"h2"}}},
		"an authority not known": {client: &tls.Config{ServerName: "localhost", NextProtos: []string{"h2"}}},
		"with a certificate":     {client: &tls.Config{RootCAs: trust, ServerName: "127.0.0.1", NextProtos: []string{"h2"}, Certificates: []tls.Certificate{admin}}, ok: true, peers: 1},
		"a stranger's certificate is taken, for the authenticator to judge": {client: &tls.Config{RootCAs: trust, ServerName: "localhost", NextProtos: []string{"h2"},
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &stranger, nil }}, ok: true, peers: 1},
	} {
		t.Run(name, func(t *testing.T) {
			state, err := handshake(t, p.ServerTLS(), test.client)
			if (err == nil) != test.ok {
				t.Fatalf("handshake: %v, want success: %t", err, test.ok)
			}
			if err != nil {
				return
			}
			if state.NegotiatedProtocol != "h2" || len(state.PeerCertificates) != test.peers {
				t.Errorf("protocol %q with %d client certificates, want h2 with %d", state.NegotiatedProtocol, len(state.PeerCertificates), test.peers)
			}
		})
	}
}

func TestRefresh_RenewsWhileServing(t *testing.T) {
	now := time.Now()
	p := mustOpen(t, t.TempDir(), Options{Now: func() time.Time { return now }})
	config := p.ServerTLS()
	serial := func() string {
		t.Helper()
		var serial string
		client := &tls.Config{RootCAs: p.Authority().Pool(), ServerName: "localhost", Time: func() time.Time { return now },
			VerifyConnection: func(s tls.ConnectionState) error { serial = s.PeerCertificates[0].SerialNumber.String(); return nil }}
		if _, err := handshake(t, config, client); err != nil {
			t.Fatal(err)
		}
		return serial
	}
	first := serial()
	if err := p.Refresh(); err != nil {
		t.Fatal(err)
	}
	if serial() != first {
		t.Error("renewed without need")
	}
	now = now.AddDate(0, 0, 350)
	if err := p.Refresh(); err != nil {
		t.Fatal(err)
	}
	if serial() == first {
		t.Error("not renewed two weeks before its end")
	}
}
