package token

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
)

// jwk is a public key as RFC 7517 writes it.
type jwk struct {
	Use       string `json:"use"`
	Type      string `json:"kty"`
	ID        string `json:"kid"`
	Curve     string `json:"crv,omitempty"`
	Algorithm string `json:"alg"`
	X         string `json:"x,omitempty"`
	Y         string `json:"y,omitempty"`
	N         string `json:"n,omitempty"`
	E         string `json:"e,omitempty"`
}

// JWKS is the JSON Web Key Set of the keys that verify tokens. With it anybody can verify a token without asking the cluster,
// and without learning that the token's account is gone.
func (s *Set) JWKS() ([]byte, error) {
	doc := struct {
		Keys []jwk `json:"keys"`
	}{}
	for _, k := range s.all {
		j := jwk{Use: "sig", ID: k.ID, Algorithm: k.Algorithm()}
		switch p := k.Public.(type) {
		case *ecdsa.PublicKey:
			point, err := p.Bytes() // 4, then X and Y, each as long as the curve's field
			if err != nil {
				return nil, fmt.Errorf("encode key %s: %w", k.ID, err)
			}
			x, y := point[1:1+len(point)/2], point[1+len(point)/2:]
			j.Type, j.Curve = "EC", p.Curve.Params().Name
			j.X, j.Y = base64.RawURLEncoding.EncodeToString(x), base64.RawURLEncoding.EncodeToString(y)
		case *rsa.PublicKey:
			j.Type = "RSA"
			j.N = base64.RawURLEncoding.EncodeToString(p.N.Bytes())
			j.E = base64.RawURLEncoding.EncodeToString(big.NewInt(int64(p.E)).Bytes())
		}
		doc.Keys = append(doc.Keys, j)
	}
	return json.Marshal(doc)
}

const (
	// DiscoveryPath is where the API server serves Discovery.
	DiscoveryPath = "/.well-known/openid-configuration"
	// JWKSPath is where it serves the key set.
	JWKSPath = "/openid/v1/jwks"
)

// Discovery is the OpenID Provider Configuration (OpenID Connect Discovery 1.0, section 3) of the issuer: as much of it as
// somebody needs who verifies tokens.
func (i *Issuer) Discovery() ([]byte, error) {
	doc := struct {
		Issuer        string   `json:"issuer"`
		JWKSURI       string   `json:"jwks_uri"`
		ResponseTypes []string `json:"response_types_supported"`
		SubjectTypes  []string `json:"subject_types_supported"`
		SigningAlgs   []string `json:"id_token_signing_alg_values_supported"`
	}{
		Issuer:        i.URL,
		JWKSURI:       i.JWKSURI,
		ResponseTypes: []string{"id_token"},
		SubjectTypes:  []string{"public"},
	}
	for _, k := range i.Keys.Current().all {
		doc.SigningAlgs = append(doc.SigningAlgs, k.Algorithm())
	}
	slices.Sort(doc.SigningAlgs)
	doc.SigningAlgs = slices.Compact(doc.SigningAlgs)
	return json.Marshal(doc)
}

// JWKS is the key set of the issuer's present keys.
func (i *Issuer) JWKS() ([]byte, error) { return i.Keys.Current().JWKS() }
