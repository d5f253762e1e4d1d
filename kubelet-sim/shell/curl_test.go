package shell

import (
	"bytes"
	"context"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestCurl_JudgesByTheContainersClock(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "ok") }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	defer s.Close()
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	for want, now := range map[string]time.Time{
		"ok": s.Certificate().NotAfter.Add(-time.Hour),
		"curl: (60) SSL certificate problem: certificate has expired\n":      s.Certificate().NotAfter.Add(time.Hour),
		"curl: (60) SSL certificate problem: certificate is not yet valid\n": s.Certificate().NotBefore.Add(-time.Hour),
	} {
		c := container()
		c.Now = func() time.Time { return now }
		c.Files.(files)["/ca.crt"] = ca
		c.Env = []string{"KUBERNETES_SERVICE_HOST=127.0.0.1"} // which its certificate names
		c.Dial = func(ctx context.Context) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", s.Listener.Addr().String())
		}
		var out bytes.Buffer
		if _, err := c.Run(t.Context(), []string{"curl", "-s", "--cacert", "/ca.crt", "https://127.0.0.1"}, Streams{Out: &out, Err: &out}); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("at %s: %q, want %q", now, out.String(), want)
		}
	}
}
