package rbac

import (
	"fmt"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"
)

// crowd is a policy with that many bindings, spread over a thousand namespaces, half of them cluster-wide,
// of which three concern ann.
func crowd(bindings int) *Snapshot {
	s := newSnapshot()
	read := rbacv1.PolicyRule{Verbs: []string{"get", "list", "watch"}, APIGroups: []string{""}, Resources: []string{"services", "pods"}}
	s = s.With(
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "view"}, Rules: []rbacv1.PolicyRule{read}},
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "discovery"}, Rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, NonResourceURLs: []string{"/api/*", "/version"}}}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "discovery"},
			RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "discovery"}, Subjects: []rbacv1.Subject{{Kind: "Group", Name: "system:authenticated"}}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "ns-0", Name: "ann"},
			RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "view"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "ann"}}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "ns-0", Name: "ghost"},
			RoleRef: rbacv1.RoleRef{Kind: "Role", Name: "ghost"}, Subjects: []rbacv1.Subject{{Kind: "Group", Name: "devs"}}},
	)
	for i := range bindings - 3 {
		meta := metav1.ObjectMeta{Name: fmt.Sprint("b-", i)}
		ref := rbacv1.RoleRef{Kind: "ClusterRole", Name: "view"}
		subjects := []rbacv1.Subject{{Kind: "User", Name: fmt.Sprint("user-", i)}, {Kind: "Group", Name: fmt.Sprint("team-", i%5000)}}
		if i%2 == 0 {
			s = s.With(&rbacv1.ClusterRoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects})
		} else {
			meta.Namespace = fmt.Sprint("ns-", i%1000)
			s = s.With(&rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: ref, Subjects: subjects})
		}
	}
	return s
}

var ann = &user.DefaultInfo{Name: "ann", Groups: []string{"devs", "system:authenticated"}}

func benchmarkRequests() map[string]*Attributes {
	return map[string]*Attributes{
		"allowed": {User: ann, Verb: "list", ResourceRequest: true, Resource: "pods", Namespace: "ns-0"},
		"refused": {User: ann, Verb: "list", ResourceRequest: true, Resource: "pods", Subresource: "log", Namespace: "ns-0"},
	}
}

func BenchmarkAuthorize(b *testing.B) {
	for _, bindings := range []int{10, 100_000} {
		s := crowd(bindings)
		for name, a := range benchmarkRequests() {
			b.Run(fmt.Sprintf("%s/bindings=%d", name, bindings), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if s.Authorize(a).Allowed != (name == "allowed") {
						b.Fatal(s.Authorize(a).Reason())
					}
				}
			})
		}
	}
}

func BenchmarkExplain(b *testing.B) {
	for _, bindings := range []int{10, 100_000} {
		s, a := crowd(bindings), benchmarkRequests()["refused"]
		b.Run(fmt.Sprintf("bindings=%d", bindings), func(b *testing.B) {
			for b.Loop() {
				s.Explain(a)
			}
		})
	}
}

func BenchmarkApply(b *testing.B) {
	for _, bindings := range []int{10, 100_000} {
		s := crowd(bindings)
		binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "new"},
			RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "view"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "ann"}}}
		b.Run(fmt.Sprintf("bindings=%d", bindings), func(b *testing.B) {
			for b.Loop() {
				s.With(binding)
			}
		})
	}
}

func TestAuthorize_AllocatesNothing(t *testing.T) {
	s := crowd(1000)
	for name, a := range benchmarkRequests() {
		if n := testing.AllocsPerRun(100, func() { s.Authorize(a) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
