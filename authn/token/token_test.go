package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const issuerURL = "https://kubernetes.default.svc.cluster.local"

var issued = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newECDSA(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newRSA(t testing.TB, bits int) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newIssuer(t testing.TB, signer crypto.Signer, further ...crypto.PublicKey) *Issuer {
	t.Helper()
	keys, err := NewKeys(signer, further...)
	if err != nil {
		t.Fatal(err)
	}
	return &Issuer{URL: issuerURL, Keys: keys, JWKSURI: "https://192.0.2.2:6443/openid/v1/jwks"}
}

func meta(namespace, name, uid string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(uid)}
}

var (
	account = &corev1.ServiceAccount{ObjectMeta: meta("blue", "some-sa", "sa-uid")}
	pod     = &corev1.Pod{ObjectMeta: meta("blue", "web", "pod-uid")}
	node    = &corev1.Node{ObjectMeta: meta("", "node-1", "node-uid")}
	secret  = &corev1.Secret{ObjectMeta: meta("blue", "some-sa-token-abcde", "secret-uid")}
)

// parts decodes a token's header and claims.
func parts(t testing.TB, raw string) (header, claims map[string]any) {
	t.Helper()
	split := strings.Split(raw, ".")
	if len(split) != 3 {
		t.Fatalf("%d parts, want 3", len(split))
	}
	for i, into := range []*map[string]any{&header, &claims} {
		data, err := base64.RawURLEncoding.DecodeString(split[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, into); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

func TestIssuer_SaysWhatKubernetesSays(t *testing.T) {
	i := newIssuer(t, newECDSA(t, elliptic.P256()))
	public := func(private map[string]any) map[string]any {
		return map[string]any{
			"iss": issuerURL, "sub": "system:serviceaccount:blue:some-sa", "aud": []any{"api"},
			"iat": 1772366400.0, "nbf": 1772366400.0, "exp": 1772370000.0, "jti": "JTI", "kubernetes.io": private,
		}
	}
	ref := func(name, uid string) map[string]any { return map[string]any{"name": name, "uid": uid} }
	request := Request{Account: account, Audiences: []string{"api"}, IssuedAt: issued, Lifetime: time.Hour}
	for name, test := range map[string]struct {
		change func(*Request)
		want   map[string]any
	}{
		"account alone": {func(*Request) {}, public(map[string]any{"namespace": "blue", "serviceaccount": ref("some-sa", "sa-uid")})},
		"pod on a node, outliving what was asked": {func(r *Request) { r.Pod, r.Node, r.WarnAfter = pod, node, 30*time.Minute },
			public(map[string]any{"namespace": "blue", "serviceaccount": ref("some-sa", "sa-uid"), "pod": ref("web", "pod-uid"), "node": ref("node-1", "node-uid"), "warnafter": 1772368200.0})},
		"secret": {func(r *Request) { r.Secret = secret },
			public(map[string]any{"namespace": "blue", "serviceaccount": ref("some-sa", "sa-uid"), "secret": ref("some-sa-token-abcde", "secret-uid")})},
		"node": {func(r *Request) { r.Node = node },
			public(map[string]any{"namespace": "blue", "serviceaccount": ref("some-sa", "sa-uid"), "node": ref("node-1", "node-uid")})},
	} {
		t.Run(name, func(t *testing.T) {
			r := request
			test.change(&r)
			raw, err := i.Bound(r)
			if err != nil {
				t.Fatal(err)
			}
			header, claims := parts(t, raw)
			if diff := cmp.Diff(map[string]any{"alg": "ES256", "kid": i.Keys.Current().Keys()[0].ID}, header); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
			if claims["jti"] != "" {
				claims["jti"] = "JTI"
			}
			if diff := cmp.Diff(test.want, claims); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
		})
	}
	t.Run("legacy", func(t *testing.T) {
		raw, err := i.Legacy(account, secret)
		if err != nil {
			t.Fatal(err)
		}
		_, claims := parts(t, raw)
		want := map[string]any{
			"iss": "kubernetes/serviceaccount", "sub": "system:serviceaccount:blue:some-sa",
			"kubernetes.io/serviceaccount/namespace":            "blue",
			"kubernetes.io/serviceaccount/secret.name":          "some-sa-token-abcde",
			"kubernetes.io/serviceaccount/service-account.name": "some-sa",
			"kubernetes.io/serviceaccount/service-account.uid":  "sa-uid",
		}
		if diff := cmp.Diff(want, claims); diff != "" {
			t.Errorf("claims (-want +got):\n%s", diff)
		}
	})
	t.Run("one object only", func(t *testing.T) {
		r := request
		r.Pod, r.Secret = pod, secret
		if _, err := i.Bound(r); err == nil {
			t.Error("bound to a pod and a secret")
		}
	})
}

func TestNewKey_IDIsTheHashOfThePublicKey(t *testing.T) {
	for alg, signer := range map[string]crypto.Signer{
		"ES256": newECDSA(t, elliptic.P256()), "ES384": newECDSA(t, elliptic.P384()), "ES512": newECDSA(t, elliptic.P521()), "RS256": newRSA(t, 2048),
	} {
		k, err := NewKey(signer.Public())
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKIXPublicKey(signer.Public())
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(der)
		if want := base64.RawURLEncoding.EncodeToString(sum[:]); k.ID != want || k.Algorithm() != alg {
			t.Errorf("id %s, algorithm %s; want %s, %s", k.ID, k.Algorithm(), want, alg)
		}
	}
	for name, public := range map[string]crypto.PublicKey{
		"a small RSA key": newRSA(t, 1024).Public(),
		"a small curve":   newECDSA(t, elliptic.P224()).Public(),
		"a string":        "secret",
	} {
		if _, err := NewKey(public); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func TestVerify_EveryKeyThatIsKnown(t *testing.T) {
	old, present := newRSA(t, 2048), newECDSA(t, elliptic.P384())
	before := newIssuer(t, old)
	raw, err := before.Bound(Request{Account: account, IssuedAt: issued, Lifetime: time.Hour, Audiences: []string{"a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	i := newIssuer(t, present, old.Public(), present.Public())
	if got := len(i.Keys.Current().Keys()); got != 2 {
		t.Errorf("%d keys, want 2: one was given twice", got)
	}
	claims, err := i.Keys.Current().Verify(raw)
	if err != nil {
		t.Fatalf("a token of the old key: %v", err)
	}
	want := &Claims{
		Issuer: issuerURL, Subject: "system:serviceaccount:blue:some-sa", Audience: jwt.ClaimStrings{"a", "b"}, ID: claims.ID,
		IssuedAt: jwt.NewNumericDate(issued), NotBefore: jwt.NewNumericDate(issued), Expiry: jwt.NewNumericDate(issued.Add(time.Hour)),
		Bound: &Bound{Namespace: "blue", ServiceAccount: Ref{"some-sa", "sa-uid"}},
	}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if err := i.Keys.Replace(present); err != nil {
		t.Fatal(err)
	}
	var unknown *UnknownKeyError
	if _, err := i.Keys.Current().Verify(raw); !errors.As(err, &unknown) {
		t.Errorf("once the old key is dropped: %v, want an UnknownKeyError", err)
	}
	if err := i.Keys.Replace(present, "nonsense"); err == nil {
		t.Error("took a string for a key")
	}
	if got := len(i.Keys.Current().Keys()); got != 1 {
		t.Errorf("a refused replacement left %d keys, want 1", got)
	}
}

// forge assembles a token from a header and claims, signed by sign.
func forge(header, claims string, sign func(text string) []byte) string {
	b := base64.RawURLEncoding
	text := b.EncodeToString([]byte(header)) + "." + b.EncodeToString([]byte(claims))
	return text + "." + b.EncodeToString(sign(text))
}

func TestVerify_Attacks(t *testing.T) {
	ours, theirs := newECDSA(t, elliptic.P256()), newECDSA(t, elliptic.P256())
	rsaKey := newRSA(t, 2048)
	i := newIssuer(t, ours, rsaKey.Public())
	keys := i.Keys.Current()
	kid, rsaID := keys.all[0].ID, keys.all[1].ID
	good, err := i.Bound(Request{Account: account, IssuedAt: issued, Lifetime: time.Hour, Audiences: []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	claims := `{"iss":"` + issuerURL + `","sub":"system:serviceaccount:kube-system:admin"}`
	none := func(string) []byte { return nil }
	with := func(m jwt.SigningMethod, key any) func(string) []byte {
		return func(text string) []byte {
			sig, err := m.Sign(text, key)
			if err != nil {
				t.Fatal(err)
			}
			return sig
		}
	}
	publicPEM, err := x509.MarshalPKIXPublicKey(rsaKey.Public())
	if err != nil {
		t.Fatal(err)
	}
	split := strings.Split(good, ".")
	sig, _ := base64.RawURLEncoding.DecodeString(split[2])
	header := func(alg, kid string) string { return `{"alg":"` + alg + `","kid":"` + kid + `"}` }

	const (
		malformed = "malformed"
		signature = "signature"
		unknown   = "unknown key"
		algorithm = "algorithm"
		critical  = "critical"
		tooLong   = "too long"
	)
	for name, test := range map[string]struct{ raw, want string }{
		"nothing":                          {"", malformed},
		"a word":                           {"token", malformed},
		"two parts":                        {split[0] + "." + split[1], malformed},
		"four parts":                       {good + ".x", malformed},
		"all dots":                         {strings.Repeat(".", 10000), malformed},
		"padding":                          {good + "==", malformed},
		"a JSON serialization":             {`{"payload":"` + split[1] + `","protected":"` + split[0] + `","signature":"` + split[2] + `"}`, malformed},
		"alg none without signature":       {forge(`{"alg":"none"}`, claims, none), algorithm},
		"alg none with our key id":         {forge(header("none", kid), claims, none), algorithm},
		"alg None":                         {forge(header("None", kid), claims, none), algorithm},
		"alg none with the good signature": {forge(header("none", kid), claims, func(string) []byte { return sig }), algorithm},
		"no alg":                           {forge(`{"kid":"`+kid+`"}`, claims, none), algorithm},
		"alg is a number":                  {forge(`{"alg":1,"kid":"`+kid+`"}`, claims, none), algorithm},
		"HMAC with the public key":         {forge(header("HS256", rsaID), claims, with(jwt.SigningMethodHS256, publicPEM)), algorithm},
		"HMAC with an empty key":           {forge(header("HS256", kid), claims, with(jwt.SigningMethodHS256, []byte{})), algorithm},
		"RSA-PSS instead of PKCS #1":       {forge(header("PS256", rsaID), claims, with(jwt.SigningMethodPS256, rsaKey)), algorithm},
		"a longer hash":                    {forge(header("RS512", rsaID), claims, with(jwt.SigningMethodRS512, rsaKey)), algorithm},
		"RS256 with an ECDSA key's id":     {forge(header("RS256", kid), claims, with(jwt.SigningMethodRS256, rsaKey)), algorithm},
		"a stranger's key under our id":    {forge(header("ES256", kid), claims, with(jwt.SigningMethodES256, theirs)), signature},
		"a stranger's key without id":      {forge(`{"alg":"ES256"}`, claims, with(jwt.SigningMethodES256, theirs)), signature},
		"a stranger's key under their id":  {forge(header("ES256", "theirs"), claims, with(jwt.SigningMethodES256, theirs)), unknown},
		"a key in the header":              {forge(`{"alg":"ES256","jwk":{"kty":"EC"},"kid":"x"}`, claims, with(jwt.SigningMethodES256, theirs)), unknown},
		"a key id that is a path":          {forge(header("ES256", "../../../../dev/null"), claims, with(jwt.SigningMethodES256, theirs)), unknown},
		"other claims":                     {split[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + "." + split[2], signature},
		"another header":                   {base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256"}`)) + "." + split[1] + "." + split[2], signature},
		"no signature":                     {split[0] + "." + split[1] + ".", signature},
		"an all-zero signature":            {split[0] + "." + split[1] + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 64)), signature},
		"a signature with bytes behind":    {split[0] + "." + split[1] + "." + base64.RawURLEncoding.EncodeToString(append(slices.Clone(sig), 0)), signature},
		"an extension that must be known":  {forge(`{"alg":"ES256","kid":"`+kid+`","crit":["b64"],"b64":false}`, claims, with(jwt.SigningMethodES256, ours)), critical},
		"one megabyte":                     {strings.Repeat("a", 1<<20), tooLong},
		"one megabyte of claims":           {forge(header("ES256", kid), `{"iss":"`+strings.Repeat("x", 1<<20)+`"}`, none), tooLong},
		"deep nesting":                     {forge(header("ES256", kid), strings.Repeat("[", 5000), none), malformed},
		"claims that are a list":           {forge(header("ES256", kid), `[]`, none), malformed},
		"a header that is null":            {forge(`null`, claims, none), algorithm},
	} {
		t.Run(name, func(t *testing.T) {
			claims, err := keys.Verify(test.raw)
			if claims != nil || err == nil {
				t.Fatalf("verified as %+v", claims)
			}
			got := "?"
			switch {
			case errors.Is(err, ErrMalformed):
				got = malformed
			case errors.Is(err, ErrTooLong):
				got = tooLong
			case errors.Is(err, ErrSignature):
				got = signature
			case errors.Is(err, ErrCritical):
				got = critical
			}
			if _, ok := errors.AsType[*UnknownKeyError](err); ok {
				got = unknown
			}
			if _, ok := errors.AsType[*AlgorithmError](err); ok {
				got = algorithm
			}
			if got != test.want {
				t.Errorf("%s (%v), want %s", got, err, test.want)
			}
			if len(err.Error()) > 300 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

func TestIssuerOf(t *testing.T) {
	none := func(string) []byte { return nil }
	for name, test := range map[string]struct {
		raw, issuer string
		err         error
	}{
		"ours":      {forge(`{}`, `{"iss":"a"}`, none), "a", nil},
		"none":      {forge(`{}`, `{}`, none), "", nil},
		"a number":  {forge(`{}`, `{"iss":1}`, none), "", ErrMalformed},
		"no JWT":    {"hello", "", ErrMalformed},
		"too long":  {strings.Repeat("a", MaxSize+1), "", ErrTooLong},
		"bad bytes": {"a.*.c", "", ErrMalformed},
	} {
		issuer, err := IssuerOf(test.raw)
		if issuer != test.issuer || !errors.Is(err, test.err) {
			t.Errorf("%s: %q, %v; want %q, %v", name, issuer, err, test.issuer, test.err)
		}
	}
}

func TestJWKS_VerifiesWhatWasSigned(t *testing.T) {
	r, e := newRSA(t, 2048), newECDSA(t, elliptic.P521())
	i := newIssuer(t, r, e.Public())
	data, err := i.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Keys []map[string]string }
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	if len(doc.Keys) != 2 {
		t.Fatalf("%d keys, want 2", len(doc.Keys))
	}
	if got := slices.Sorted(maps.Keys(doc.Keys[0])); !slices.Equal(got, []string{"alg", "e", "kid", "kty", "n", "use"}) {
		t.Errorf("RSA fields are %v", got)
	}
	if got := slices.Sorted(maps.Keys(doc.Keys[1])); !slices.Equal(got, []string{"alg", "crv", "kid", "kty", "use", "x", "y"}) {
		t.Errorf("EC fields are %v", got)
	}
	if doc.Keys[0]["e"] != "AQAB" || doc.Keys[1]["crv"] != "P-521" {
		t.Errorf("e is %s, crv is %s", doc.Keys[0]["e"], doc.Keys[1]["crv"])
	}
	x, err := base64.RawURLEncoding.DecodeString(doc.Keys[1]["x"])
	if err != nil || len(x) != 66 {
		t.Errorf("x has %d bytes, want 66 (RFC 7518, 6.2.1.2): %v", len(x), err)
	}
}

func TestDiscovery(t *testing.T) {
	i := newIssuer(t, newRSA(t, 2048), newECDSA(t, elliptic.P256()).Public(), newECDSA(t, elliptic.P256()).Public())
	got, err := i.Discovery()
	if err != nil {
		t.Fatal(err)
	}
	want := `{"issuer":"https://kubernetes.default.svc.cluster.local","jwks_uri":"https://192.0.2.2:6443/openid/v1/jwks","response_types_supported":["id_token"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["ES256","RS256"]}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("document (-want +got):\n%s", diff)
	}
}

func FuzzVerify(f *testing.F) {
	i := newIssuer(f, newECDSA(f, elliptic.P256()))
	raw, err := i.Bound(Request{Account: account, IssuedAt: issued, Lifetime: time.Hour})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add("a.b.c")
	f.Add(forge(`{"alg":"none"}`, `{}`, func(string) []byte { return nil }))
	f.Fuzz(func(t *testing.T, s string) {
		claims, err := i.Keys.Current().Verify(s)
		if (claims == nil) == (err == nil) {
			t.Errorf("claims %v and error %v", claims, err)
		}
		if err == nil && s != raw {
			t.Errorf("a token that nobody signed verifies: %q", s)
		}
		issuer, _ := IssuerOf(s)
		if err == nil && issuer != claims.Issuer {
			t.Errorf("issuer %q before, %q after verifying", issuer, claims.Issuer)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for name, signer := range map[string]crypto.Signer{"ES256": newECDSA(b, elliptic.P256()), "RS256": newRSA(b, 2048)} {
		i := newIssuer(b, signer)
		raw, err := i.Bound(Request{Account: account, Pod: pod, Node: node, Audiences: []string{issuerURL}, IssuedAt: issued, Lifetime: time.Hour})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := i.Keys.Current().Verify(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
