package rbac

import (
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Repair is a change that mends one broken link, so that the request is allowed. It may allow more than
// this request, as the rule or binding that it mends is somebody's; SmallestGrant does not.
type Repair struct {
	Says string `json:"says"` // what to do
	// Objects are to be applied: new ones, or those that are there as they should be. A change to a ClusterRole
	// that others gather from takes effect when the clusterrole-aggregation controller has passed it on.
	Objects Manifests `json:"objects"`
}

// mendRole creates the role that a binding refers to.
func (s *Snapshot) mendRole(a *Attributes, c candidate, m *NearMiss) {
	ref := c.binding.roleRef()
	if ref.Kind == "ClusterRole" || ref.Kind == "Role" && ref.Namespace != "" {
		role := &Role{Namespace: ref.Namespace, Name: ref.Name, Rules: []rbacv1.PolicyRule{exactly(a)}}
		m.Says = fmt.Sprintf("%s refers to %s, which does not exist", c.binding.ref(), ref)
		m.Repair = Repair{fmt.Sprintf("create %s with a rule that allows to %s", ref, a), Manifests{role.Object()}}
		return
	}
	// A roleRef that can never be right, and that cannot be changed either.
	m.Says = fmt.Sprintf("%s refers to %s, and there can be no such role", c.binding.ref(), ref)
	s.bindAnew(a, m)
}

// bindAnew leaves what is broken alone.
func (s *Snapshot) bindAnew(a *Attributes, m *NearMiss) {
	objs, _, _ := s.exactGrant(a)
	m.Repair = Repair{fmt.Sprintf("bind %s to a role that allows to %s", who(a.User), a), objs}
}

// mendRule adds to a rule what it lacks.
func (s *Snapshot) mendRule(a *Attributes, c candidate, m *NearMiss) {
	m.Says = fmt.Sprintf("rule %d of %s %s", c.rule+1, c.role.ref(), c.says)
	mended, at := c.role, c.rule
	if c.role.GathersFrom != nil { // to edit the role itself would be in vain
		g, ok := s.origin(c.role, c.rule)
		if !ok {
			s.bindAnew(a, m)
			return
		}
		mended, at = g.From, g.Rule
		m.Says += fmt.Sprintf(" (gathered from %s)", mended.ref())
	}
	rules := slices.Clone(mended.Rules)
	rule := rules[at].DeepCopy()
	var what string
	switch {
	case c.link == BrokenVerb:
		rule.Verbs, what = append(rule.Verbs, a.Verb), "verb "+a.Verb
	case c.link == BrokenAPIGroup:
		rule.APIGroups, what = append(rule.APIGroups, a.APIGroup), fmt.Sprintf("API group %q", a.APIGroup)
	case c.link == BrokenResource, c.link == BrokenSubresource:
		rule.Resources, what = append(rule.Resources, a.resource()), "resource "+a.resource()
	case c.link == BrokenPath:
		rule.NonResourceURLs, what = append(rule.NonResourceURLs, a.Path), "path "+a.Path
	case a.Name != "":
		rule.ResourceNames, what = append(rule.ResourceNames, a.Name), fmt.Sprintf("name %q", a.Name)
	}
	m.Repair.Says = fmt.Sprintf("add %s to rule %d of %s", what, at+1, mended.ref())
	rules[at] = *rule
	if c.link == BrokenResourceName && a.Name == "" {
		rules = append(rules, exactly(a))
		m.Repair.Says = fmt.Sprintf("add a rule without resourceNames to %s: %s %s", mended.ref(), a.Verb, a.resource())
		if a.Verb == "list" || a.Verb == "watch" {
			m.Repair.Says += ", or ask for one by --field-selector metadata.name=" + rule.ResourceNames[0]
		}
	}
	changed := *mended
	changed.Rules = rules
	m.Repair.Objects = Manifests{changed.Object()}
}

// mendNamespace gives the role that somebody has elsewhere also where it is wanted.
func (s *Snapshot) mendNamespace(a *Attributes, c candidate, m *NearMiss) {
	here := "cluster-wide"
	if a.Namespace != "" {
		here = fmt.Sprintf("in namespace %q", a.Namespace)
	}
	m.Says = fmt.Sprintf("%s gives %s the permission in that namespace, not %s", c.binding.ref(), who(a.User), here)
	if !a.ResourceRequest {
		m.Says = fmt.Sprintf("%s counts in its namespace, and paths are in none", c.binding.ref())
	}
	var objs Manifests
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: c.role.Kind(), Name: c.role.Name}
	if c.role.Namespace != "" { // a Role stays in its namespace: take along the rule that counts
		copied := &Role{Namespace: a.Namespace, Rules: []rbacv1.PolicyRule{c.role.Rules[c.rule]}}
		copied.Name = freeName(c.role.Name, func(name string) bool { _, taken := s.Role(a.Namespace, name); return taken })
		ref.Kind, ref.Name = copied.Kind(), copied.Name
		objs = append(objs, copied.Object())
	}
	binding := &Binding{Namespace: a.Namespace, RoleRef: ref, Subjects: []rbacv1.Subject{subjectOf(a.User)}}
	binding.Name = freeName(c.binding.Name, func(name string) bool { _, taken := s.Binding(a.Namespace, name); return taken })
	m.Repair.Objects = append(objs, binding.Object())
	m.Repair.Says = fmt.Sprintf("bind %s to %s %q by %s", who(a.User), ref.Kind, ref.Name, binding.ref())
	if a.ResourceRequest && a.Namespace == "" {
		m.Repair.Says += fmt.Sprintf(", or ask in namespace %q only", c.binding.Namespace)
	}
}

// mendSubject adds the subject that was meant.
func (s *Snapshot) mendSubject(c candidate, m *NearMiss) {
	m.Way.Subject = c.subject
	m.Says = fmt.Sprintf("%s %s", c.binding.ref(), c.says)
	changed := *c.binding
	changed.Subjects = append(slices.Clone(c.binding.Subjects), c.instead)
	m.Repair.Says = fmt.Sprintf("add %s to %s", c.binding.describeSubject(c.instead), c.binding.ref())
	m.Repair.Objects = Manifests{changed.Object()}
}
