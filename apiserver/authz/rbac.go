package authz

import (
	"context"

	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/rbac"
)

// RBAC asks a policy. It allows or has no opinion: no rule forbids anything.
// Because is an rbac.Decision, which can explain itself.
type RBAC struct{ Policy *rbac.Policy }

// Name is how the reasons for a refusal begin.
func (RBAC) Name() string { return "rbac" }

// Authorize asks the policy as it is now.
func (r RBAC) Authorize(_ context.Context, a *rbac.Attributes) Opinion {
	d := r.Policy.Authorize(a)
	o := Opinion{Because: d}
	if d.Allowed {
		o.Verdict = Allow
	}
	return o
}

// RulesFor lists the rules of every role that the user holds there.
func (r RBAC) RulesFor(u user.Info, namespace string) Rules {
	rules, err := r.Policy.Snapshot().RulesFor(u, namespace)
	return rulesOf(rules, err)
}
