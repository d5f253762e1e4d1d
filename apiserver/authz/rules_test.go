package authz

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/rbac"
)

// lists is an authorizer that lists what it is told.
type lists struct {
	says
	Rules
}

func (l lists) RulesFor(user.Info, string) Rules { return l.Rules }

func TestChain_RulesFor(t *testing.T) {
	policy := rbac.NewPolicy()
	policy.Apply(
		&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "r"}, Rules: []rbacv1.PolicyRule{
			{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}, ResourceNames: []string{"web"}},
			{Verbs: []string{"get"}, NonResourceURLs: []string{"/healthz"}}}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "b"}, RoleRef: rbacv1.RoleRef{Kind: "Role", Name: "r"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "ann"}}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "c"}, RoleRef: rbacv1.RoleRef{Kind: "Role", Name: "ghost"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "ann"}}},
	)
	ann := &user.DefaultInfo{Name: "ann"}
	own := []authorizationv1.ResourceRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}, ResourceNames: []string{"web"}}}
	paths := []authorizationv1.NonResourceRule{{Verbs: []string{"get"}, NonResourceURLs: []string{"/healthz"}}}
	every := []string{"*"}
	cannot := lists{Rules: Rules{Incomplete: true, Err: errors.New("cannot say")}}
	for _, c := range []struct {
		name, namespace string
		chain           Chain
		want            Rules
		err             string
	}{
		{"who cannot list is passed over", "blue", Chain{PrivilegedGroup{}, AlwaysDeny{}}, Rules{}, ""},
		{"of a namespace", "blue", Chain{RBAC{policy}}, Rules{Resource: own, NonResource: paths}, `role.rbac.authorization.k8s.io "ghost" not found`},
		{"of another namespace", "green", Chain{RBAC{policy}}, Rules{}, ""},
		{"of all together", "blue", Chain{cannot, RBAC{policy}, AlwaysAllow{}},
			Rules{Incomplete: true,
				Resource:    append(own, authorizationv1.ResourceRule{Verbs: every, APIGroups: every, Resources: every}),
				NonResource: append(paths, authorizationv1.NonResourceRule{Verbs: every, NonResourceURLs: every})},
			`[cannot say, role.rbac.authorization.k8s.io "ghost" not found]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.chain.RulesFor(ann, c.namespace)
			err := ""
			if got.Err != nil {
				err = got.Err.Error()
			}
			if err != c.err {
				t.Errorf("error is %q, want %q", err, c.err)
			}
			got.Err = nil
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestAlwaysAllow(t *testing.T) {
	if !(Chain{AlwaysAllow{}}).Ask(t.Context(), &rbac.Attributes{}).Allowed() {
		t.Error("refused")
	}
	if name := (AlwaysAllow{}).Name(); name != "alwaysallow" {
		t.Errorf("its name is %s", name)
	}
}
