package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"coracle/authn"
	"coracle/authn/memo"
)

const (
	// maxTokens bounds how many judged tokens are remembered.
	maxTokens = 4096
	// distributedTTL is how long a user is remembered whose groups had to be fetched.
	distributedTTL = 10 * time.Second

	googleIssuer    = "https://accounts.google.com"
	googleIssuerOld = "accounts.google.com" // which Google still writes (OpenID Connect Core 1.0, 15.6.2)
)

// Authenticator accepts ID tokens of the issuers that are configured. They may be replaced while it serves.
type Authenticator struct {
	issuers atomic.Pointer[Issuers]
	now     func() time.Time
	seen    *memo.Memo[[sha256.Size]byte, judged]
}

// judged is a token that was accepted, by this issuer with these keys, and until when that holds.
type judged struct {
	issuer *issuer
	keys   *keySet
	until  time.Time
	answer authn.Answer
}

// New returns the strategy.
func New(issuers *Issuers, now func() time.Time) *Authenticator {
	a := &Authenticator{now: now, seen: memo.New[[sha256.Size]byte, judged](maxTokens)}
	a.issuers.Store(issuers)
	return a
}

// Replace puts other issuers in place of the present ones, all at once.
func (a *Authenticator) Replace(issuers *Issuers) { a.issuers.Store(issuers) }

// Issuers are the present ones.
func (a *Authenticator) Issuers() *Issuers { return a.issuers.Load() }

// Name is `oidc`.
func (*Authenticator) Name() string { return "oidc" }

// Authenticate judges the tokens of its issuers, and passes on all others.
func (a *Authenticator) Authenticate(ctx context.Context, c *authn.Credentials) authn.Answer {
	issuers := a.issuers.Load()
	sum := sha256.Sum256([]byte(c.Token))
	now := a.now()
	if j, ok := a.seen.Get(sum); ok && issuers.by[j.issuer.url] == j.issuer && j.issuer.source.current() == j.keys && now.Before(j.until) {
		return j.answer
	}
	name, err := issuerOf(c.Token)
	if err != nil {
		return authn.Answer{Why: err}
	}
	i := issuers.by[name]
	if i == nil {
		return authn.Answer{Why: fmt.Errorf("the token's issuer is %.200q; those configured are %q", name, issuers.names)}
	}
	j, err := i.judge(ctx, c.Token, now)
	if err != nil {
		if r, ok := errors.AsType[*authn.Refusal](err); ok {
			return authn.Answer{Verdict: authn.Refused, Why: r}
		}
		return authn.Answer{Verdict: authn.Refused, Why: &authn.Refusal{Sentence: err.Error()}}
	}
	a.seen.Set(sum, j)
	return j.answer
}

var errNotJWT = errors.New("it is not a JSON Web Token")

// issuerOf reads the issuer of a token that has not been verified: whom to ask, not whom to believe.
func issuerOf(raw string) (string, error) {
	parts := strings.SplitN(raw, ".", 4)
	if len(parts) != 3 {
		return "", errNotJWT
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", errNotJWT
	}
	var c struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(payload, &c) != nil {
		return "", errNotJWT
	}
	if c.Issuer == googleIssuerOld {
		return googleIssuer, nil
	}
	return c.Issuer, nil
}
