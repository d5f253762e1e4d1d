package rbac

import (
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Decision is the answer to one request: a few references, from which the reason and the explanation
// are made when somebody asks for them.
type Decision struct {
	Allowed bool
	// By is what allowed it, the zero value when nothing did.
	By Grant

	policy  *Snapshot
	request *Attributes
}

// Grant is the way from somebody to a permission: a binding, the role that it refers to, one rule of that role.
type Grant struct {
	Binding *Binding
	Role    *Role
	Rule    int // index in Role.Rules
}

// Authorize answers whether the roles that the user holds, cluster-wide and in the request's namespace,
// have a rule that allows the request. It allocates nothing, and its cost does not depend on how many
// bindings there are, only on how many different roles this user holds here.
// The attributes must not be changed as long as the decision is in use.
func (s *Snapshot) Authorize(a *Attributes) Decision {
	d := Decision{policy: s, request: a}
	if a.User == nil {
		return d
	}
	d.By, d.Allowed = s.search("", a)
	if !d.Allowed && a.Namespace != "" {
		d.By, d.Allowed = s.search(a.Namespace, a)
	}
	return d
}

// search looks through the roles held by bindings of one namespace, "" for ClusterRoleBindings.
func (s *Snapshot) search(namespace string, a *Attributes) (Grant, bool) {
	if g, ok := s.searchHolder(holder{namespace: namespace, name: a.User.GetName()}, a); ok {
		return g, true
	}
	for _, group := range a.User.GetGroups() {
		if g, ok := s.searchHolder(holder{namespace: namespace, group: true, name: group}, a); ok {
			return g, true
		}
	}
	return Grant{}, false
}

func (s *Snapshot) searchHolder(h holder, a *Attributes) (Grant, bool) {
	list, _ := s.held.get(h)
	for i := range list {
		role, found := s.roles.get(list[i].role)
		if !found {
			continue
		}
		if rule := role.ruleFor(a); rule >= 0 {
			return Grant{Binding: list[i].bindings[0], Role: role, Rule: rule}, true
		}
	}
	return Grant{}, false
}

// Reason is the sentence that Kubernetes gives: which binding allowed it, or which roles could not be found.
// It is empty for the plain refusal, that no rule allows it.
// Source: plugin/pkg/auth/authorizer/rbac/rbac.go.
func (d Decision) Reason() string {
	if d.Allowed {
		subject, _ := d.By.Binding.subjectFor(d.request.User)
		return "RBAC: allowed by " + d.By.Binding.describe(subject)
	}
	if d.policy == nil || d.request.User == nil {
		return ""
	}
	if _, err := d.policy.RulesFor(d.request.User, d.request.Namespace); err != nil {
		return fmt.Sprintf("RBAC: %v", err)
	}
	return ""
}

// missing is Kubernetes' sentence on why a binding's role cannot be found.
func missing(b *Binding) error {
	switch b.RoleRef.Kind {
	case "ClusterRole":
		return apierrors.NewNotFound(rbacv1.Resource("clusterrole"), b.RoleRef.Name)
	case "Role":
		return apierrors.NewNotFound(rbacv1.Resource("role"), b.RoleRef.Name)
	}
	return fmt.Errorf("unsupported role reference kind: %q", b.RoleRef.Kind)
}
