package authz

import (
	"context"
	"errors"
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/rbac"
)

// PrivilegedGroup allows members of system:masters everything. It comes first in every chain, so that whoever
// holds a certificate of that group gets in even when the roles and bindings are broken. Nothing can take that
// away but a new certificate authority: no one should belong to it in daily life.
type PrivilegedGroup struct{}

// Name is upstream's.
func (PrivilegedGroup) Name() string { return "kubernetes.io/system-privileged-group" }

// Authorize looks for the group.
func (PrivilegedGroup) Authorize(_ context.Context, a *rbac.Attributes) Opinion {
	if a.User == nil {
		return Opinion{Because: Sentence("Error"), Err: errors.New("no user on request.")}
	}
	if slices.Contains(a.User.GetGroups(), user.SystemPrivilegedGroup) {
		return Opinion{Verdict: Allow}
	}
	return Opinion{}
}

// AlwaysAllow allows everything, for lessons and for tests of something else.
type AlwaysAllow struct{}

// Name is that of the mode in --authorization-mode, in lower case.
func (AlwaysAllow) Name() string { return "alwaysallow" }

// Authorize allows.
func (AlwaysAllow) Authorize(context.Context, *rbac.Attributes) Opinion {
	return Opinion{Verdict: Allow}
}

// RulesFor lists everything.
func (AlwaysAllow) RulesFor(user.Info, string) Rules {
	every := []string{"*"}
	return Rules{
		Resource:    []authorizationv1.ResourceRule{{Verbs: every, APIGroups: every, Resources: every}},
		NonResource: []authorizationv1.NonResourceRule{{Verbs: every, NonResourceURLs: every}},
	}
}

// AlwaysDeny is the chain's last word for lessons: nothing is allowed that was not allowed before.
type AlwaysDeny struct{}

// Name is that of the mode in --authorization-mode, in lower case.
func (AlwaysDeny) Name() string { return "alwaysdeny" }

// Authorize has no opinion, and says so.
func (AlwaysDeny) Authorize(context.Context, *rbac.Attributes) Opinion {
	return Opinion{Because: Sentence("Everything is forbidden.")}
}
