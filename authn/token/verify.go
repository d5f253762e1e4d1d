package token

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// MaxSize is the length of the longest token that is looked at, in bytes. Ours have about one thousand.
const MaxSize = 16 << 10

var (
	// ErrMalformed is returned when a string is no JSON Web Token at all.
	ErrMalformed = errors.New("it is not a JSON Web Token")
	// ErrTooLong is returned when a token is longer than MaxSize.
	ErrTooLong = errors.New("it is longer than 16 KiB, which no service-account token is")
	// ErrSignature is returned when the signature does not fit: the token was changed, or signed by somebody else
	// who claims to have our key.
	ErrSignature = errors.New("its signature does not fit: it was changed, or not signed by this cluster")
	// ErrCritical is returned when a token demands an extension by the header `crit`, none of which we have (RFC 7515, 4.1.11).
	ErrCritical = errors.New("its header demands extensions (crit) that are not supported")
)

// UnknownKeyError is returned when a token names a key that is not among the verifying ones.
type UnknownKeyError struct{ ID string }

func (e *UnknownKeyError) Error() string {
	return fmt.Sprintf("it was signed with key id %q, which this cluster does not know", e.ID)
}

// AlgorithmError is returned when a token says of itself that it is signed in a way in which none of our keys
// signs, above all `none`: a forgery.
type AlgorithmError struct{ Algorithm string }

func (e *AlgorithmError) Error() string {
	return fmt.Sprintf("it says that it is signed with %q, and no key of this cluster signs so", e.Algorithm)
}

// IssuerOf reads the issuer of a token that has not been verified. It serves to tell whose the token is, never to trust it.
func IssuerOf(raw string) (string, error) {
	if len(raw) > MaxSize {
		return "", ErrTooLong
	}
	_, rest, ok := strings.Cut(raw, ".")
	payload, signature, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 || strings.Contains(signature, ".") {
		return "", ErrMalformed
	}
	data, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return "", ErrMalformed
	}
	var c struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(data, &c) != nil {
		return "", ErrMalformed
	}
	return c.Issuer, nil
}

// Verify checks the signature and returns what the token says. It does not look at times, audience or issuer.
//
// It returns ErrMalformed, ErrTooLong, ErrCritical, ErrSignature, an *UnknownKeyError or an *AlgorithmError.
func (s *Set) Verify(raw string) (*Claims, error) {
	if len(raw) > MaxSize {
		return nil, ErrTooLong
	}
	c := &Claims{}
	parser := jwt.NewParser(jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation())
	var choice error
	_, err := parser.ParseWithClaims(raw, c, func(t *jwt.Token) (any, error) {
		var keys jwt.VerificationKeySet
		keys, choice = s.choose(t)
		return keys, choice
	})
	switch {
	case err == nil:
		return c, nil
	case choice != nil:
		return nil, choice
	case errors.Is(err, jwt.ErrTokenMalformed):
		return nil, ErrMalformed
	case errors.Is(err, jwt.ErrTokenUnverifiable): // an algorithm that the library has never heard of
		return nil, &AlgorithmError{algorithmOf(raw)}
	}
	return nil, ErrSignature
}

// choose returns the keys that may have signed a token: the one it names, or all when it names none; and of these only
// those that sign in the way it says. So a token cannot choose how it is verified.
func (s *Set) choose(t *jwt.Token) (jwt.VerificationKeySet, error) {
	var set jwt.VerificationKeySet
	if _, ok := t.Header["crit"]; ok {
		return set, ErrCritical
	}
	id, _ := t.Header["kid"].(string)
	known := false
	for _, k := range s.all {
		if id != "" && id != k.ID {
			continue
		}
		known = true
		if k.method.Alg() == t.Method.Alg() {
			set.Keys = append(set.Keys, k.Public)
		}
	}
	switch {
	case !known:
		return set, &UnknownKeyError{clip(id)}
	case len(set.Keys) == 0:
		return set, &AlgorithmError{clip(t.Method.Alg())}
	}
	return set, nil
}

// algorithmOf reads the algorithm that a token names, for the error.
func algorithmOf(raw string) string {
	header, _, _ := strings.Cut(raw, ".")
	data, err := base64.RawURLEncoding.DecodeString(header)
	if err != nil {
		return ""
	}
	var h struct {
		Algorithm string `json:"alg"`
	}
	if json.Unmarshal(data, &h) != nil {
		return ""
	}
	return clip(h.Algorithm)
}

// clip keeps what strangers wrote short in errors.
func clip(s string) string {
	const most = 64
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
