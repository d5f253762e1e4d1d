package idp

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"coracle/counterparts/people"
)

const (
	// Lifetime is that of ID tokens.
	Lifetime = 10 * time.Minute
	skew     = time.Hour
	maxForm  = 16 << 10
)

// Faults are those that the issuer has.
func Faults() []people.Fault {
	return []people.Fault{people.WrongAudience, people.UnknownKey, people.SkewedClock, people.RotatedKeys}
}

// Issuer signs ID tokens for those who log in.
type Issuer struct {
	url    string
	client string
	people *people.File
	now    func() time.Time
	// usual signs, but when keys are rotated; hidden is never published.
	usual, rotated, hidden *signingKey
	codes, refreshes       *grants
}

type signingKey struct {
	*rsa.PrivateKey
	id string
}

func newSigningKey() (*signingKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("make a key to sign with: %w", err)
	}
	return &signingKey{key, rand.Text()}, nil
}

// New makes an issuer of that URL, with new keys, whose tokens are for one client.
func New(url, client string, known *people.File, now func() time.Time) (*Issuer, error) {
	i := &Issuer{url: url, client: client, people: known, now: now, codes: newGrants(now, time.Minute), refreshes: newGrants(now, 24*time.Hour)}
	for _, key := range []**signingKey{&i.usual, &i.rotated, &i.hidden} {
		var err error
		if *key, err = newSigningKey(); err != nil {
			return nil, err
		}
	}
	return i, nil
}

// Handler is what the issuer serves.
func (i *Issuer) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", i.discovery)
	mux.HandleFunc("GET /keys", i.keys)
	mux.HandleFunc("GET /authorize", i.page)
	mux.HandleFunc("POST /authorize", i.login)
	mux.HandleFunc("POST /token", i.token)
	return mux
}

// discovery is OpenID Connect Discovery 1.0, section 3.
func (i *Issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer": i.url, "jwks_uri": i.url + "/keys",
		"authorization_endpoint": i.url + "/authorize", "token_endpoint": i.url + "/token",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"grant_types_supported":                 []string{"authorization_code", "refresh_token"},
		"code_challenge_methods_supported":      []string{"S256"},
		"token_endpoint_auth_methods_supported": []string{"none"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
	})
}

// published is the key that everybody may know.
func (i *Issuer) published(ctx context.Context) *signingKey {
	if i.people.Misbehaves(ctx, people.RotatedKeys) {
		return i.rotated
	}
	return i.usual
}

// keys is the JSON Web Key Set (RFC 7517).
func (i *Issuer) keys(w http.ResponseWriter, r *http.Request) {
	key := i.published(r.Context())
	encode := base64.RawURLEncoding.EncodeToString
	writeJSON(w, http.StatusOK, map[string]any{"keys": []any{map[string]string{
		"kty": "RSA", "alg": "RS256", "use": "sig", "kid": key.id,
		"n": encode(key.N.Bytes()), "e": encode(big.NewInt(int64(key.E)).Bytes()),
	}}})
}

// sign makes the ID token of somebody.
func (i *Issuer) sign(ctx context.Context, p *people.Person, nonce string) (string, error) {
	now, audience, key := i.now(), i.client, i.published(ctx)
	if i.people.Misbehaves(ctx, people.SkewedClock) {
		now = now.Add(skew)
	}
	if i.people.Misbehaves(ctx, people.WrongAudience) {
		audience = "somebody-else"
	}
	if i.people.Misbehaves(ctx, people.UnknownKey) {
		key = i.hidden
	}
	claims := jwt.MapClaims{
		"iss": i.url, "sub": p.Name, "aud": audience, "jti": rand.Text(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(Lifetime).Unix(), "groups": append([]string{}, p.Groups...),
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if p.UID != "" {
		claims["uid"] = p.UID
	}
	if p.Email != "" {
		claims["email"], claims["email_verified"] = p.Email, true
	}
	token := jwt.NewWithClaims(jwt.SigningMethodRS256, claims)
	token.Header["kid"] = key.id
	return token.SignedString(key.PrivateKey)
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(v) // that the asker has gone is no concern of ours
}
