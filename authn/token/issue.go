package token

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
)

// Issuer writes tokens.
type Issuer struct {
	// URL is the `iss` of bound tokens, as in https://kubernetes.default.svc.cluster.local.
	URL  string
	Keys *Keys
	// JWKSURI is where relying parties fetch the keys; see Discovery.
	JWKSURI string
}

// Request is what a bound token is to say.
type Request struct {
	Account   *corev1.ServiceAccount
	Pod       *corev1.Pod // at most one of Pod and Secret is set; Node alone, or beside Pod
	Secret    *corev1.Secret
	Node      *corev1.Node
	Audiences []string
	IssuedAt  time.Time
	Lifetime  time.Duration
	// WarnAfter is when a token that is longer-lived than asked for begins to be noted as stale; 0 for never.
	WarnAfter time.Duration
}

// Bound signs a token that expires, and that dies with the account and with the object it is bound to.
func (i *Issuer) Bound(r Request) (string, error) {
	if r.Secret != nil && (r.Pod != nil || r.Node != nil) {
		return "", errors.New("a token can be bound to one object only")
	}
	b := &Bound{
		Namespace:      r.Account.Namespace,
		ServiceAccount: Ref{Name: r.Account.Name, UID: string(r.Account.UID)},
	}
	if r.Pod != nil {
		b.Pod = &Ref{Name: r.Pod.Name, UID: string(r.Pod.UID)}
	}
	if r.Secret != nil {
		b.Secret = &Ref{Name: r.Secret.Name, UID: string(r.Secret.UID)}
	}
	if r.Node != nil {
		b.Node = &Ref{Name: r.Node.Name, UID: string(r.Node.UID)}
	}
	if r.WarnAfter != 0 {
		b.WarnAfter = jwt.NewNumericDate(r.IssuedAt.Add(r.WarnAfter))
	}
	return i.Keys.Current().sign(&Claims{
		Issuer:    i.URL,
		Subject:   serviceaccount.MakeUsername(r.Account.Namespace, r.Account.Name),
		Audience:  r.Audiences,
		IssuedAt:  jwt.NewNumericDate(r.IssuedAt),
		NotBefore: jwt.NewNumericDate(r.IssuedAt),
		Expiry:    jwt.NewNumericDate(r.IssuedAt.Add(r.Lifetime)),
		ID:        uuid.NewString(),
		Bound:     b,
	})
}

// Legacy signs a token to be kept in the Secret. It never expires. The same account and Secret give
// the same claims, though not the same signature.
func (i *Issuer) Legacy(account *corev1.ServiceAccount, secret *corev1.Secret) (string, error) {
	return i.Keys.Current().sign(&Claims{
		Issuer:  LegacyIssuer,
		Subject: serviceaccount.MakeUsername(account.Namespace, account.Name),
		Legacy: Legacy{
			Namespace:          account.Namespace,
			SecretName:         secret.Name,
			ServiceAccountName: account.Name,
			ServiceAccountUID:  string(account.UID),
		},
	})
}

func (s *Set) sign(c *Claims) (string, error) {
	t := &jwt.Token{
		Header: map[string]any{"alg": s.signing.Algorithm(), "kid": s.signing.ID}, // and no typ, as Kubernetes
		Claims: c,
		Method: s.signing.method,
	}
	raw, err := t.SignedString(s.signer)
	if err != nil {
		return "", fmt.Errorf("sign a token for %s: %w", c.Subject, err)
	}
	return raw, nil
}
