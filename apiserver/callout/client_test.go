package callout

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func server(t *testing.T, h http.HandlerFunc) (url string, ca []byte) {
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

func TestClient_Post(t *testing.T) {
	url, ca := server(t, func(w http.ResponseWriter, r *http.Request) {
		asked, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/echo":
			w.Write(append(asked, r.URL.RawQuery...))
		case "/status":
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusConflict)
			io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Conflict","message":"somebody was quicker","code":409}`)
		case "/plain":
			http.Error(w, "not today", http.StatusServiceUnavailable)
		case "/redirect":
			http.Redirect(w, r, "/echo", http.StatusPermanentRedirect)
		case "/headers":
			for range 1000 {
				w.Header().Add("X-Long", strings.Repeat("x", 1000))
			}
		case "/endless":
			chunk := make([]byte, 1<<20)
			for range 64 {
				if _, err := w.Write(chunk); err != nil {
					return
				}
			}
		}
	})
	for name, tc := range map[string]struct {
		target Target
		want   string
		err    string
	}{
		"an answer":                      {target: Target{URL: url + "/echo", CABundle: ca}, want: "question timeout=10s"},
		"a Status":                       {target: Target{URL: url + "/status", CABundle: ca}, err: "somebody was quicker"},
		"a sentence":                     {target: Target{URL: url + "/plain", CABundle: ca}, err: "the server is currently unable to handle the request"},
		"nothing":                        {target: Target{URL: url + "/nothing", CABundle: ca}, err: "0-length response with status code: 200 and content type: application/json"},
		"a redirection":                  {target: Target{URL: url + "/redirect", CABundle: ca}, err: `Post "` + url + `/redirect?timeout=10s": the webhook redirects, which is not followed`},
		"more than anybody reads":        {target: Target{URL: url + "/endless", CABundle: ca}, err: `Post "` + url + `/endless?timeout=10s": the answer is larger than 8388608 bytes`},
		"more headers than anybody does": {target: Target{URL: url + "/headers", CABundle: ca}, err: "server response headers exceeded 65536 bytes"},
		"no certificate in the bundle":   {target: Target{URL: url + "/echo", CABundle: []byte("none")}, err: "unable to load root certificates: unable to parse bytes as PEM block"},
		"an unknown authority":           {target: Target{URL: url + "/echo"}, err: "certificate signed by unknown authority"},
		"in the clear":                   {target: Target{URL: "http://127.0.0.1/"}, err: "a webhook is asked by https alone"},
		"nowhere":                        {err: "webhook configuration must have either service or URL"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			answer, err := New(tc.target, nil, time.Now).Post(ctx, []byte("question "))
			if string(answer) != tc.want || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("got %.100q, %v; want %q, %s", answer, err, tc.want, tc.err)
			}
		})
	}
}

// A service has to prove that it is that service, whoever its endpoints lead to.
func TestClient_AsksTheServiceItself(t *testing.T) {
	url, ca := server(t, func(http.ResponseWriter, *http.Request) { t.Error("a stranger was asked") })
	dialled := ""
	dial := func(ctx context.Context, namespace, name string, port int32) (net.Conn, error) {
		dialled = namespace + "/" + name
		if port != 443 {
			return nil, errors.New("another port")
		}
		var d net.Dialer
		return d.DialContext(ctx, "tcp", strings.TrimPrefix(url, "https://"))
	}
	_, err := New(Target{Service: &Service{Namespace: "blue", Name: "hook", Path: "/mutate"}, CABundle: ca}, dial, time.Now).Post(t.Context(), []byte("{}"))
	if err == nil || !strings.HasPrefix(err.Error(), `Post "https://hook.blue.svc:443/mutate": tls: failed to verify certificate: x509: certificate is valid for example.com`) {
		t.Error(err)
	}
	if dialled != "blue/hook" {
		t.Errorf("dialled %q", dialled)
	}
}

func TestCertificatesAreJudgedByTheClockThatIsGiven(t *testing.T) {
	url, ca := server(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "{}") })
	block, _ := pem.Decode(ca)
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for want, now := range map[string]time.Time{
		"":                           cert.NotAfter.Add(-time.Hour),
		"has expired or is not yet":  cert.NotAfter.Add(time.Hour),
		"is not yet valid: current ": cert.NotBefore.Add(-time.Hour),
	} {
		_, err := New(Target{URL: url, CABundle: ca}, nil, func() time.Time { return now }).Post(t.Context(), []byte("{}"))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("at %s: %v, want %q", now, err, want)
		}
	}
}
