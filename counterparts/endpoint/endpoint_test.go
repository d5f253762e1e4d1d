package endpoint

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestOpen_KeepsItsCertificateAndItsSecret(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made")
	open := func(now time.Time) *Endpoint {
		t.Helper()
		e, err := Open(dir, "127.0.0.1:0", now)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { e.listener.Close() })
		return e
	}
	now := time.Now()
	first := open(now)
	if !bytes.Equal(first.CA, open(now).CA) {
		t.Error("another start has another certificate: clients would have to be told")
	}
	info, err := os.Stat(filepath.Join(dir, keyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key has mode %v (%v), want 0600", info.Mode(), err)
	}
	if bytes.Equal(first.CA, open(now.Add(lifetime)).CA) {
		t.Error("a certificate that is over stays")
	}
	if _, err := Open(dir, "127.0.0.1", now); err == nil {
		t.Error("an address without a port is taken")
	}
}

func TestServe_IsKnownByItsCertificate(t *testing.T) {
	e, err := Open(t.TempDir(), "127.0.0.1:0", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- e.Serve(ctx, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), nil)
	}()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(e.CA)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	defer transport.CloseIdleConnections()
	answer, err := (&http.Client{Transport: transport}).Get(e.URL)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}
