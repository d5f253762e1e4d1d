package token_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coracle/authn/token"
)

// A token for an hour, bound to a pod, and what it says.
func Example() {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	keys, err := token.NewKeys(key)
	if err != nil {
		panic(err)
	}
	issuer := &token.Issuer{URL: "https://kubernetes.default.svc.cluster.local", Keys: keys}
	raw, err := issuer.Bound(token.Request{
		Account:   &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "some-sa", UID: "1"}},
		Pod:       &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "web", UID: "2"}},
		Audiences: []string{"https://kubernetes.default.svc.cluster.local"},
		IssuedAt:  time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		Lifetime:  time.Hour,
	})
	if err != nil {
		panic(err)
	}
	claims, err := keys.Current().Verify(raw)
	if err != nil {
		panic(err)
	}
	fmt.Println(claims.Subject, "until", claims.Expiry.UTC().Format(time.RFC3339))
	fmt.Printf("%+v %+v\n", claims.Bound.ServiceAccount, *claims.Bound.Pod)
	// Output:
	// system:serviceaccount:blue:some-sa until 2026-03-01T13:00:00Z
	// {Name:some-sa UID:1} {Name:web UID:2}
}
