package token

import (
	"github.com/golang-jwt/jwt/v5"
)

// LegacyIssuer is the issuer of tokens that are kept in Secrets.
const LegacyIssuer = "kubernetes/serviceaccount"

// Claims is what a service-account token says. The order of fields is the order on the wire, Kubernetes' own.
type Claims struct {
	Audience  jwt.ClaimStrings `json:"aud,omitempty"`
	Expiry    *jwt.NumericDate `json:"exp,omitempty"`
	IssuedAt  *jwt.NumericDate `json:"iat,omitempty"`
	Issuer    string           `json:"iss,omitempty"`
	ID        string           `json:"jti,omitempty"`
	Bound     *Bound           `json:"kubernetes.io,omitempty"`
	NotBefore *jwt.NumericDate `json:"nbf,omitempty"`
	Subject   string           `json:"sub,omitempty"`
	Legacy
}

// Bound is the private claim of bound tokens (KEP-1205): which account they are for and with what they die.
type Bound struct {
	Namespace      string           `json:"namespace,omitempty"`
	Node           *Ref             `json:"node,omitempty"`
	Pod            *Ref             `json:"pod,omitempty"`
	Secret         *Ref             `json:"secret,omitempty"`
	ServiceAccount Ref              `json:"serviceaccount,omitzero"`
	WarnAfter      *jwt.NumericDate `json:"warnafter,omitempty"`
}

// Ref names one object, and not another of the same name that came later.
type Ref struct {
	Name string `json:"name,omitempty"`
	UID  string `json:"uid,omitempty"`
}

// Legacy are the private claims of tokens that are kept in Secrets.
type Legacy struct {
	Namespace          string `json:"kubernetes.io/serviceaccount/namespace,omitempty"`
	SecretName         string `json:"kubernetes.io/serviceaccount/secret.name,omitempty"`
	ServiceAccountName string `json:"kubernetes.io/serviceaccount/service-account.name,omitempty"`
	ServiceAccountUID  string `json:"kubernetes.io/serviceaccount/service-account.uid,omitempty"`
}

// The methods make Claims a jwt.Claims.

func (c *Claims) GetExpirationTime() (*jwt.NumericDate, error) { return c.Expiry, nil }
func (c *Claims) GetIssuedAt() (*jwt.NumericDate, error)       { return c.IssuedAt, nil }
func (c *Claims) GetNotBefore() (*jwt.NumericDate, error)      { return c.NotBefore, nil }
func (c *Claims) GetIssuer() (string, error)                   { return c.Issuer, nil }
func (c *Claims) GetSubject() (string, error)                  { return c.Subject, nil }
func (c *Claims) GetAudience() (jwt.ClaimStrings, error)       { return c.Audience, nil }
