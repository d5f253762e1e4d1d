package compare

import (
	"context"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/rbac"
)

// world is a policy that upstream's authorizer can read.
type world struct {
	roles               []*rbacv1.Role
	clusterRoles        []*rbacv1.ClusterRole
	roleBindings        []*rbacv1.RoleBinding
	clusterRoleBindings []*rbacv1.ClusterRoleBinding
}

func (w *world) GetRole(_ context.Context, namespace, name string) (*rbacv1.Role, error) {
	for _, r := range w.roles {
		if r.Namespace == namespace && r.Name == name {
			return r, nil
		}
	}
	return nil, apierrors.NewNotFound(rbacv1.Resource("role"), name)
}

func (w *world) GetClusterRole(_ context.Context, name string) (*rbacv1.ClusterRole, error) {
	for _, r := range w.clusterRoles {
		if r.Name == name {
			return r, nil
		}
	}
	return nil, apierrors.NewNotFound(rbacv1.Resource("clusterrole"), name)
}

func (w *world) ListRoleBindings(_ context.Context, namespace string) ([]*rbacv1.RoleBinding, error) {
	var list []*rbacv1.RoleBinding
	for _, b := range w.roleBindings {
		if b.Namespace == namespace {
			list = append(list, b)
		}
	}
	return list, nil
}

func (w *world) ListClusterRoleBindings(context.Context) ([]*rbacv1.ClusterRoleBinding, error) {
	return w.clusterRoleBindings, nil
}

// snapshot is the same policy for ours.
func (w *world) snapshot() *rbac.Snapshot {
	p := rbac.NewPolicy()
	for _, o := range w.roles {
		p.Apply(o)
	}
	for _, o := range w.clusterRoles {
		p.Apply(o)
	}
	for _, o := range w.roleBindings {
		p.Apply(o)
	}
	for _, o := range w.clusterRoleBindings {
		p.Apply(o)
	}
	return p.Snapshot()
}

// only is the world with no other binding than this one.
func (w *world) only(b *rbac.Binding) *world {
	less := &world{roles: w.roles, clusterRoles: w.clusterRoles}
	for _, other := range w.clusterRoleBindings {
		if b.Namespace == "" && other.Name == b.Name {
			less.clusterRoleBindings = append(less.clusterRoleBindings, other)
		}
	}
	for _, other := range w.roleBindings {
		if other.Namespace == b.Namespace && other.Name == b.Name {
			less.roleBindings = append(less.roleBindings, other)
		}
	}
	return less
}

func (d draw) rule() rbacv1.PolicyRule {
	rule := rbacv1.PolicyRule{Verbs: d.some(4, "get", "list", "create", "*", "Get", "")}
	if d.chance(4) {
		rule.NonResourceURLs = d.some(3, "/healthz", "/healthz/*", "*", "/heal*", "/*/x", "/healthz**", "healthz", "")
		if !d.chance(4) {
			return rule
		}
	}
	rule.APIGroups = d.some(3, "", "apps", "*", "batch")
	rule.Resources = d.some(4, "pods", "pods/log", "pods/*", "*/log", "*", "*/scale", "deployments", "deployments/scale",
		"log", "/log", "", "*/", "pods/", "s/log")
	if d.chance(3) {
		rule.ResourceNames = d.some(3, "a", "b", "", "*")
	}
	return rule
}

func (d draw) rules() []rbacv1.PolicyRule {
	var rules []rbacv1.PolicyRule
	for range d.IntN(6) {
		rules = append(rules, d.rule())
	}
	return rules
}

func (d draw) subjects() []rbacv1.Subject {
	var subjects []rbacv1.Subject
	for range 2 + d.IntN(6) {
		switch d.IntN(8) {
		case 0, 1:
			subjects = append(subjects, rbacv1.Subject{Kind: "User", Name: d.one("ann", "bob", "system:serviceaccount:blue:robot", "")})
		case 2, 3:
			subjects = append(subjects, rbacv1.Subject{Kind: "Group", Name: d.one("devs", "ops", "system:authenticated", "ann")})
		case 4, 5, 6:
			subjects = append(subjects, rbacv1.Subject{Kind: "ServiceAccount", Namespace: d.one("blue", "green", "", "a:b", "a"), Name: d.one("robot", "ann", "c", "b:c", "")})
		default:
			subjects = append(subjects, rbacv1.Subject{Kind: d.one("user", "Bot", ""), Name: "ann"})
		}
	}
	return subjects
}

func (d draw) roleRef() rbacv1.RoleRef {
	return rbacv1.RoleRef{Kind: d.one("Role", "Role", "ClusterRole", "ClusterRole", "ClusterRole", "Rule"), Name: d.one("r1", "r2", "r3", "r4", "ghost")}
}

func (d draw) world() *world {
	w := &world{}
	for _, name := range []string{"r1", "r2", "r3", "r4"} {
		if !d.chance(3) {
			w.clusterRoles = append(w.clusterRoles, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, Rules: d.rules()})
		}
		for _, ns := range []string{"blue", "green"} {
			if !d.chance(3) {
				w.roles = append(w.roles, &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}, Rules: d.rules()})
			}
		}
	}
	for _, name := range []string{"b1", "b2", "b3", "b4", "b5"} {
		if d.chance(2) {
			w.clusterRoleBindings = append(w.clusterRoleBindings, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: d.roleRef(), Subjects: d.subjects()})
		}
		for _, ns := range []string{"blue", "green"} {
			if d.chance(2) {
				w.roleBindings = append(w.roleBindings, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name}, RoleRef: d.roleRef(), Subjects: d.subjects()})
			}
		}
	}
	return w
}

var users = []user.Info{
	&user.DefaultInfo{Name: "ann", Groups: []string{"devs", "system:authenticated"}},
	&user.DefaultInfo{Name: "bob", Groups: []string{"ops", "ops"}},
	&user.DefaultInfo{Name: "system:serviceaccount:blue:robot", Groups: []string{"system:serviceaccounts"}},
	&user.DefaultInfo{Name: "system:serviceaccount:a:b:c"},
	&user.DefaultInfo{Name: "system:serviceaccount::robot"},
	&user.DefaultInfo{Name: ""},
}
