package oidc

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coracle/authn"
)

var _ authn.Reloader = (*File)(nil)

func TestFile_Reload(t *testing.T) {
	const head = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\nanonymous: {enabled: true, conditions: [{path: /livez}]}\njwt:\n"
	issuer := func(url, prefix string) string {
		return "- issuer: {url: '" + url + "', audiences: [kubernetes]}\n  claimMappings: {username: {claim: sub, prefix: '" + prefix + "'}}\n"
	}
	p := newIDP(t, "one")
	path := filepath.Join(t.TempDir(), "authentication.yaml")
	mod := noon
	save := func(data string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		mod = mod.Add(time.Second)
		os.Chtimes(path, mod, mod)
	}
	save(head + issuer(idpURL, "a:"))
	f, err := OpenFile(path, Options{Transport: p, Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	if !f.Anonymous.Enabled || f.Anonymous.Conditions[0].Path != "/livez" {
		t.Errorf("anonymous is %+v", f.Anonymous)
	}
	check := func(when string, changed bool, wantErr, who string) {
		t.Helper()
		got, err := f.Reload(t.Context())
		if got != changed || (err == nil) != (wantErr == "") || err != nil && !strings.Contains(err.Error(), wantErr) {
			t.Errorf("%s: changed %t, error %v; want %t, %q", when, got, err, changed, wantErr)
		}
		if again, err := f.Reload(t.Context()); again || err != nil {
			t.Errorf("%s, a second look: changed %t, error %v", when, again, err)
		}
		a := f.Authenticate(t.Context(), &authn.Credentials{Token: p.token(t, "one", nil)})
		if a.User == nil || a.User.GetName() != who {
			t.Errorf("%s: %v (%v), want %s", when, a.User, a.Why, who)
		}
	}
	check("at first", false, "", "a:alice")
	save(head + issuer(idpURL, "b:"))
	check("another prefix", true, "", "b:alice")
	save(head + issuer(idpURL, "c:") + "  nonsense: 1\n")
	check("an unknown field", false, `unknown field "jwt[0].nonsense"`, "b:alice")
	save(head + issuer("http://idp.example", "c:"))
	check("an issuer over HTTP", false, "URL scheme must be https", "b:alice")
	save(strings.Replace(head, "/livez", "/api", 1) + issuer(idpURL, "c:"))
	check("anonymous elsewhere", false, "anonymous: Forbidden: changed from initial configuration file", "b:alice")
	save(head + issuer(idpURL, "c:") + issuer("https://new.example", "n:"))
	check("an issuer that is not there", false, `authenticator for issuer "https://new.example" is not healthy`, "b:alice")
	p.change(func() {
		p.pages["https://new.example"+wellKnown] = `{"issuer":"https://new.example","jwks_uri":"` + idpURL + `/keys"}`
	})
	check("when it is there", true, "", "c:alice")
	save(head + issuer("https://newer.example", "d:"))
	p.change(func() {
		p.pages["https://newer.example"+wellKnown] = `{"issuer":"https://newer.example","jwks_uri":"` + idpURL + `/keys"}`
	})
	over, end := context.WithCancel(t.Context())
	end()
	if _, err := f.Reload(over); err == nil {
		t.Error("an issuer was reached after the context had ended")
	}
	os.Remove(path)
	check("removed", false, "no such file", "c:alice")
}

func TestOpenFile_SaysWhatIsWrong(t *testing.T) {
	path := filepath.Join(t.TempDir(), "authentication.yaml")
	if _, err := OpenFile(path, Options{}); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte("apiVersion: apiserver.config.k8s.io/v1\nkind: AuthenticationConfiguration\nanonymous: {enabled: false, conditions: [{path: /}]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(path, Options{}); err == nil || !strings.HasPrefix(err.Error(), "invalid authentication configuration: anonymous.conditions: Invalid value") {
		t.Errorf("nonsense: %v", err)
	}
}
