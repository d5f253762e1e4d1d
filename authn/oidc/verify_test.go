package oidc

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"coracle/authn"
)

func TestAuthenticate_Attacks(t *testing.T) {
	p := newIDP(t, "one", "two")
	public, err := x509.MarshalPKIXPublicKey(p.keys["one"].Public())
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := p.token(t, "one", nil)
	split := strings.Split(good, ".")
	encode := base64.RawURLEncoding.EncodeToString
	const (
		noFit    = `the token's signature does not fit: it was changed, or "https://idp.example" did not sign it`
		badlySig = "oidc: verify token: failed to verify signature: failed to verify id token signature"
	)
	for name, test := range map[string]struct {
		raw       string
		verdict   authn.Verdict
		why, says string // prefixes
	}{
		"good":             {raw: good, verdict: authn.Accepted},
		"good without kid": {raw: sign(t, jwt.SigningMethodES256, p.keys["two"], "", nil), verdict: authn.Accepted},
		"alg none": {raw: sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "one", nil), verdict: authn.Refused,
			why: `the token says that it is signed with "none"; only ["ES256"`, says: `oidc: verify token: oidc: id token signed with unsupported algorithm, expected ["ES256"`},
		"HMAC with the public key": {raw: sign(t, jwt.SigningMethodHS256, public, "one", nil), verdict: authn.Refused,
			why: `the token says that it is signed with "HS256"`, says: "oidc: verify token: oidc: id token signed with unsupported algorithm"},
		"an algorithm of fancy": {raw: encode([]byte(`{"alg":"XY1"}`)) + "." + split[1] + "." + split[2], verdict: authn.Refused,
			why: `the token says that it is signed with "XY1"`, says: "oidc: verify token: oidc: id token signed with unsupported algorithm"},
		"an RSA key under an EC key's id":        {raw: sign(t, jwt.SigningMethodRS256, rsaKey, "one", nil), verdict: authn.Refused, why: noFit, says: badlySig},
		"a stranger's key under the issuer's id": {raw: sign(t, jwt.SigningMethodES256, newKey(t), "one", nil), verdict: authn.Refused, why: noFit, says: badlySig},
		"one key's id, the other's signature":    {raw: sign(t, jwt.SigningMethodES256, p.keys["two"], "one", nil), verdict: authn.Refused, why: noFit, says: badlySig},
		"an id that is not published": {raw: sign(t, jwt.SigningMethodES256, newKey(t), "three", nil), verdict: authn.Refused,
			why: `the token was signed with key id "three", which "https://idp.example" does not publish`, says: badlySig},
		"no signature":    {raw: split[0] + "." + split[1] + ".", verdict: authn.Refused, why: noFit, says: badlySig},
		"changed":         {raw: split[0] + "." + encode([]byte(`{"iss":"https://idp.example","sub":"admin","aud":"kubernetes","exp":9999999999}`)) + "." + split[2], verdict: authn.Refused, why: noFit, says: badlySig},
		"demands":         {raw: encode([]byte(`{"alg":"ES256","kid":"one","crit":["b64"]}`)) + "." + split[1] + "." + split[2], verdict: authn.Refused, why: badlySig, says: badlySig},
		"another issuer":  {raw: p.token(t, "one", said{"iss": "https://other.example"}), verdict: authn.Passed, why: `the token's issuer is "https://other.example"; those configured are ["https://idp.example"]`},
		"a slash more":    {raw: p.token(t, "one", said{"iss": idpURL + "/"}), verdict: authn.Passed, why: `the token's issuer is "https://idp.example/"`},
		"another client":  {raw: p.token(t, "one", said{"aud": "dashboard"}), verdict: authn.Refused, why: `the token is for the audiences ["dashboard"], and one of ["kubernetes"] is wanted`, says: `oidc: verify token: oidc: expected audience "kubernetes" got ["dashboard"]`},
		"no audience":     {raw: p.token(t, "one", said{"aud": nil}), verdict: authn.Refused, why: `the token is for the audiences [], and one of ["kubernetes"] is wanted`, says: `oidc: verify token: oidc: expected audience "kubernetes" got []`},
		"several, ours":   {raw: p.token(t, "one", said{"aud": []string{"a", "kubernetes"}}), verdict: authn.Accepted},
		"expired":         {raw: p.token(t, "one", said{"exp": noon.Add(-3 * time.Minute).Unix()}), verdict: authn.Refused, why: "the token expired 3 minutes ago", says: "oidc: verify token: oidc: token is expired (Token Expiry: 20"},
		"just expired":    {raw: p.token(t, "one", said{"exp": noon.Unix() - 1}), verdict: authn.Refused, why: "the token expired 1 second ago", says: "oidc: verify token: oidc: token is expired (Token Expiry: 20"},
		"without an end":  {raw: p.token(t, "one", said{"exp": nil}), verdict: authn.Refused, why: "the token does not say when it expires", says: "oidc: verify token: oidc: token is expired (Token Expiry: 0001-01-01"},
		"an end in words": {raw: p.token(t, "one", said{"exp": "never"}), verdict: authn.Refused, why: "oidc: verify token: oidc: failed to unmarshal claims", says: "oidc: verify token: oidc: failed to unmarshal claims"},
		"not yet":         {raw: p.token(t, "one", said{"nbf": noon.Add(5 * time.Minute).Unix()}), verdict: authn.Refused, why: "the token is not valid for another 5 minutes", says: "oidc: verify token: oidc: current time 2026-03-01 12:00:00 +0000 UTC before the nbf"},
		"nearly":          {raw: p.token(t, "one", said{"nbf": noon.Add(50 * time.Second).Unix()}), verdict: authn.Accepted},
		"nobody":          {raw: p.token(t, "one", said{"sub": nil}), verdict: authn.Refused, why: `oidc: parse username claims "sub": claim not present`, says: `oidc: parse username claims "sub": claim not present`},
		"a number":        {raw: p.token(t, "one", said{"sub": 7}), verdict: authn.Refused, why: `oidc: parse username claims "sub": json: cannot`, says: `oidc: parse username claims "sub": json: cannot`},
		"no JWT":          {raw: "hello", verdict: authn.Passed, why: "it is not a JSON Web Token"},
		"four parts":      {raw: good + ".x", verdict: authn.Passed, why: "it is not a JSON Web Token"},
		"a bad header":    {raw: "e30e30*." + split[1] + "." + split[2], verdict: authn.Refused, why: "it is not a JSON Web Token", says: "oidc: verify token: oidc: malformed jwt: "},
	} {
		t.Run(name, func(t *testing.T) {
			u := newUnder(t, p, basic())
			got := u.ask(test.raw)
			if got.Verdict != test.verdict {
				t.Fatalf("%s (%v), want %s", got.Verdict, got.Why, test.verdict)
			}
			seen, says := why(got)
			if diff := cmp.Diff([]string{test.why, test.says}, []string{cut(seen, test.why), cut(says, test.says)}); diff != "" {
				t.Errorf("why, and Kubernetes' sentence (-want +got):\n%s", diff)
			}
			if (got.User != nil) != (test.verdict == authn.Accepted) {
				t.Errorf("user is %v", got.User)
			}
		})
	}
}

func cut(s, want string) string {
	if want == "" {
		return s
	}
	return s[:min(len(s), len(want))]
}

func TestAuthenticate_OnlyAllowedAlgorithms(t *testing.T) {
	p := newIDP(t, "one")
	issuers, err := Compile(basic(), Options{Transport: p, Now: func() time.Time { return noon }, Algorithms: []string{"RS256"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	a := New(issuers, func() time.Time { return noon })
	got := a.Authenticate(t.Context(), &authn.Credentials{Token: p.token(t, "one", nil)})
	if _, says := why(got); says != `oidc: verify token: oidc: id token signed with unsupported algorithm, expected ["RS256"] got "ES256"` {
		t.Errorf("%s: %s", got.Verdict, says)
	}
	for _, alg := range []string{"none", "HS256", "EdDSA", ""} {
		if _, err := Compile(basic(), Options{Algorithms: []string{alg}}, nil); err == nil {
			t.Errorf("%q may be allowed", alg)
		}
	}
}

func TestParseKeySet(t *testing.T) {
	good := func() map[string]string { return jwkOf("k", newKey(t)) }
	rsaKey := func(bits int) map[string]string {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		return map[string]string{"kty": "RSA", "n": base64.RawURLEncoding.EncodeToString(k.N.Bytes()), "e": "AQAB"}
	}
	change := func(j map[string]string, field, value string) map[string]string { j[field] = value; return j }
	for name, test := range map[string]struct {
		key  map[string]string
		good bool
	}{
		"EC":                    {good(), true},
		"RSA":                   {rsaKey(2048), true},
		"for no named use":      {change(good(), "use", ""), true},
		"for encryption":        {change(good(), "use", "enc"), false},
		"for another algorithm": {change(good(), "alg", "RS256"), false},
		"for its algorithm":     {change(good(), "alg", "ES256"), true},
		"of a secret":           {map[string]string{"kty": "oct", "k": "c2VjcmV0"}, false},
		"weak RSA":              {rsaKey(1024), false},
		"RSA with exponent 1":   {change(rsaKey(2048), "e", "AQ"), false},
		"RSA with a huge one":   {change(rsaKey(2048), "e", "AQABAQAB"), false},
		"RSA with a huge N":     {change(rsaKey(2048), "n", strings.Repeat("_", 4000)), false},
		"not on the curve":      {change(good(), "y", base64.RawURLEncoding.EncodeToString(make([]byte, 32))), false},
		"of another curve":      {change(good(), "crv", "P-384"), false},
		"of an unknown curve":   {change(good(), "crv", "secp256k1"), false},
		"short":                 {change(good(), "x", "AQ"), false},
		"no base64":             {change(good(), "x", "***"), false},
	} {
		_, ok := parseKey(mustJSON(t, test.key))
		if ok != test.good {
			t.Errorf("%s: taken %t, want %t", name, ok, test.good)
		}
	}
	for name, data := range map[string]string{
		"empty":       `{}`,
		"no JSON":     `<html>`,
		"only others": `{"keys":[{"kty":"oct"},7,null]}`,
		"very many":   `{"keys":[` + strings.Repeat(`{},`, maxKeys) + `{}]}`,
	} {
		if _, err := parseKeySet([]byte(data)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzVerify(f *testing.F) {
	p := newIDP(f, "one")
	u := newUnder(f, p, basic())
	good := p.token(f, "one", nil)
	f.Add(good)
	f.Add("e30.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIn0.")
	f.Fuzz(func(t *testing.T, raw string) {
		if a := u.Authenticate(t.Context(), &authn.Credentials{Token: raw}); a.Verdict == authn.Accepted && raw != good {
			t.Errorf("accepted what nobody signed: %q", raw)
		}
	})
}

func FuzzParseKeySet(f *testing.F) {
	f.Add(newIDP(f, "one").jwks())
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := parseKeySet(data); err == nil && len(s.keys) == 0 {
			t.Error("no keys and no error")
		}
	})
}

func BenchmarkAuthenticate(b *testing.B) {
	p := newIDP(b, "one")
	u := newUnder(b, p, basic())
	raw := p.token(b, "one", said{"groups": []string{"dev", "ops"}})
	b.Run("remembered", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if a := u.ask(raw); a.Verdict != authn.Accepted {
				b.Fatal(a.Why)
			}
		}
	})
	b.Run("first seen", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			u.seen.Clear()
			if a := u.ask(raw); a.Verdict != authn.Accepted {
				b.Fatal(a.Why)
			}
		}
	})
}
