package oidc

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"coracle/authn"
)

// leeway is by how much the issuer's clock may be ahead of ours, as upstream has it (go-oidc v2).
const leeway = time.Minute

// token is what every ID token says (OpenID Connect Core 1.0, section 2).
type token struct {
	Issuer    string           `json:"iss"`
	Audience  jwt.ClaimStrings `json:"aud"`
	Expiry    *jwt.NumericDate `json:"exp"`
	NotBefore *jwt.NumericDate `json:"nbf"`
}

// refuse makes a refusal of Kubernetes' sentence and of what was seen.
func refuse(sentence string, seen error) error {
	return &authn.Refusal{Sentence: sentence, Seen: seen}
}

// verify checks a token's signature by an issuer's keys, and then that the token is of this issuer, for one of the audiences, and in
// force. It returns what the token says, the keys that verified it and when it ends.
func (i *issuer) verify(ctx context.Context, source *source, raw string, now time.Time) (claims, *keySet, time.Time, error) {
	none := time.Time{}
	c := claims{}
	parsed, _, err := jwt.NewParser(jwt.WithStrictDecoding()).ParseUnverified(raw, &c)
	switch {
	case errors.Is(err, jwt.ErrTokenUnverifiable):
		return nil, nil, none, i.unsupported(parsed.Header["alg"])
	case err != nil:
		return nil, nil, none, refuse("oidc: malformed jwt: "+err.Error(), errNotJWT)
	case !slices.Contains(i.algorithms, parsed.Method.Alg()):
		return nil, nil, none, i.unsupported(parsed.Method.Alg())
	}
	if _, ok := parsed.Header["crit"]; ok {
		return nil, nil, none, errors.New("failed to verify signature: failed to verify id token signature")
	}
	id, _ := parsed.Header["kid"].(string)
	keys, err := source.find(ctx, id)
	if err != nil {
		return nil, nil, none, refuse("failed to verify signature: fetching keys "+err.Error(), fmt.Errorf("the keys of %q could not be fetched, so that the token cannot be judged: %w", source.issuer, err))
	}
	signed := raw[:strings.LastIndexByte(raw, '.')]
	if !slices.ContainsFunc(keys.candidates(id, parsed.Method.Alg()), func(k crypto.PublicKey) bool { return parsed.Method.Verify(signed, parsed.Signature, k) == nil }) {
		seen := fmt.Errorf("the token's signature does not fit: it was changed, or %q did not sign it", source.issuer)
		if !keys.has(id) {
			seen = fmt.Errorf("the token was signed with key id %.64q, which %q does not publish", id, source.issuer)
		}
		return nil, nil, none, refuse("failed to verify signature: failed to verify id token signature", seen)
	}

	var t token
	if err := c.as(&t); err != nil {
		return nil, nil, none, fmt.Errorf("oidc: failed to unmarshal claims: %w", err)
	}
	if t.Issuer != source.issuer && (source.issuer != googleIssuer || t.Issuer != googleIssuerOld) {
		return nil, nil, none, fmt.Errorf("oidc: id token issued by a different provider, expected %q got %q", source.issuer, t.Issuer)
	}
	if !slices.ContainsFunc(i.audiences, func(a string) bool { return slices.Contains(t.Audience, a) }) {
		want := fmt.Sprintf("%q", i.audiences[0])
		if len(i.audiences) > 1 {
			want = fmt.Sprintf("in %q", slices.Sorted(slices.Values(i.audiences)))
		}
		return nil, nil, none, refuse(fmt.Sprintf("oidc: expected audience %s got %q", want, []string(t.Audience)),
			fmt.Errorf("the token is for the audiences %q, and one of %q is wanted", []string(t.Audience), i.audiences))
	}
	if t.Expiry == nil || t.Expiry.Before(now) {
		if t.Expiry == nil {
			return nil, nil, none, refuse(fmt.Sprintf("oidc: token is expired (Token Expiry: %v)", none), errors.New("the token does not say when it expires"))
		}
		return nil, nil, none, refuse(fmt.Sprintf("oidc: token is expired (Token Expiry: %v)", t.Expiry.Time), fmt.Errorf("the token expired %s ago", authn.Span(now.Sub(t.Expiry.Time))))
	}
	if t.NotBefore != nil && now.Add(leeway).Before(t.NotBefore.Time) {
		return nil, nil, none, refuse(fmt.Sprintf("oidc: current time %v before the nbf (not before) time: %v", now, t.NotBefore.Time), fmt.Errorf("the token is not valid for another %s", authn.Span(t.NotBefore.Sub(now))))
	}
	return c, keys, t.Expiry.Time, nil
}

func (i *issuer) unsupported(algorithm any) error {
	return refuse(fmt.Sprintf("oidc: id token signed with unsupported algorithm, expected %q got %.40q", i.algorithms, fmt.Sprint(algorithm)),
		fmt.Errorf("the token says that it is signed with %.40q; only %q are allowed", fmt.Sprint(algorithm), i.algorithms))
}

// claims are what a token says, each still as JSON.
type claims map[string]json.RawMessage

// as reads all claims into a struct.
func (c claims) as(v any) error {
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// read reads one claim.
func (c claims) read(name string, v any) error {
	raw, ok := c[name]
	if !ok {
		return errors.New("claim not present")
	}
	return json.Unmarshal(raw, v)
}

// The methods make claims jwt.Claims. We check them ourselves.

func (claims) GetExpirationTime() (*jwt.NumericDate, error) { return nil, nil }
func (claims) GetIssuedAt() (*jwt.NumericDate, error)       { return nil, nil }
func (claims) GetNotBefore() (*jwt.NumericDate, error)      { return nil, nil }
func (claims) GetIssuer() (string, error)                   { return "", nil }
func (claims) GetSubject() (string, error)                  { return "", nil }
func (claims) GetAudience() (jwt.ClaimStrings, error)       { return nil, nil }
