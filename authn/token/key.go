package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/golang-jwt/jwt/v5"
)

// Key is a public key that verifies tokens.
type Key struct {
	// ID is the `kid` of tokens that the key signed: the hash of the public key, which tells nothing about it.
	ID     string
	Public crypto.PublicKey
	method jwt.SigningMethod
}

// minRSA is the smallest RSA modulus taken, in bits (NIST SP 800-57).
const minRSA = 2048

// NewKey takes an ECDSA key on P-256, P-384 or P-521, or an RSA key of 2048 bits or more. The algorithm of a token follows
// from the key, never from what the token says of itself.
func NewKey(public crypto.PublicKey) (Key, error) {
	k := Key{Public: public}
	switch p := public.(type) {
	case *ecdsa.PublicKey:
		switch p.Curve {
		case elliptic.P256():
			k.method = jwt.SigningMethodES256
		case elliptic.P384():
			k.method = jwt.SigningMethodES384
		case elliptic.P521():
			k.method = jwt.SigningMethodES512
		default:
			return Key{}, errors.New("the key's curve is none of P-256, P-384 and P-521")
		}
	case *rsa.PublicKey:
		if p.N.BitLen() < minRSA {
			return Key{}, fmt.Errorf("the RSA key has %d bits; at least %d are needed", p.N.BitLen(), minRSA)
		}
		k.method = jwt.SigningMethodRS256
	default:
		return Key{}, fmt.Errorf("a %T does not verify service-account tokens; use an ECDSA or an RSA key", public)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return Key{}, fmt.Errorf("encode the public key: %w", err)
	}
	sum := sha256.Sum256(der)
	k.ID = base64.RawURLEncoding.EncodeToString(sum[:])
	return k, nil
}

// Algorithm is the JOSE name of how the key signs, as in ES256.
func (k Key) Algorithm() string { return k.method.Alg() }

// Keys is a set of keys, one of which signs. It may be replaced while in use.
type Keys struct {
	current atomic.Pointer[Set]
}

// Set is one generation of Keys. It never changes, so that a comparison of pointers tells whether keys did.
type Set struct {
	signer  crypto.Signer
	signing Key
	all     []Key
}

// NewKeys returns a set in which signer signs, and its public key and all further keys verify.
func NewKeys(signer crypto.Signer, further ...crypto.PublicKey) (*Keys, error) {
	k := &Keys{}
	return k, k.Replace(signer, further...)
}

// Replace puts other keys in place of the present ones, all at once. On an error the present ones stay.
// To rotate without ending tokens: add the new key to further, wait until relying parties have fetched it
// (an hour), make it the signer with the old one among further, and drop the old one when its tokens have expired.
func (k *Keys) Replace(signer crypto.Signer, further ...crypto.PublicKey) error {
	switch signer.(type) {
	case *ecdsa.PrivateKey, *rsa.PrivateKey:
	default:
		return fmt.Errorf("signing key: a %T does not sign service-account tokens; use an ECDSA or an RSA key", signer)
	}
	signing, err := NewKey(signer.Public())
	if err != nil {
		return fmt.Errorf("signing key: %w", err)
	}
	s := &Set{signer: signer, signing: signing, all: []Key{signing}}
	for i, public := range further {
		key, err := NewKey(public)
		if err != nil {
			return fmt.Errorf("verifying key %d: %w", i+1, err)
		}
		if !slices.ContainsFunc(s.all, func(k Key) bool { return k.ID == key.ID }) {
			s.all = append(s.all, key)
		}
	}
	k.current.Store(s)
	return nil
}

// Current is the present generation.
func (k *Keys) Current() *Set { return k.current.Load() }

// Keys lists the keys, the signing one first.
func (s *Set) Keys() []Key { return slices.Clone(s.all) }
