package counterparts

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/dexidp/dex/server"
	"github.com/dexidp/dex/storage"
	"github.com/dexidp/dex/storage/memory"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"golang.org/x/crypto/bcrypt"
)

// Dex knows ann by her password; the server knows her by what Dex has signed.
func TestDex(t *testing.T) {
	l, caFile := listener(t)
	issuer := "https://" + l.Addr().String() + "/dex"
	where, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/dexidp/dex").Output()
	if err != nil {
		t.Fatal(err)
	}
	log := logrus.New()
	log.Out = io.Discard
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.DefaultCost)
	if err != nil {
		t.Fatal(err)
	}
	kept := memory.New(log)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	const callback = "http://127.0.0.1/callback"
	must(kept.CreateClient(storage.Client{ID: "coracle", Secret: "hush", RedirectURIs: []string{callback}}))
	must(kept.CreatePassword(storage.Password{Email: "ann@example.com", Hash: hash, Username: "ann", UserID: "1001"}))
	must(kept.CreateConnector(storage.Connector{ID: server.LocalConnector, Type: server.LocalConnector, Name: "Email", ResourceVersion: "1"}))
	dex, err := server.NewServer(context.WithoutCancel(t.Context()), server.Config{
		Issuer: issuer, Storage: kept, SkipApprovalScreen: true, Logger: log, PrometheusRegistry: prometheus.NewRegistry(),
		RotateKeysAfter: 3 * time.Second, IDTokensValidFor: time.Hour,
		Web: server.WebConfig{Dir: filepath.Join(strings.TrimSpace(string(where)), "web")},
	})
	must(err)
	running := &http.Server{Handler: dex}
	go running.Serve(l)
	defer running.Close()

	c := up(t, "--oidc-issuer-url", issuer, "--oidc-client-id", "coracle", "--oidc-ca-file", caFile, "--oidc-username-claim", "email")
	token := func() string { return login(t, trusting(t, caFile), issuer, callback) }
	as := func(token string) string { return who(t, c.client(), c.url, "Authorization", "Bearer "+token) }

	first := token()
	eventually(t, "ann is known", func() bool { return strings.HasPrefix(as(first), "ann@example.com system:authenticated") })
	if got := as(first[:len(first)-8] + "AAAAAAAA"); got != "401" {
		t.Errorf("with a forged signature: %s", got)
	}
	// Dex takes a new key every three seconds; what it signs with it is believed, and what it signed before still is.
	eventually(t, "another key signs", func() bool {
		next := token()
		return header(next) != header(first) && strings.HasPrefix(as(next), "ann@example.com ")
	})
	if got := as(first); !strings.HasPrefix(got, "ann@example.com ") {
		t.Errorf("by the token of before: %s", got)
	}
	last := token()
	if got := as(last); !strings.HasPrefix(got, "ann@example.com ") {
		t.Errorf("by the last token: %s", got)
	}
	// An issuer that is gone lets the present keys do.
	running.Close()
	if got := as(last); !strings.HasPrefix(got, "ann@example.com ") {
		t.Errorf("while the issuer is down: %s", got)
	}
}

// login goes through Dex's pages as a browser would, and fetches the ID token.
func login(t *testing.T, client *http.Client, issuer, callback string) string {
	t.Helper()
	stop := errors.New("back at the client")
	code := ""
	client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), callback) {
			code = r.URL.Query().Get("code")
			return stop
		}
		return nil
	}
	ask := url.Values{"client_id": {"coracle"}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid email profile"}, "state": {"s"}}
	page, err := client.Get(issuer + "/auth?" + ask.Encode())
	if err != nil {
		t.Fatal(err)
	}
	form, err := io.ReadAll(page.Body)
	page.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	to := page.Request.URL
	if m := regexp.MustCompile(`action="([^"]*)"`).FindSubmatch(form); m != nil && len(m[1]) > 0 {
		if to, err = to.Parse(strings.ReplaceAll(string(m[1]), "&amp;", "&")); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := client.PostForm(to.String(), url.Values{"login": {"ann@example.com"}, "password": {"secret"}})
	if err == nil {
		answer.Body.Close()
	}
	if code == "" {
		t.Fatalf("no code from Dex: %v (%s)\n%s", err, to, form)
	}
	r, err := http.NewRequest("POST", issuer+"/token", strings.NewReader(url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}}.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("coracle", "hush")
	answer, err = client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var tokens struct {
		IDToken string `json:"id_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&tokens); err != nil || tokens.IDToken == "" {
		t.Fatalf("no ID token from Dex: %s %v", answer.Status, err)
	}
	return tokens.IDToken
}
