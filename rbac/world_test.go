package rbac

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/authentication/user"
	"pgregory.net/rapid"
)

// A world is small enough that requests often nearly succeed, and has every kind of mistake in it.
var (
	people = []user.Info{
		&user.DefaultInfo{Name: "ann", Groups: []string{"devs"}},
		&user.DefaultInfo{Name: "bob", Groups: []string{"ops", "devs"}},
		&user.DefaultInfo{Name: "system:serviceaccount:blue:robot", Groups: []string{"system:serviceaccounts"}},
		&user.DefaultInfo{Name: "system:serviceaccount:green:robot"},
		&user.DefaultInfo{Name: "system:anonymous", Groups: []string{"system:unauthenticated"}},
	}
	subjects = []rbacv1.Subject{
		{Kind: "User", Name: "ann"}, {Kind: "User", Name: "Ann"}, {Kind: "User", Name: "bob"}, {Kind: "User", Name: "devs"},
		{Kind: "Group", Name: "devs"}, {Kind: "Group", Name: "Devs"}, {Kind: "Group", Name: "ann"}, {Kind: "Group", Name: "ops"},
		{Kind: "ServiceAccount", Namespace: "blue", Name: "robot"}, {Kind: "ServiceAccount", Namespace: "green", Name: "robot"},
		{Kind: "ServiceAccount", Name: "robot"}, {Kind: "ServiceAccount", Name: "ann"}, {Kind: "User", Name: "robot"},
		{Kind: "User", Name: "blue:robot"}, {Kind: "User", Name: "system:serviceaccount:blue:robot"}, {Kind: "Robot", Name: "ann"},
	}
	namespaces    = []string{"", "blue", "green"}
	verbs         = []string{"get", "list", "create", "Get", "*"}
	groups        = []string{"", "apps", "apps/v1", "*"}
	resources     = []string{"pods", "pods/log", "pods/*", "pod", "Pod", "log", "deployments", "deployments/scale", "Deployment", "deployments.apps", "*/scale", "*"}
	names         = []string{"web", "db"}
	paths         = []string{"/healthz", "/healthz/", "/healthz/*", "healthz", "metrics", "/metrics/", "*"}
	askedPaths    = []string{"/healthz", "/healthz/etcd", "/metrics"}
	askedResource = []string{"pods", "deployments"}
	askedSub      = []string{"", "log", "scale"}
)

// draw makes a world around one request: most parts of most roles and bindings fit it, so that ways to the permission
// are often whole, and often broken in one place.
type draw struct {
	*rapid.T
	a *Attributes
}

// below returns a number from 0 to n-1, each as often as the others: rapid's own are mostly small, and
// would make dull worlds.
func below(t *rapid.T, n int, label string) int {
	sum := 0
	for i, bit := range rapid.SliceOfN(rapid.Bool(), 8, 8).Draw(t, label) {
		if bit {
			sum += 1 << i
		}
	}
	return sum % n
}

func pick[T any](t *rapid.T, from []T, label string) T { return from[below(t, len(from), label)] }

// some returns up to two words, among them mostly the one that fits.
func some[T any](r draw, fits T, from []T, label string) []T {
	switch n := below(r.T, 10, label+" fits"); {
	case n < 6:
		return []T{fits}
	case n < 7:
		return []T{fits, pick(r.T, from, label)}
	case n < 9:
		return []T{pick(r.T, from, label)}
	}
	return nil
}

// one returns mostly what fits.
func one(r draw, fits string, from []string, label string) string {
	if below(r.T, 3, label+" fits") > 0 {
		return fits
	}
	return pick(r.T, from, label)
}

func (r draw) rule() rbacv1.PolicyRule {
	rule := rbacv1.PolicyRule{Verbs: some(r, r.a.Verb, verbs, "verbs")}
	if !r.a.ResourceRequest {
		rule.NonResourceURLs = some(r, r.a.Path, paths, "paths")
		return rule
	}
	rule.APIGroups = some(r, r.a.APIGroup, groups, "groups")
	rule.Resources = some(r, r.a.resource(), resources, "resources")
	if rapid.Bool().Draw(r.T, "some names only") {
		rule.ResourceNames = some(r, r.a.Name, names, "names")
	}
	return rule
}

func (r draw) role() runtime.Object {
	name := pick(r.T, []string{"reader", "writer", "admin"}, "role")
	var rules []rbacv1.PolicyRule
	for range 1 + below(r.T, 2, "rules") {
		rules = append(rules, r.rule())
	}
	if ns := one(r, "", namespaces, "namespace of role"); ns != "" {
		return &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}, Rules: rules}
	}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: rules}
	for _, label := range []string{"to-writer", "to-admin"} {
		if below(r.T, 4, label) == 0 {
			metav1.SetMetaDataLabel(&role.ObjectMeta, label, "true")
		}
	}
	if below(r.T, 4, "gathers") == 0 {
		role.AggregationRule = &rbacv1.AggregationRule{ClusterRoleSelectors: []metav1.LabelSelector{
			{MatchLabels: map[string]string{"to-" + name: "true"}}}}
		role.Rules = nil
	}
	return role
}

func (r draw) binding() runtime.Object {
	name := pick(r.T, []string{"b1", "b2", "b3", "b4"}, "binding")
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName,
		Kind: pick(r.T, []string{"Role", "Role", "Role", "ClusterRole", "ClusterRole", "ClusterRole", "ClusterRole", "ClusterRole", "Rule"}, "kind of role"),
		Name: pick(r.T, []string{"reader", "writer", "admin", "reader", "writer", "admin", "ghost"}, "role of binding")}
	var who []rbacv1.Subject
	for range 1 + below(r.T, 2, "subjects") {
		who = append(who, some(r, subjectOf(r.a.User), subjects, "subject")...)
	}
	if ns := one(r, r.a.Namespace, namespaces, "namespace of binding"); ns != "" {
		return &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}, RoleRef: ref, Subjects: who}
	}
	return &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: ref, Subjects: who}
}

func drawRequest(r *rapid.T) *Attributes {
	a := &Attributes{User: pick(r, people, "user"), Verb: pick(r, verbs[:3], "verb")}
	if below(r, 3, "asks for a path") == 0 {
		a.Path = pick(r, askedPaths, "path")
		return a
	}
	a.ResourceRequest, a.APIVersion = true, "v1"
	a.APIGroup = pick(r, groups[:2], "group")
	a.Resource = pick(r, askedResource, "resource")
	a.Subresource = pick(r, askedSub, "subresource")
	a.Namespace = pick(r, namespaces, "namespace")
	a.Name = pick(r, append([]string{""}, names...), "name")
	return a
}

// drawWorld returns a request, and a policy whose aggregated roles are as their controller leaves them.
func drawWorld(t *rapid.T) (*Snapshot, *Attributes) {
	r := draw{t, drawRequest(t)}
	s := newSnapshot()
	for range 3 + below(t, 7, "roles") {
		s = s.With(r.role())
	}
	for range 1 + below(t, 5, "bindings") {
		s = s.With(r.binding())
	}
	return settle(s), r.a
}

// settle does what the clusterrole-aggregation controller does, until nothing changes any more.
func settle(s *Snapshot) *Snapshot {
	for {
		changed := false
		for _, role := range s.roles.all() {
			if role.GathersFrom == nil {
				continue
			}
			var rules []rbacv1.PolicyRule
			for _, g := range s.Gather(role) {
				rules = append(rules, g.rule())
			}
			if !equality.Semantic.DeepEqual(rules, role.Rules) {
				gathered := *role
				gathered.Rules = rules
				s, changed = s.With(gathered.Object()), true
				break
			}
		}
		if !changed {
			return s
		}
	}
}

// everyRequest is all that can be asked in such a world.
func everyRequest(yield func(*Attributes) bool) {
	for _, u := range people {
		for _, verb := range verbs[:3] {
			for _, path := range askedPaths {
				if !yield(&Attributes{User: u, Verb: verb, Path: path}) {
					return
				}
			}
			for _, group := range groups[:2] {
				for _, resource := range askedResource {
					for _, sub := range askedSub {
						for _, ns := range namespaces {
							for _, name := range append([]string{""}, names...) {
								if !yield(&Attributes{User: u, Verb: verb, ResourceRequest: true, APIVersion: "v1", APIGroup: group,
									Resource: resource, Subresource: sub, Namespace: ns, Name: name}) {
									return
								}
							}
						}
					}
				}
			}
		}
	}
}

// naive answers as Kubernetes does, from the objects alone: no index, nothing shared with the evaluator.
// It returns every granting binding as "namespace/name".
func naive(s *Snapshot, a *Attributes) (granting []string) {
	for _, b := range s.bindings.all() {
		if b.Namespace != "" && b.Namespace != a.Namespace || !naiveSubject(b, a.User) {
			continue
		}
		for _, role := range s.roles.all() {
			if role.Name != b.RoleRef.Name || role.Kind() != b.RoleRef.Kind || role.Kind() == "Role" && role.Namespace != b.Namespace {
				continue
			}
			if slices.ContainsFunc(role.Rules, func(rule rbacv1.PolicyRule) bool { return naiveRule(rule, a) }) {
				granting = append(granting, b.Namespace+"/"+b.Name)
			}
		}
	}
	return granting
}

func naiveSubject(b *Binding, u user.Info) bool {
	for _, s := range b.Subjects {
		switch s.Kind {
		case "User":
			if u.GetName() == s.Name {
				return true
			}
		case "Group":
			if slices.Contains(u.GetGroups(), s.Name) {
				return true
			}
		case "ServiceAccount":
			ns := s.Namespace
			if ns == "" {
				ns = b.Namespace
			}
			if ns != "" && u.GetName() == "system:serviceaccount:"+ns+":"+s.Name {
				return true
			}
		}
	}
	return false
}

func naiveRule(rule rbacv1.PolicyRule, a *Attributes) bool {
	has := func(list []string, s string) bool { return slices.Contains(list, "*") || slices.Contains(list, s) }
	if !has(rule.Verbs, a.Verb) {
		return false
	}
	if !a.ResourceRequest {
		return has(rule.NonResourceURLs, a.Path) || slices.ContainsFunc(rule.NonResourceURLs, func(p string) bool {
			return strings.HasSuffix(p, "*") && strings.HasPrefix(a.Path, strings.TrimRight(p, "*"))
		})
	}
	full, star := a.Resource, "\x00"
	if a.Subresource != "" {
		full, star = a.Resource+"/"+a.Subresource, "*/"+a.Subresource
	}
	return has(rule.APIGroups, a.APIGroup) &&
		(has(rule.Resources, full) || slices.Contains(rule.Resources, star)) &&
		(len(rule.ResourceNames) == 0 || slices.Contains(rule.ResourceNames, a.Name))
}
