package authz

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/apiserver/decision"
	"coracle/rbac"
)

// says is an authorizer that always says the same.
type says struct {
	name string
	Opinion
}

func (s says) Name() string                                        { return s.name }
func (s says) Authorize(context.Context, *rbac.Attributes) Opinion { return s.Opinion }

func TestChain(t *testing.T) {
	silent := says{name: "silent"}
	unsure := says{"unsure", Opinion{Because: Sentence("never heard of it")}}
	broken := says{"broken", Opinion{Err: errors.New("webhook is away")}}
	yes := says{"yes", Opinion{Verdict: Allow, Because: Sentence("why not")}}
	no := says{"no", Opinion{Verdict: Deny, Because: Sentence("over my dead body")}}

	for _, c := range []struct {
		name    string
		chain   Chain
		verdict Verdict
		reason  string
		err     string
		asked   []string
	}{
		{"nobody to ask is a refusal", nil, NoOpinion, "", "", nil},
		{"the first to allow ends the questioning", Chain{silent, yes, no}, Allow, "why not", "", []string{"silent", "yes"}},
		{"the first to deny ends the questioning", Chain{unsure, no, yes}, Deny, "over my dead body", "", []string{"unsure", "no"}},
		{"reasons of those without an opinion are put together", Chain{unsure, silent, AlwaysDeny{}}, NoOpinion,
			"unsure: never heard of it\nalwaysdeny: Everything is forbidden.", "", []string{"unsure", "silent", "alwaysdeny"}},
		{"an error on the way to permission is forgotten", Chain{broken, yes}, Allow, "why not", "", []string{"broken", "yes"}},
		{"an error on the way to a refusal is kept", Chain{broken, unsure}, NoOpinion, "unsure: never heard of it", "webhook is away", []string{"broken", "unsure"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			record := &decision.Record{}
			answer := c.chain.Authorize(decision.With(t.Context(), record), &rbac.Attributes{User: &user.DefaultInfo{Name: "ann"}})
			if answer.Verdict != c.verdict || answer.Reason() != c.reason {
				t.Errorf("answer is %v %q, want %v %q", answer.Verdict, answer.Reason(), c.verdict, c.reason)
			}
			var err string
			if answer.Err != nil {
				err = answer.Err.Error()
			}
			if err != c.err {
				t.Errorf("error is %q, want %q", err, c.err)
			}
			var asked []string
			for _, o := range record.Authorization {
				asked = append(asked, o.Authorizer)
			}
			if diff := cmp.Diff(c.asked, asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRBAC_RecordsItsDecision(t *testing.T) {
	policy := rbac.NewPolicy()
	policy.Apply(
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "r"}, Rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "b"}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "r"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "ann"}}},
	)
	record := &decision.Record{}
	a := &rbac.Attributes{User: &user.DefaultInfo{Name: "ann"}, Verb: "get", ResourceRequest: true, Resource: "pods", Namespace: "blue"}
	answer := Chain{PrivilegedGroup{}, RBAC{policy}}.Authorize(decision.With(t.Context(), record), a)
	if !answer.Allowed() {
		t.Fatalf("%v: %s", answer.Verdict, answer.Reason())
	}
	last := record.Authorization[len(record.Authorization)-1]
	if want := `RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to User "ann"`; ReasonOf(last) != want {
		t.Errorf("reason is %q, want %q", ReasonOf(last), want)
	}
	if d, ok := last.Because.(rbac.Decision); !ok || d.By.Role.Name != "r" {
		t.Errorf("because is %#v", last.Because)
	}
}

func TestExplain(t *testing.T) {
	a := &rbac.Attributes{User: &user.DefaultInfo{Name: "ann"}, Verb: "get", ResourceRequest: true, Resource: "pods", Namespace: "blue"}
	answer := Chain{AlwaysDeny{}, RBAC{rbac.NewPolicy()}, says{name: "silent"}}.Ask(t.Context(), a)
	var got []string
	for _, o := range answer.Opinions {
		first, _, _ := strings.Cut(Explain(o), "\n")
		got = append(got, first)
	}
	want := []string{"Everything is forbidden.", `ann may not get pods in namespace "blue".`, ""}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPrivilegedGroup(t *testing.T) {
	ask := func(groups ...string) Answer {
		return Chain{PrivilegedGroup{}}.Ask(t.Context(), &rbac.Attributes{User: &user.DefaultInfo{Name: "ann", Groups: groups}})
	}
	if !ask("system:authenticated", "system:masters").Allowed() {
		t.Error("a member of system:masters is refused")
	}
	if ask("system:authenticated", "system:master").Allowed() {
		t.Error("a member of another group is allowed")
	}
	if answer := (Chain{PrivilegedGroup{}}).Ask(t.Context(), &rbac.Attributes{}); answer.Allowed() || answer.Err == nil {
		t.Errorf("a request by nobody: %+v", answer)
	}
}

func BenchmarkChain(b *testing.B) {
	policy := rbac.NewPolicy()
	policy.Apply(
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "r"}, Rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "b"}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "r"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "ann"}}},
	)
	chain := Chain{PrivilegedGroup{}, RBAC{policy}}
	a := &rbac.Attributes{User: &user.DefaultInfo{Name: "ann"}, Verb: "get", ResourceRequest: true, Resource: "pods", Namespace: "blue"}
	ctx := decision.With(b.Context(), &decision.Record{})
	b.ReportAllocs()
	for b.Loop() {
		if !chain.Authorize(ctx, a).Allowed() {
			b.Fatal("refused")
		}
	}
}
