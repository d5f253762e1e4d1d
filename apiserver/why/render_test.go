package why

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/apiserver/authz"
	"coracle/apiserver/decision"
	"coracle/authn"
	"coracle/rbac"
)

func TestLine_OfWhoIsNotKnown(t *testing.T) {
	passed := func(name, why string) decision.Asked {
		return decision.Asked{Authenticator: name, Verdict: "passed", Why: errors.New(why)}
	}
	noToken := decision.Asked{Authenticator: "serviceaccount", Verdict: "passed", Why: authn.WhyNoToken}
	for _, c := range []struct {
		name  string
		asked []decision.Asked
		want  string
	}{
		{"nothing was brought and nobody is anonymous", []decision.Asked{passed("x509", "no certificate"), noToken},
			"no credential was presented, and anonymous requests are not let in"},
		{"nothing was brought and anonymous is limited to paths",
			[]decision.Asked{passed("x509", "no certificate"), noToken, passed("anonymous", "anonymous requests are limited to other paths")},
			"no credential was presented, and anonymous requests are limited to other paths"},
		{"a token that nobody knows", []decision.Asked{passed("x509", "no certificate"), passed("tokenfile", "it is not in the file"), passed("serviceaccount", "it is no JWT")},
			"nobody knows this token; tokenfile: it is not in the file; serviceaccount: it is no JWT"},
		{"a token that somebody refuses", []decision.Asked{passed("tokenfile", "it is not in the file"), {Authenticator: "serviceaccount", Verdict: "refused", Why: errors.New("it expired 3 minutes ago")}},
			"serviceaccount: it expired 3 minutes ago"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Line(&decision.Record{Code: 401, Authentication: c.asked}); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestAdvice(t *testing.T) {
	policy := rbac.NewPolicy()
	policy.Apply(
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "r"}, Rules: []rbacv1.PolicyRule{{Verbs: []string{"impersonate:user-info"}, APIGroups: []string{"authentication.k8s.io"}, Resources: []string{"users"}, ResourceNames: []string{"held"}}}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "b"}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "r"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "ann"}}},
	)
	// opinion is RBAC's, on something that ann wants.
	opinion := func(verb, group, resource, namespace, name string) decision.Opinion {
		a := &rbac.Attributes{User: &user.DefaultInfo{Name: "ann"}, Verb: verb, ResourceRequest: true, APIGroup: group, Resource: resource, Namespace: namespace, Name: name}
		return authz.About(a, authz.Chain{authz.RBAC{Policy: policy}}.Ask(t.Context(), a).Opinions)[0]
	}
	list, bind := opinion("list", "", "pods", "blue", ""), opinion("bind", "rbac.authorization.k8s.io", "roles", "blue", "reader")
	deny := decision.Opinion{Authorizer: "webhook", Verdict: "deny"}
	allow := decision.Opinion{Authorizer: "rbac", Verdict: "allow"}
	on := opinion("impersonate-on:user-info:list", "", "pods", "blue", "")
	toList := []string{
		"kubectl create role ann-list-pods --verb=list --resource=pods --namespace=blue",
		"kubectl create rolebinding ann-list-pods --role=ann-list-pods --user=ann --namespace=blue",
	}
	toActOn := []string{
		"kubectl create role ann-impersonate-on-user-info-list-pods --verb=impersonate-on:user-info:list --resource=pods --namespace=blue",
		"kubectl create rolebinding ann-impersonate-on-user-info-list-pods --role=ann-impersonate-on-user-info-list-pods --user=ann --namespace=blue",
	}
	for _, c := range []struct {
		name   string
		record decision.Record
		want   []string
	}{
		{"what the request lacks", decision.Record{Code: 403, Authorization: []decision.Opinion{list}}, toList},
		{"nothing for what is allowed", decision.Record{Code: 200, Authorization: []decision.Opinion{list}}, nil},
		{"nothing when somebody before denies", decision.Record{Code: 403, Authorization: []decision.Opinion{deny, list}}, nil},
		{"a permission before somebody denies", decision.Record{Code: 403, Authorization: []decision.Opinion{list, deny}}, toList},
		{"of impersonating, all that the first way lacks and nothing of the others", decision.Record{Code: 403, Impersonation: []decision.Opinion{
			on, opinion("impersonate:user-info", "authentication.k8s.io", "users", "", "held"), opinion("impersonate", "", "users", "", "held")}}, toActOn},
		{"nothing to act as somebody whom nobody may be", decision.Record{Code: 403, Impersonation: []decision.Opinion{
			{Authorizer: "impersonation", Verdict: "deny", Verb: "impersonate:user-info"}, on}}, nil},
		{"the request's own, though impersonating was allowed", decision.Record{Code: 403, Impersonation: []decision.Opinion{allow}, Authorization: []decision.Opinion{list}}, toList},
		{"when admission refuses, the permission that it asked for", decision.Record{Code: 403, Authorization: []decision.Opinion{allow}, Further: []decision.Opinion{bind}}, []string{
			"kubectl create role ann-bind-roles --verb=bind --resource=roles.rbac.authorization.k8s.io --resource-name=reader --namespace=blue",
			"kubectl create rolebinding ann-bind-roles --role=ann-bind-roles --user=ann --namespace=blue"}},
		{"never escalate", decision.Record{Code: 403, Authorization: []decision.Opinion{allow},
			Further: []decision.Opinion{opinion("escalate", "rbac.authorization.k8s.io", "roles", "blue", "reader")}}, nil},
		{"nothing when admission refuses for other reasons", decision.Record{Code: 403, Authorization: []decision.Opinion{list, allow}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, Advice(&c.record)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
