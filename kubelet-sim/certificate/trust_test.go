package certificate

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// ca is an authority.
type ca struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newCA(t *testing.T) ca {
	t.Helper()
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return ca{cert, key}
}

func (c ca) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw})
}

// issue makes a certificate for 127.0.0.1, and for the node worker.
func (c ca) issue(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: Client("worker").subject(), NotBefore: c.cert.NotBefore, NotAfter: c.cert.NotAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, c.cert, key.Public(), c.key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func trusting(t *testing.T, dir *Dir, data []byte) *Trust {
	t.Helper()
	if err := dir.SaveCluster("https://127.0.0.1:6443", data, "kubelet-client"); err != nil {
		t.Fatal(err)
	}
	trust, err := dir.Trust()
	if err != nil {
		t.Fatal(err)
	}
	return trust
}

// TestTransport_FollowsTheAuthorities has a server whose certificate is by another authority from a moment on.
func TestTransport_FollowsTheAuthorities(t *testing.T) {
	old, next, dir := newCA(t), newCA(t), openDir(t)
	trust := trusting(t, dir, old.pem())
	serving := old.issue(t)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }))
	server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return &tls.Config{Certificates: []tls.Certificate{serving}, NextProtos: []string{"h2"}}, nil
	}}
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	m := NewManager(Config{Name: "kubelet-client", Template: Client("worker"), Dir: dir, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	rt := m.Transport(trust)
	ask := func() error {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			return err
		}
		answer, err := rt.RoundTrip(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if got, _ := io.ReadAll(answer.Body); string(got) != "HTTP/2.0" {
			t.Errorf("it speaks %s", got)
		}
		return nil
	}
	again := func(data []byte) {
		t.Helper()
		if data != nil {
			if err := dir.SaveCluster("https://127.0.0.1:6443", data, "kubelet-client"); err != nil {
				t.Fatal(err)
			}
			if changed, err := trust.reload(); !changed || err != nil {
				t.Errorf("%t, %v: want a change", changed, err)
			}
		}
		m.changed() // connections end
	}
	if err := ask(); err != nil {
		t.Fatal(err)
	}
	serving = next.issue(t)
	if again(nil); ask() == nil {
		t.Error("a server of another authority is believed")
	}
	if again(append(old.pem(), next.pem()...)); ask() != nil {
		t.Error("the server of the next authority is a stranger")
	}
	serving = old.issue(t)
	if again(next.pem()); ask() == nil {
		t.Error("a server of the authority before is believed")
	}
}

func TestTrust_KeepsWhatItHas(t *testing.T) {
	a, dir := newCA(t), openDir(t)
	trust := trusting(t, dir, a.pem())
	for name, data := range map[string][]byte{
		"no certificate": []byte("words"), "a broken one": []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
	} {
		if err := dir.SaveCluster("https://127.0.0.1:6443", data, "kubelet-client"); err != nil {
			t.Fatal(err)
		}
		if changed, err := trust.reload(); changed || err == nil || !trust.Signed(a.issue(t).Leaf) {
			t.Errorf("%s: %t, %v", name, changed, err)
		}
	}
	if trust.Signed(newCA(t).issue(t).Leaf) {
		t.Error("a stranger with the right name is trusted")
	}
}

// TestRun_ANewAuthority: a certificate by an authority that is trusted no more is replaced, while it is in force.
func TestRun_ANewAuthority(t *testing.T) {
	dir := openDir(t)
	synctest.Test(t, func(t *testing.T) {
		old, next := newCA(t), newCA(t)
		s := newSigner(t)
		s.key = old.key
		trust := trusting(t, dir, old.pem())
		m := NewManager(Config{Name: "kubelet-client", Template: Client("worker"), Dir: dir, Client: s.client, Trusted: trust.Signed, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		defer running(t, m)()
		s.sign(30*time.Minute, nil)
		first := m.Current()
		time.Sleep(time.Minute)
		if s.asked.Load() != 1 || first == nil {
			t.Fatalf("asked %d times, want once", s.asked.Load())
		}
		if err := dir.SaveCluster("https://127.0.0.1:6443", next.pem(), "kubelet-client"); err != nil {
			t.Fatal(err)
		}
		if _, err := trust.reload(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(firstRetry + lookEvery)
		s.key = next.key
		if s.sign(30*time.Minute, nil); s.asked.Load() != 2 || m.Current() == first {
			t.Errorf("asked %d times, want for one by the next authority", s.asked.Load())
		}
	})
}
