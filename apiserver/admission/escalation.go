package admission

import (
	"context"

	"coracle/apiserver/authz"
	"coracle/rbac"
)

// Escalation: nobody gives away permissions that they do not have themselves. Who writes a role must hold all its rules,
// or have the verb `escalate` on it; who writes a binding must hold all rules of its role, or have the verb `bind` on that.
// Upstream checks this in the storage of roles and bindings, in the same place of a request's way.
type Escalation struct {
	Policy *rbac.Policy
	Authz  Authorizer
}

// Name returns RBACEscalation.
func (Escalation) Name() string { return "RBACEscalation" }

// Mutate refuses; it changes nothing. It comes last among the mutating plugins.
func (p Escalation) Mutate(ctx context.Context, a *Attributes) error {
	if a.Kind.Group != "rbac.authorization.k8s.io" || a.Operation != Create && a.Operation != Update {
		return nil
	}
	request := &rbac.Attributes{
		User: a.User, Verb: map[Operation]string{Create: "create", Update: "update"}[a.Operation], ResourceRequest: true,
		APIGroup: a.Kind.Group, APIVersion: a.Kind.Version, Resource: a.Kind.Resource, Namespace: a.Namespace, Name: a.Name,
	}
	return p.Policy.Snapshot().CheckEscalation(request, a.Object, a.Old, func(needed *rbac.Attributes) bool {
		return authz.Further(ctx, p.Authz, needed).Allowed()
	})
}
