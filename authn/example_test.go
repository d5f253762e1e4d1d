package authn_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"coracle/authn"
)

// A chain of three strategies, as a small cluster has them, and three requests.
func Example() {
	dir, err := os.MkdirTemp("", "authn")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "tokens.csv")
	if err := os.WriteFile(path, []byte("secret,bob,1001,\"dev,ops\"\n"), 0o600); err != nil {
		panic(err)
	}
	file, err := authn.NewTokenFile(path)
	if err != nil {
		panic(err)
	}
	none := func() *x509.CertPool { return nil }
	chain := authn.NewChain(authn.Strategies{
		Requests:  []authn.Authenticator{authn.NewX509(none, time.Now)},
		Tokens:    []authn.Authenticator{file},
		Anonymous: authn.NewAnonymous(),
		Audiences: []string{"https://kubernetes.default.svc.cluster.local"},
	})
	for _, authorization := range []string{"Bearer secret", "Bearer wrong", ""} {
		r := chain.Authenticate(context.Background(), &authn.Credentials{Header: http.Header{"Authorization": {authorization}}, Path: "/api"})
		if r.User == nil {
			fmt.Println("401:", r.Error())
		} else {
			fmt.Println(r.User.GetName(), r.User.GetGroups())
		}
		for _, a := range r.Asked {
			fmt.Printf("  %s %s: %v\n", a.Authenticator, a.Verdict, a.Why)
		}
	}
	// Output:
	// bob [dev ops system:authenticated]
	//   x509 passed: the client presented no certificate
	//   tokenfile accepted: <nil>
	// 401: invalid bearer token
	//   x509 passed: the client presented no certificate
	//   tokenfile passed: the token is not in the token file
	//   anonymous passed: who presents a credential is not anonymous, even when the credential is bad
	// system:anonymous [system:unauthenticated]
	//   x509 passed: the client presented no certificate
	//   tokenfile passed: the request has no bearer token
	//   anonymous accepted: <nil>
}
