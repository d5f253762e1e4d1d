package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

const (
	// maxKeys bounds the keys of one issuer.
	maxKeys = 100
	// RSA moduli taken, in bits: shorter ones are weak, longer ones a way to keep us busy.
	minRSA, maxRSA = 2048, 8192
)

// keySet is a JSON Web Key Set (RFC 7517, section 5).
type keySet struct {
	keys []key
}

type key struct {
	id         string
	algorithms []string // in which it may sign
	public     crypto.PublicKey
}

// parseKeySet reads the keys that may sign tokens. Keys of other kinds and for other uses are skipped, as the RFC says.
func parseKeySet(data []byte) (*keySet, error) {
	var doc struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("oidc: failed to decode keys: %w", err)
	}
	if len(doc.Keys) > maxKeys {
		return nil, fmt.Errorf("oidc: the key set has %d keys; at most %d are taken", len(doc.Keys), maxKeys)
	}
	s := &keySet{}
	for _, raw := range doc.Keys {
		if k, ok := parseKey(raw); ok {
			s.keys = append(s.keys, k)
		}
	}
	if len(s.keys) == 0 {
		return nil, errors.New("oidc: the key set has no key that signs tokens (RSA of 2048 bits or more, or EC on P-256, P-384 or P-521)")
	}
	return s, nil
}

func parseKey(raw []byte) (key, bool) {
	var j struct {
		Type      string `json:"kty"`
		ID        string `json:"kid"`
		Use       string `json:"use"`
		Algorithm string `json:"alg"`
		Curve     string `json:"crv"`
		X, Y      string
		N, E      string
	}
	if json.Unmarshal(raw, &j) != nil || j.Use != "" && j.Use != "sig" {
		return key{}, false
	}
	k := key{id: j.ID}
	switch j.Type {
	case "RSA":
		n, errN := decode(j.N)
		e, errE := decode(j.E)
		if errN != nil || errE != nil || len(e) > 4 {
			return key{}, false
		}
		public := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
		if bits := public.N.BitLen(); bits < minRSA || bits > maxRSA || public.E < 3 || public.E%2 == 0 {
			return key{}, false
		}
		k.public, k.algorithms = public, []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	case "EC":
		curve, algorithm := curveOf(j.Curve)
		x, errX := decode(j.X)
		y, errY := decode(j.Y)
		if curve == nil || errX != nil || errY != nil {
			return key{}, false
		}
		size := (curve.Params().BitSize + 7) / 8
		if len(x) != size || len(y) != size {
			return key{}, false
		}
		public, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
		if err != nil {
			return key{}, false
		}
		k.public, k.algorithms = public, []string{algorithm}
	default:
		return key{}, false
	}
	if j.Algorithm != "" {
		if !slices.Contains(k.algorithms, j.Algorithm) {
			return key{}, false
		}
		k.algorithms = []string{j.Algorithm}
	}
	return k, true
}

func curveOf(name string) (elliptic.Curve, string) {
	switch name {
	case "P-256":
		return elliptic.P256(), "ES256"
	case "P-384":
		return elliptic.P384(), "ES384"
	case "P-521":
		return elliptic.P521(), "ES512"
	}
	return nil, ""
}

func decode(s string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
}

// has says whether there is a key of that id; every key has the empty one.
func (s *keySet) has(id string) bool {
	return id == "" || slices.ContainsFunc(s.keys, func(k key) bool { return k.id == id })
}

// candidates are the keys that may have signed a token which names this key id and algorithm.
func (s *keySet) candidates(id, algorithm string) []crypto.PublicKey {
	var found []crypto.PublicKey
	for _, k := range s.keys {
		if (id == "" || k.id == id) && slices.Contains(k.algorithms, algorithm) {
			found = append(found, k.public)
		}
	}
	return found
}
