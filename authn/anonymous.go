package authn

import (
	"context"

	"k8s.io/apiserver/pkg/authentication/user"
)

// Anonymous accepts requests that bring no credential at all, as system:anonymous.
// Give it to a chain as Strategies.Anonymous: the chain asks it only when nobody has refused.
type Anonymous struct {
	paths map[string]bool
}

// NewAnonymous returns the strategy. With paths given, it accepts requests to exactly these URL paths and
// passes on others, as `anonymous.conditions` of Kubernetes' AuthenticationConfiguration says.
func NewAnonymous(paths ...string) *Anonymous {
	a := &Anonymous{paths: make(map[string]bool, len(paths))}
	for _, p := range paths {
		a.paths[p] = true
	}
	return a
}

const whyPath reason = "anonymous requests are limited to other paths"

var nobody user.Info = &user.DefaultInfo{Name: user.Anonymous, Groups: []string{user.AllUnauthenticated}}

// Name is `anonymous`.
func (*Anonymous) Name() string { return "anonymous" }

// Authenticate accepts or passes on; it never refuses.
func (a *Anonymous) Authenticate(_ context.Context, c *Credentials) Answer {
	if len(a.paths) > 0 && !a.paths[c.Path] {
		return Answer{Why: whyPath}
	}
	return Answer{Verdict: Accepted, User: nobody}
}
