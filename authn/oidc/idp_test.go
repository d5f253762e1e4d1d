package oidc

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"k8s.io/apiserver/pkg/apis/apiserver"

	"coracle/authn"
)

const idpURL = "https://idp.example"

// idp is an issuer in place of a network. It publishes keys, and behaves badly if told so.
type idp struct {
	mu     sync.Mutex
	keys   map[string]*ecdsa.PrivateKey // by id
	down   bool
	pages  map[string]string // what else it serves, by URL; or instead
	served map[string]int
	auth   string // the last Authorization header
}

func newIDP(t testing.TB, ids ...string) *idp {
	p := &idp{keys: map[string]*ecdsa.PrivateKey{}, pages: map[string]string{}, served: map[string]int{}}
	for _, id := range ids {
		p.keys[id] = newKey(t)
	}
	return p
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (p *idp) RoundTrip(r *http.Request) (*http.Response, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	url := r.URL.String()
	p.served[url]++
	p.auth = r.Header.Get("Authorization")
	if p.down {
		return nil, errors.New("connection refused")
	}
	body, code := p.pages[url], 200
	switch {
	case body != "":
	case url == idpURL+wellKnown:
		body = `{"issuer":"` + idpURL + `","jwks_uri":"` + idpURL + `/keys"}`
	case url == idpURL+"/keys":
		body = string(p.jwks())
	default:
		code = 404
	}
	return &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader([]byte(body)))}, nil
}

func (p *idp) asked(url string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.served[url]
}

func (p *idp) change(do func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	do()
}

func (p *idp) jwks() []byte {
	doc := map[string][]map[string]string{"keys": {}}
	for id, k := range p.keys {
		doc["keys"] = append(doc["keys"], jwkOf(id, k))
	}
	data, _ := json.Marshal(doc)
	return data
}

func jwkOf(id string, k *ecdsa.PrivateKey) map[string]string {
	point, _ := k.PublicKey.Bytes()
	half := 1 + len(point)/2
	b := base64.RawURLEncoding
	return map[string]string{"kty": "EC", "crv": k.Curve.Params().Name, "use": "sig", "kid": id, "x": b.EncodeToString(point[1:half]), "y": b.EncodeToString(point[half:])}
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// said are claims, over those of a good token.
type said map[string]any

// sign makes a token of the claims of a good one, changed as said; nil removes a claim.
func sign(t testing.TB, method jwt.SigningMethod, key any, id string, s said) string {
	t.Helper()
	all := jwt.MapClaims{"iss": idpURL, "aud": "kubernetes", "sub": "alice", "iat": noon.Unix(), "exp": noon.Add(time.Hour).Unix()}
	for k, v := range s {
		if v == nil {
			delete(all, k)
		} else {
			all[k] = v
		}
	}
	tok := jwt.NewWithClaims(method, all)
	if id != "" {
		tok.Header["kid"] = id
	}
	raw, err := tok.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (p *idp) token(t testing.TB, id string, s said) string {
	t.Helper()
	return sign(t, jwt.SigningMethodES256, p.keys[id], id, s)
}

// basic is a configuration as the flags make it.
func basic() *apiserver.AuthenticationConfiguration {
	config, err := Flags{IssuerURL: idpURL, ClientID: "kubernetes", GroupsClaim: "groups"}.Configuration()
	if err != nil {
		panic(err)
	}
	return config
}

// under is an authenticator of one issuer, with a clock.
type under struct {
	*Authenticator
	now time.Time
	idp *idp
	t   testing.TB
}

func newUnder(t testing.TB, p *idp, config *apiserver.AuthenticationConfiguration) *under {
	t.Helper()
	u := &under{now: noon, idp: p, t: t}
	u.Authenticator = New(u.compile(config, nil), u.clock)
	return u
}

func (u *under) clock() time.Time { return u.now }

func (u *under) compile(config *apiserver.AuthenticationConfiguration, previous *Issuers) *Issuers {
	u.t.Helper()
	issuers, err := Compile(config, Options{Transport: u.idp, Now: u.clock, ServiceAccountIssuers: []string{"https://kubernetes.default.svc"}}, previous)
	if err != nil {
		u.t.Fatal(err)
	}
	return issuers
}

func (u *under) ask(raw string) authn.Answer {
	return u.Authenticate(u.t.Context(), &authn.Credentials{Token: raw})
}

// why is what was seen, and Kubernetes' sentence.
func why(a authn.Answer) (seen, sentence string) {
	if a.Why == nil {
		return "", ""
	}
	if r, ok := errors.AsType[*authn.Refusal](a.Why); ok {
		sentence = r.Sentence
	}
	return a.Why.Error(), sentence
}
