package counterparts

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The issuer that the JavaScript world uses signs with elliptic curves, asks for PKCE and for consent. People log in there with
// `coracle get-token`, by its pages.
func TestOIDCProvider(t *testing.T) {
	issuer, caFile := oidcProvider(t)
	c := up(t, "--oidc-issuer-url", issuer, "--oidc-client-id", "coracle", "--oidc-ca-file", caFile, "--oidc-signing-algs", "ES256",
		"--oidc-username-prefix", "js:", "--oidc-groups-claim", "groups", "--oidc-groups-prefix", "js:")
	as := func(token string) string { return who(t, c.client(), c.url, "Authorization", "Bearer "+token) }
	ann := plugin{t: t, issuer: issuer, client: "coracle", caFile: caFile, cache: t.TempDir()}
	const known = "js:ann js:sailors,system:authenticated"

	first, asked := ann.token("ann")
	if !asked {
		t.Error("nobody had to log in")
	}
	eventually(t, "ann is known", func() bool { return as(first) == known })
	if got := as(first[:len(first)-8] + "AAAAAAAA"); got != "401" {
		t.Errorf("with a forged signature: %s", got)
	}
	elsewhere := plugin{t: t, issuer: issuer, client: "another", caFile: caFile, cache: t.TempDir()}
	if token, _ := elsewhere.token("ann"); as(token) != "401" {
		t.Errorf("by a token for another client: %s", as(token))
	}
	// It is half a minute and a second until the token ends: after the second another is fetched, without a login.
	var second string
	eventually(t, "the token is refreshed", func() bool { second, asked = ann.token("ann"); return second != first })
	if got := as(second); asked || got != known {
		t.Errorf("by the refreshed token, for which somebody had to log in: %t: %s", asked, got)
	}
	answer, err := trusting(t, caFile).Post(issuer+"/rotate", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	bob := plugin{t: t, issuer: issuer, client: "coracle", caFile: caFile, cache: t.TempDir()}
	third, _ := bob.token("bob")
	if header(third) == header(second) {
		t.Error("the issuer has not changed its key")
	}
	eventually(t, "the new key is believed", func() bool { return as(third) == strings.Replace(known, "ann", "bob", 1) })
	eventually(t, "the key that was taken back is not", func() bool { return as(second) == "401" })
}

func header(token string) string { h, _, _ := strings.Cut(token, "."); return h }

// withPackages is a copy of a directory of testdata, with the packages that its lock file names.
func withPackages(t *testing.T, name string) (dir string) {
	t.Helper()
	npm := program(t, "npm")
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", name))); err != nil {
		t.Fatal(err)
	}
	install := exec.Command(npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	if said, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, said)
	}
	return dir
}

// oidcProvider runs the issuer of testdata.
func oidcProvider(t *testing.T) (issuer, caFile string) {
	t.Helper()
	node := program(t, "node")
	dir := withPackages(t, "oidc-provider")
	_, caFile, keyFile := certificate(t)
	cmd := exec.Command(node, "issuer.js", caFile, keyFile)
	cmd.Dir = dir
	for line := range started(t, cmd) {
		if url, ok := strings.CutPrefix(line, "listening "); ok {
			return url, caFile
		}
	}
	t.Fatal("the issuer ended")
	return "", ""
}

// plugin is `coracle get-token`, as kubectl runs it.
type plugin struct {
	t                             *testing.T
	issuer, client, caFile, cache string
}

// token logs a user in if that is asked for, which it tells.
func (p plugin) token(user string) (token string, asked bool) {
	t := p.t
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, coracle(t), "get-token", "--issuer-url", p.issuer, "--client-id", p.client, "--certificate-authority", p.caFile, "--cache-dir", p.cache)
	var out bytes.Buffer
	cmd.Stdout = &out
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for scanner := bufio.NewScanner(said); scanner.Scan(); {
		lines = append(lines, scanner.Text())
		if page := strings.TrimSpace(scanner.Text()); strings.HasPrefix(page, p.issuer) {
			asked = true
			browse(t, trusting(t, p.caFile), page, user)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("coracle get-token: %v\n%s", err, strings.Join(lines, "\n"))
	}
	var credential struct{ Status struct{ Token string } }
	if err := json.Unmarshal(out.Bytes(), &credential); err != nil || credential.Status.Token == "" {
		t.Fatalf("coracle get-token printed no credential: %v", err)
	}
	return credential.Status.Token, asked
}

// browse goes through forms, as somebody who agrees to everything, until there is none.
func browse(t *testing.T, client *http.Client, page, user string) {
	t.Helper()
	client.Jar, _ = cookiejar.New(nil)
	answer, err := client.Get(page)
	form, input := regexp.MustCompile(`<form[^>]* action="([^"]*)"`), regexp.MustCompile(`<input[^>]* name="([^"]*)"(?: value="([^"]*)")?`)
	for range 5 {
		if err != nil {
			t.Errorf("in the browser: %v", err)
			return
		}
		text, err2 := io.ReadAll(answer.Body)
		answer.Body.Close()
		to := form.FindSubmatch(text)
		if err2 != nil || to == nil {
			if answer.StatusCode != http.StatusOK {
				t.Errorf("in the browser: %s %s", answer.Status, text)
			}
			return
		}
		fields := url.Values{}
		for _, m := range input.FindAllSubmatch(text, -1) {
			fields.Set(string(m[1]), html.UnescapeString(string(m[2])))
		}
		if fields.Has("login") {
			fields.Set("login", user)
			fields.Set("password", "any")
		}
		next, err3 := answer.Request.URL.Parse(html.UnescapeString(string(to[1])))
		if err3 != nil {
			t.Error(err3)
			return
		}
		answer, err = client.PostForm(next.String(), fields)
	}
	t.Error("in the browser: there is no end to the forms")
}
