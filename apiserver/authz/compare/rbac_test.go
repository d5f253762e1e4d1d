package compare

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/kubernetes/pkg/registry/rbac/validation"
	upstream "k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac"

	"coracle/rbac"
)

const (
	worlds           = 6000
	requestsPerWorld = 200
)

func TestRBAC(t *testing.T) {
	cases, allowed := 0, 0
	for seed := range worlds {
		d := seeded(seed)
		w := d.world()
		theirs, ours := upstream.New(w, w, w, w), w.snapshot()
		for range requestsPerWorld {
			a := d.request()
			verdict, reason, _ := theirs.Authorize(t.Context(), a)
			got := ours.Authorize(attributesOf(a))
			cases++
			if got.Allowed != (verdict == authorizer.DecisionAllow) {
				t.Fatalf("seed %d, %+v: Kubernetes answers %v %q, we %v %q", seed, a, verdict, reason, got.Allowed, got.Reason())
			}
			if !got.Allowed {
				if !sameParts(reason, got.Reason()) {
					t.Fatalf("seed %d, %+v: the reason is %q, want %q", seed, a, got.Reason(), reason)
				}
				continue
			}
			// Which of several bindings Kubernetes names is chance: ask it again with ours alone.
			allowed++
			less := w.only(got.By.Binding)
			if _, reason, _ := upstream.New(less, less, less, less).Authorize(t.Context(), a); reason != got.Reason() {
				t.Fatalf("seed %d, %+v: the reason is %q, want %q", seed, a, got.Reason(), reason)
			}
		}
	}
	t.Logf("%d requests, of which %d were allowed", cases, allowed)
	if cases < 1_000_000 || allowed < cases/50 {
		t.Errorf("%d cases with %d allowed say little", cases, allowed)
	}
}

func TestRBAC_RulesAndEscalation(t *testing.T) {
	refused := 0
	for seed := range worlds / 4 {
		d := seeded(seed)
		w := d.world()
		theirs, ours := validation.NewDefaultRuleResolver(w, w, w, w), w.snapshot()
		for _, u := range users {
			for _, ns := range []string{"", "blue", "green"} {
				want, wantErr := theirs.RulesFor(t.Context(), u, ns)
				got, err := ours.RulesFor(u, ns)
				if !slices.Equal(distinct(got), distinct(want)) || !sameParts(fmt.Sprint(err), fmt.Sprint(wantErr)) {
					t.Fatalf("seed %d, %s in %q: rules %v (%v), want %v (%v)", seed, u.GetName(), ns, got, err, want, wantErr)
				}
				rules := d.rules()
				ctx := request.WithNamespace(request.WithUser(t.Context(), u), ns)
				wantErr = validation.ConfirmNoEscalation(ctx, theirs, rules)
				err = ours.CheckEscalation(&rbac.Attributes{User: u, Namespace: ns, Resource: "roles", APIGroup: rbacv1.GroupName},
					&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "x"}, Rules: rules}, nil,
					func(*rbac.Attributes) bool { return false })
				if (err == nil) != (wantErr == nil) {
					t.Fatalf("seed %d, %s in %q: %v, want %v", seed, u.GetName(), ns, err, wantErr)
				}
				if err != nil {
					refused++
					// The mock resolver words unresolved roles otherwise than the server does.
					got, _, _ := strings.Cut(strings.TrimPrefix(err.Error(), `roles.rbac.authorization.k8s.io "x" is forbidden: `), "; resolution errors")
					want, _, _ := strings.Cut(wantErr.Error(), "; resolution errors")
					if got != want {
						t.Fatalf("seed %d, %s in %q:\ngot  %s\nwant %s", seed, u.GetName(), ns, got, want)
					}
				}
			}
		}
	}
	if refused < 1000 {
		t.Errorf("%d refusals say little", refused)
	}
}

func (d draw) request() authorizer.AttributesRecord {
	a := authorizer.AttributesRecord{User: users[d.IntN(len(users))], Verb: d.one("get", "list", "create", "*", "")}
	if d.chance(5) {
		a.Path = d.one("/healthz", "/healthz/x", "/heal", "/", "", "*", "/healthz*", "/a/x")
		return a
	}
	a.ResourceRequest = true
	a.APIGroup = d.one("", "apps", "*")
	a.Resource = d.one("pods", "deployments", "*", "pods/log", "")
	a.Subresource = d.one("", "", "log", "scale", "*", "g")
	a.Name = d.one("", "a", "b")
	a.Namespace = d.one("", "blue", "green")
	return a
}

func attributesOf(a authorizer.AttributesRecord) *rbac.Attributes {
	return &rbac.Attributes{
		User: a.User, Verb: a.Verb, ResourceRequest: a.ResourceRequest, APIGroup: a.APIGroup, Resource: a.Resource,
		Subresource: a.Subresource, Namespace: a.Namespace, Name: a.Name, Path: a.Path, FieldSelector: a.FieldSelectorRequirements,
	}
}

// sameParts compares lists of errors, `RBAC: [x, y]`, whatever their order.
func sameParts(a, b string) bool {
	split := func(s string) []string {
		s = strings.TrimPrefix(s, "RBAC: ")
		parts := strings.Split(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"), ", ")
		slices.Sort(parts)
		return parts
	}
	return slices.Equal(split(a), split(b))
}

func distinct(rules []rbacv1.PolicyRule) []string {
	var lines []string
	for _, r := range rules {
		lines = append(lines, fmt.Sprintf("%q %q %q %q %q", r.Verbs, r.APIGroups, r.Resources, r.ResourceNames, r.NonResourceURLs))
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}
