package oidc

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"coracle/authn"
)

func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// settle waits for keys that are being fetched in the background.
func (u *under) settle() {
	for _, i := range u.Issuers().by {
		i.source.asking.Do("", func() (any, error) { return nil, nil })
	}
}

func TestSource_RotationIsNoticedAtOnce(t *testing.T) {
	p := newIDP(t, "one")
	u := newUnder(t, p, basic())
	if a := u.ask(p.token(t, "one", nil)); a.Verdict != authn.Accepted {
		t.Fatal(a.Why)
	}
	p.change(func() { p.keys["two"] = newKey(t) })
	u.now = noon.Add(retryAfter)
	if a := u.ask(p.token(t, "two", nil)); a.Verdict != authn.Accepted {
		t.Errorf("a token of a new key: %v", a.Why)
	}
	if a := u.ask(p.token(t, "one", nil)); a.Verdict != authn.Accepted {
		t.Errorf("a token of the old key, which is still published: %v", a.Why)
	}
}

func TestSource_MadeUpKeyIDsDoNotMakeUsAsk(t *testing.T) {
	p := newIDP(t, "one")
	u := newUnder(t, p, basic())
	for i := range 50 {
		if a := u.ask(sign(t, jwt.SigningMethodES256, newKey(t), fmt.Sprint(i), nil)); a.Verdict != authn.Refused {
			t.Fatal("accepted")
		}
	}
	if n := p.asked(idpURL + "/keys"); n != 1 {
		t.Errorf("the issuer was asked %d times, want once", n)
	}
	u.now = noon.Add(retryAfter)
	u.ask(sign(t, jwt.SigningMethodES256, newKey(t), "x", nil))
	if n := p.asked(idpURL + "/keys"); n != 2 {
		t.Errorf("after a while the issuer was asked %d times, want twice", n)
	}
}

func TestSource_WithdrawnKeyEndsRememberedTokens(t *testing.T) {
	p := newIDP(t, "one", "two")
	u := newUnder(t, p, basic())
	raw := p.token(t, "one", said{"exp": noon.Add(24 * time.Hour).Unix()})
	if a := u.ask(raw); a.Verdict != authn.Accepted {
		t.Fatal(a.Why)
	}
	p.change(func() { delete(p.keys, "one") })
	u.now = noon.Add(renewAfter + time.Second)
	u.ask(p.token(t, "two", nil)) // somebody else's token is what makes us look again
	u.settle()
	u.now = u.now.Add(retryAfter)
	if a := u.ask(raw); a.Verdict != authn.Refused {
		t.Error("a token of a key that was withdrawn is still accepted")
	}
}

func TestSource_OutagesAreSurvived(t *testing.T) {
	p := newIDP(t, "one")
	p.down = true
	u := newUnder(t, p, basic())
	ask := func(when string, want authn.Verdict) {
		t.Helper()
		u.seen.Clear()
		if a := u.ask(p.token(t, "one", said{"exp": noon.Add(240 * time.Hour).Unix()})); a.Verdict != want {
			t.Errorf("%s: %s (%v), want %s", when, a.Verdict, a.Why, want)
		}
		u.settle()
	}
	ask("down from the start", authn.Refused)
	seen, says := why(u.ask(p.token(t, "one", nil)))
	if want := `the keys of "https://idp.example" could not be fetched, so that the token cannot be judged: Get "https://idp.example/.well-known/openid-configuration": connection refused`; seen != want {
		t.Errorf("why is %s", seen)
	}
	if !strings.HasPrefix(says, "oidc: verify token: failed to verify signature: fetching keys ") {
		t.Errorf("Kubernetes' sentence is %s", says)
	}
	p.change(func() { p.down = false })
	ask("up again, a moment later", authn.Refused)
	u.now = noon.Add(retryAfter)
	ask("up again", authn.Accepted)
	p.change(func() { p.down = true })
	u.now = noon.Add(48 * time.Hour)
	ask("down for two days", authn.Accepted)
	ask("and still", authn.Accepted)
	if n := p.asked(idpURL + wellKnown); n > 4 {
		t.Errorf("a dead issuer was asked %d times", n)
	}
}

func TestSource_DoesNotBelieveAnybody(t *testing.T) {
	huge := strings.Repeat(" ", maxDocument+1)
	for name, test := range map[string]struct {
		pages map[string]string
		want  string
	}{
		"another issuer's configuration": {map[string]string{idpURL + wellKnown: `{"issuer":"https://evil.example","jwks_uri":"https://idp.example/keys"}`}, `oidc: issuer did not match the issuer returned by provider, expected "https://idp.example" got "https://evil.example"`},
		"keys over HTTP":                 {map[string]string{idpURL + wellKnown: `{"issuer":"https://idp.example","jwks_uri":"http://idp.example/keys"}`}, `oidc: the provider's jwks_uri "http://idp.example/keys" is no https URL`},
		"keys from a file":               {map[string]string{idpURL + wellKnown: `{"issuer":"https://idp.example","jwks_uri":"file:///etc/passwd"}`}, `oidc: the provider's jwks_uri "file:///etc/passwd" is no https URL`},
		"no keys named":                  {map[string]string{idpURL + wellKnown: `{"issuer":"https://idp.example"}`}, `oidc: the provider's jwks_uri "" is no https URL`},
		"no JSON":                        {map[string]string{idpURL + wellKnown: `<html>`}, "oidc: failed to decode provider discovery object: invalid character"},
		"keys that are not there":        {map[string]string{idpURL + wellKnown: `{"issuer":"https://idp.example","jwks_uri":"https://idp.example/nowhere"}`}, "https://idp.example/nowhere answered 404 Not Found"},
		"a huge document":                {map[string]string{idpURL + wellKnown: huge}, "https://idp.example/.well-known/openid-configuration answered more than 1 MiB"},
		"no key":                         {map[string]string{idpURL + "/keys": `{"keys":[]}`}, "oidc: the key set has no key that signs tokens"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newIDP(t, "one")
			p.pages = test.pages
			u := newUnder(t, p, basic())
			err := u.Issuers().Reach(t.Context())
			if want := `oidc: authenticator for issuer "https://idp.example" is not healthy: ` + test.want; err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%v, want %s", err, want)
			}
			if a := u.ask(p.token(t, "one", nil)); a.Verdict != authn.Refused {
				t.Errorf("a token was %s", a.Verdict)
			}
		})
	}
}
