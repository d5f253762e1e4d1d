package rbac

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/component-helpers/auth/rbac/validation"
)

// CheckEscalation refuses to let anybody give away permissions that they do not have themselves: who may write
// roles or bindings would otherwise have every permission, one step later. It is asked after mutating admission
// and before validation, for creations (old is nil) and updates.
//
// A role may be written by whoever holds all its rules, or has the verb `escalate` on it. A binding may be written by
// whoever holds all rules of the role that it refers to, or has the verb `bind` on that role. Members of
// system:masters may do either.
//
// The request is the one that writes; may answers for all authorizers together, not only for this policy.
// The error is an API error: 403, or 404 for a binding to a role that does not exist. Objects of other kinds pass.
// Source: pkg/registry/rbac/escalation_check.go and the policybased storages beside it.
func (s *Snapshot) CheckEscalation(request *Attributes, obj, old runtime.Object, may func(*Attributes) bool) error {
	if slices.Contains(request.User.GetGroups(), user.SystemPrivilegedGroup) {
		return nil
	}
	switch o := obj.(type) {
	case *rbacv1.ClusterRole, *rbacv1.Role:
		if may(special(request, "escalate", request.Resource, request.Name)) || onlyGarbageCollected(obj, old) {
			return nil
		}
		return s.checkRole(request, obj, old)
	case *rbacv1.ClusterRoleBinding:
		return s.checkBinding(request, &Binding{Name: o.Name, RoleRef: o.RoleRef}, obj, old, may)
	case *rbacv1.RoleBinding:
		return s.checkBinding(request, &Binding{Namespace: request.Namespace, Name: o.Name, RoleRef: o.RoleRef}, obj, old, may)
	}
	return nil
}

func (s *Snapshot) checkRole(request *Attributes, obj, old runtime.Object) error {
	role, _ := from(obj)
	resource := rbacv1.Resource("roles")
	if _, ok := obj.(*rbacv1.ClusterRole); ok {
		resource = rbacv1.Resource("clusterroles")
	}
	if err := s.confirm(request, role.Rules); err != nil {
		return apierrors.NewForbidden(resource, role.Name, err)
	}
	// An aggregation rule can gather anything, also what is created only later.
	before, _ := from(old)
	if gathers(role) || gathers(before) {
		if s.confirm(request, everything) != nil {
			return apierrors.NewForbidden(resource, role.Name, errors.New("must have cluster-admin privileges to use the aggregationRule"))
		}
	}
	return nil
}

func (s *Snapshot) checkBinding(request *Attributes, b *Binding, obj, old runtime.Object, may func(*Attributes) bool) error {
	if onlyGarbageCollected(obj, old) {
		return nil
	}
	known := b.RoleRef.Kind == "Role" || b.RoleRef.Kind == "ClusterRole"
	if known && may(special(request, "bind", strings.ToLower(b.RoleRef.Kind)+"s", b.RoleRef.Name)) {
		return nil
	}
	role, found := s.roles.get(b.roleKey())
	if !found {
		return missingFor(request)(b)
	}
	if err := s.confirm(request, role.Rules); err != nil {
		return apierrors.NewForbidden(rbacv1.Resource(strings.ToLower(b.Kind())+"s"), b.Name, err)
	}
	return nil
}

// confirm returns nil when the user holds every one of the rules where the request is, and else Kubernetes'
// sentence, which lists what is missing. Source: pkg/registry/rbac/validation/rule.go.
func (s *Snapshot) confirm(request *Attributes, rules []rbacv1.PolicyRule) error {
	u := request.User
	held, unresolved := s.rulesFor(u, request.Namespace, missingFor(request))
	covered, missing := validation.Covers(held, rules)
	if covered {
		return nil
	}
	var lines []string
	for _, rule := range compact(missing) {
		lines = append(lines, compactString(rule))
	}
	slices.Sort(lines)
	message := fmt.Sprintf("user %q (groups=%q) is attempting to grant RBAC permissions not currently held:\n%s",
		u.GetName(), u.GetGroups(), strings.Join(slices.Compact(lines), "\n"))
	if unresolved != nil {
		message += fmt.Sprintf("; resolution errors: %v", []error{unresolved})
	}
	return errors.New(message)
}

// missingFor says that a binding's role does not exist in the words that kube-apiserver has here: it looks the role up as
// part of the request, and so names the request's resource, as in `rolebindings.rbac.authorization.k8s.io "ghost" not found`.
func missingFor(request *Attributes) func(*Binding) error {
	return func(b *Binding) error {
		switch {
		case b.RoleRef.Kind == "Role" && b.Namespace == "":
			return apierrors.NewBadRequest("Namespace parameter required.")
		case b.RoleRef.Kind == "Role" || b.RoleRef.Kind == "ClusterRole":
			return apierrors.NewNotFound(rbacv1.Resource(request.Resource), b.RoleRef.Name)
		}
		return missing(b)
	}
}

var everything = []rbacv1.PolicyRule{
	{Verbs: []string{"*"}, APIGroups: []string{"*"}, Resources: []string{"*"}},
	{Verbs: []string{"*"}, NonResourceURLs: []string{"*"}},
}

// special is the question whether the writer of a role or binding has one of the two verbs that excuse from
// holding the permissions.
func special(request *Attributes, verb, resource, name string) *Attributes {
	return &Attributes{User: request.User, Verb: verb, ResourceRequest: true, APIGroup: rbacv1.GroupName,
		APIVersion: "*", Resource: resource, Namespace: request.Namespace, Name: name}
}

func gathers(r *Role) bool {
	return r != nil && r.GathersFrom != nil && len(r.GathersFrom.ClusterRoleSelectors) > 0
}

// onlyGarbageCollected tells whether an update changes nothing but what the garbage collector must be able to
// change of any object, whatever it may grant.
func onlyGarbageCollected(obj, old runtime.Object) bool {
	if old == nil {
		return false
	}
	copied := obj.DeepCopyObject()
	now, err := meta.Accessor(copied)
	if err != nil {
		return false
	}
	before, err := meta.Accessor(old)
	if err != nil {
		return false
	}
	now.SetOwnerReferences(before.GetOwnerReferences())
	now.SetFinalizers(before.GetFinalizers())
	now.SetSelfLink(before.GetSelfLink())
	now.SetManagedFields(before.GetManagedFields())
	return equality.Semantic.DeepEqual(copied, old)
}

// compact puts together rules that differ only by verb, of those that name one group and one resource.
// Source: pkg/registry/rbac/validation/policy_compact.go.
func compact(rules []rbacv1.PolicyRule) []rbacv1.PolicyRule {
	type target struct{ group, resource, name string }
	var compacted []rbacv1.PolicyRule
	at := map[target]int{}
	for _, rule := range rules {
		if len(rule.APIGroups) != 1 || len(rule.Resources) != 1 || len(rule.ResourceNames) > 1 || len(rule.NonResourceURLs) > 0 {
			compacted = append(compacted, rule)
			continue
		}
		key := target{group: rule.APIGroups[0], resource: rule.Resources[0]}
		if len(rule.ResourceNames) == 1 {
			key.name = "=" + rule.ResourceNames[0] // differs from no name at all even when it is empty
		}
		if i, found := at[key]; found {
			compacted[i].Verbs = append(slices.Clip(compacted[i].Verbs), rule.Verbs...)
			continue
		}
		at[key] = len(compacted)
		compacted = append(compacted, rule)
	}
	return compacted
}

// compactString is a rule as error messages show it: `{APIGroups:[""], Resources:["pods"], Verbs:["get"]}`.
// Source: pkg/apis/rbac/v1/evaluation_helpers.go.
func compactString(r rbacv1.PolicyRule) string {
	var parts []string
	for _, field := range []struct {
		name   string
		values []string
	}{
		{"APIGroups", r.APIGroups}, {"Resources", r.Resources}, {"NonResourceURLs", r.NonResourceURLs},
		{"ResourceNames", r.ResourceNames}, {"Verbs", r.Verbs},
	} {
		if len(field.values) > 0 {
			parts = append(parts, fmt.Sprintf("%s:%q", field.name, field.values))
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
