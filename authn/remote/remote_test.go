package remote

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

func serve(t *testing.T) (s *httptest.Server, ca []byte) {
	s = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, r.Proto+" "+r.Header.Get("Authorization"))
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

func write(t *testing.T, path string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func ask(c *http.Client, url string) (string, error) {
	response, err := c.Get(url)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func TestClient_JudgesByTheClockThatIsGiven(t *testing.T) {
	s, ca := serve(t)
	file := write(t, filepath.Join(t.TempDir(), "ca.crt"), ca)
	for name, trust := range map[string]rest.TLSClientConfig{"data": {CAData: ca}, "a file": {CAFile: file}} {
		t.Run(name, func(t *testing.T) {
			for want, now := range map[string]time.Time{
				"":                          s.Certificate().NotAfter.Add(-time.Hour),
				"has expired or is not yet": s.Certificate().NotAfter.Add(time.Hour),
				"is not yet valid: current": s.Certificate().NotBefore.Add(-time.Hour),
			} {
				c, err := Client(&rest.Config{Host: s.URL, BearerToken: "ours", TLSClientConfig: trust}, func() time.Time { return now })
				if err != nil {
					t.Fatal(err)
				}
				got, err := ask(c, s.URL)
				switch {
				case want == "" && (err != nil || got != "HTTP/2.0 Bearer ours"):
					t.Errorf("at %s: %q, %v", now, got, err)
				case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
					t.Errorf("at %s: %v, want %s", now, err, want)
				}
			}
		})
	}
}

func selfsigned(t *testing.T) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestClient_TrustsWhatIsInTheFileNow(t *testing.T) {
	s, ca := serve(t)
	file := write(t, filepath.Join(t.TempDir(), "ca.crt"), selfsigned(t))
	c, err := Client(&rest.Config{Host: s.URL, TLSClientConfig: rest.TLSClientConfig{CAFile: file}}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ask(c, s.URL); err == nil {
		t.Errorf("a stranger answered %q", got)
	}
	write(t, file, ca)
	if _, err := ask(c, s.URL); err != nil {
		t.Errorf("trusted by now: %v", err)
	}
	c.CloseIdleConnections()
	write(t, file, nil) // half written
	if _, err := ask(c, s.URL); err != nil {
		t.Errorf("trusted the last time: %v", err)
	}
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	config := map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "c",
		"contexts": []any{map[string]any{"name": "c", "context": map[string]any{"cluster": "s", "user": "u"}}},
		"clusters": []any{map[string]any{"name": "s", "cluster": map[string]any{"server": "https://authn.example/authenticate"}}},
		"users":    []any{map[string]any{"name": "u", "user": map[string]any{"token": "ours"}}},
	}
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(write(t, filepath.Join(dir, "good"), data))
	if err != nil || got.Host != "https://authn.example/authenticate" || got.BearerToken != "ours" || got.Timeout != Patience {
		t.Errorf("%+v, %v", got, err)
	}
	for _, path := range []string{filepath.Join(dir, "absent"), write(t, filepath.Join(dir, "empty"), nil), write(t, filepath.Join(dir, "broken"), []byte("{"))} {
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
