package rbac

import (
	"cmp"
	"fmt"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	covers "k8s.io/component-helpers/auth/rbac/validation"
)

// SmallestGrant is the least that would allow a request: a binding for this one user to a role with exactly this
// permission, in the namespace of the request where it has one. It never contains a star.
type SmallestGrant struct {
	Says string `json:"says"`
	// Commands do it with kubectl, in order. They are quoted for a POSIX shell. Where kubectl's flags cannot say it, for
	// instance a verb with a comma, the objects are piped into it. There are none where a name is not printable.
	Commands []string `json:"commands,omitempty"`
	// Objects are the same for kubectl apply.
	Objects Manifests `json:"objects"`
}

// SmallestGrant returns the least change that allows the request. It is not ok for a request that is allowed
// already, and for one that only a star could allow, such as the verb "*".
func (s *Snapshot) SmallestGrant(a *Attributes) (*SmallestGrant, bool) {
	if a.User == nil || s.Authorize(a).Allowed {
		return nil, false
	}
	objs, commands, ok := s.exactGrant(a)
	if !ok {
		return nil, false
	}
	g := &SmallestGrant{Objects: objs, Commands: commands}
	_, binding := from(objs[len(objs)-1])
	if len(objs) == 1 {
		g.Says = fmt.Sprintf("%s allows just that: bind it to %s", binding.roleRef(), who(a.User))
	} else {
		g.Says = fmt.Sprintf("create %s with just that rule, and bind it to %s", binding.roleRef(), who(a.User))
	}
	return g, true
}

// SmallestGrants are the least changes that together allow several refused requests, as one request may need several
// permissions. They are not ok if one of them cannot be recommended. All the decisions are by the policy of the first.
func SmallestGrants(refused []Decision) ([]*SmallestGrant, bool) {
	var grants []*SmallestGrant
	var s *Snapshot
	for _, d := range refused {
		if s == nil {
			s = d.policy
		}
		if s == nil {
			return nil, false
		}
		if s.Authorize(d.request).Allowed {
			continue // by one of the grants before
		}
		g, ok := s.SmallestGrant(d.request)
		if !ok {
			return nil, false
		}
		grants, s = append(grants, g), s.With(g.Objects...)
	}
	return grants, len(grants) > 0
}

// exactGrant makes the binding, and the role unless there is one already that grants this and nothing else.
// It is not ok for a request that is not grantable.
func (s *Snapshot) exactGrant(a *Attributes) (objs Manifests, commands []string, ok bool) {
	if !grantable(a) {
		return nil, nil, false
	}
	role, found := s.exactRole(a)
	if !found {
		role = &Role{Namespace: a.Namespace, Rules: []rbacv1.PolicyRule{exactly(a)}}
		role.Name = freeName(grantName(a), func(name string) bool {
			_, role := s.Role(a.Namespace, name)
			_, binding := s.Binding(a.Namespace, name)
			return role || binding
		})
		objs, commands = append(objs, role.Object()), append(commands, createRole(role))
	}
	binding := &Binding{
		Namespace: a.Namespace,
		RoleRef:   rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: role.Kind(), Name: role.Name},
		Subjects:  []rbacv1.Subject{subjectOf(a.User)},
	}
	binding.Name = freeName(grantName(a), func(name string) bool { _, taken := s.Binding(a.Namespace, name); return taken })
	objs, commands = append(objs, binding.Object()), append(commands, createBinding(binding))
	switch {
	case !printableRequest(a):
		commands = nil
	case !sayable(a):
		commands = objs.piped()
	}
	return objs, commands, true
}

// grantable tells whether a rule without a star can allow the request. In a rule, a star means everything; so a
// request for "*" is a request for everything, and whoever may grant that knows how.
func grantable(a *Attributes) bool {
	if a.User.GetName() == "" || a.Verb == "" || a.Verb == "*" {
		return false
	}
	if !a.ResourceRequest {
		return strings.HasPrefix(a.Path, "/") && !strings.HasSuffix(a.Path, "*")
	}
	return a.Resource != "" && !strings.Contains(a.resource(), "*") && a.APIGroup != "*" && a.Namespace != "*"
}

// exactly is the rule that allows the request and as little else as a rule can.
func exactly(a *Attributes) rbacv1.PolicyRule {
	if !a.ResourceRequest {
		return rbacv1.PolicyRule{Verbs: []string{a.Verb}, NonResourceURLs: []string{a.Path}}
	}
	rule := rbacv1.PolicyRule{Verbs: []string{a.Verb}, APIGroups: []string{a.APIGroup}, Resources: []string{a.resource()}}
	if a.Name != "" {
		rule.ResourceNames = []string{a.Name}
	}
	return rule
}

// exactRole finds a role that allows the request and nothing beyond it, of those that can be bound there.
// One that gathers rules does not do: tomorrow it may grant more.
func (s *Snapshot) exactRole(a *Attributes) (*Role, bool) {
	exact := []rbacv1.PolicyRule{exactly(a)}
	var best *Role
	for _, role := range s.roles.all() {
		if role.Namespace != "" && role.Namespace != a.Namespace || role.GathersFrom != nil {
			continue
		}
		enough, _ := covers.Covers(role.Rules, exact)
		within, _ := covers.Covers(exact, role.Rules)
		if enough && within && (best == nil || role.before(best)) {
			best = role
		}
	}
	return best, best != nil
}

// before prefers a Role, which nobody can bind elsewhere, to a ClusterRole, and then goes by name.
func (r *Role) before(other *Role) bool {
	if (r.Namespace == "") != (other.Namespace == "") {
		return r.Namespace != ""
	}
	return r.Name < other.Name
}

// grantName is what people would call it: ann-get-pods. Names of roles and bindings are path segments.
func grantName(a *Attributes) string {
	name := a.User.GetName()
	if s := subjectOf(a.User); s.Kind == rbacv1.ServiceAccountKind {
		name = s.Name
	}
	what := a.resource()
	if !a.ResourceRequest {
		what = a.Path
	}
	clean := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '-'
	}, name+"-"+a.Verb+"-"+what)
	parts := strings.FieldsFunc(clean, func(r rune) bool { return r == '-' })
	clean = strings.Join(parts, "-")
	return cmp.Or(strings.TrimRight(clean[:min(len(clean), validation.DNS1123LabelMaxLength-4)], "-"), "grant")
}

// freeName is the name, or with a number after it the first that is not taken.
func freeName(name string, taken func(string) bool) string {
	free := name
	for i := 2; taken(free); i++ {
		free = fmt.Sprintf("%s-%d", name, i)
	}
	return free
}
