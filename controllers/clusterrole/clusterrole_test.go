package clusterrole_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"

	"coracle/controllers/clusterrole"
	"coracle/controllers/looptest"
)

func role(name, label string, verbs ...string) *rbacv1.ClusterRole {
	r := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"to": label}}}
	for _, v := range verbs {
		r.Rules = append(r.Rules, rbacv1.PolicyRule{Verbs: []string{v}, APIGroups: []string{""}, Resources: []string{"pods"}})
	}
	return r
}

func aggregated(name string, labels ...string) *rbacv1.ClusterRole {
	r := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}, AggregationRule: &rbacv1.AggregationRule{}}
	for _, l := range labels {
		r.AggregationRule.ClusterRoleSelectors = append(r.AggregationRule.ClusterRoleSelectors, metav1.LabelSelector{MatchLabels: map[string]string{"to": l}})
	}
	return r
}

// applies makes the fake apply: it has no field ownership, and this controller owns the rules anyway.
func applies(w *looptest.World) {
	w.Client.PrependReactor("patch", "clusterroles", func(action clienttesting.Action) (bool, runtime.Object, error) {
		patch := action.(clienttesting.PatchActionImpl)
		// The fake is locked while it reacts: its store is asked directly.
		resource := rbacv1.SchemeGroupVersion.WithResource("clusterroles")
		got, err := w.Tracker().Get(resource, "", patch.GetName())
		if err != nil {
			return true, nil, err
		}
		stored := got.DeepCopyObject().(*rbacv1.ClusterRole)
		var applied rbacv1.ClusterRole
		if err := json.Unmarshal(patch.GetPatch(), &applied); err != nil {
			return true, nil, err
		}
		stored.Rules = applied.Rules
		return true, stored, w.Tracker().Update(resource, stored, "")
	})
}

func verbs(t *testing.T, w *looptest.World, name string) []string {
	t.Helper()
	r, err := w.Client.RbacV1().ClusterRoles().Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var verbs []string
	for _, rule := range r.Rules {
		verbs = append(verbs, rule.Verbs...)
	}
	return verbs
}

func TestController(t *testing.T) {
	tests := []struct {
		name  string
		roles []runtime.Object
		do    func(t *testing.T, w *looptest.World)
		want  []string
	}{
		{"rules come selector by selector, in the order of names, none twice",
			[]runtime.Object{aggregated("all", "x", "y"), role("c", "x", "get", "list"), role("b", "y", "watch"), role("a", "x", "create", "get")}, nil,
			[]string{"create", "get", "list", "watch"}},
		{"a role that comes later is added", []runtime.Object{aggregated("all", "x")}, func(_ *testing.T, w *looptest.World) {
			w.Add(role("a", "x", "get"))
		}, []string{"get"}},
		{"a role that goes is taken out", []runtime.Object{aggregated("all", "x"), role("a", "x", "get"), role("b", "x", "list")}, func(t *testing.T, w *looptest.World) {
			if err := w.Client.RbacV1().ClusterRoles().Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		}, []string{"list"}},
		{"what somebody adds by hand is put right", []runtime.Object{aggregated("all", "x"), role("a", "x", "get")}, func(t *testing.T, w *looptest.World) {
			r := aggregated("all", "x")
			r.Rules = role("", "", "escalate").Rules
			if _, err := w.Client.RbacV1().ClusterRoles().Update(t.Context(), r, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
		}, []string{"get"}},
		{"aggregated roles aggregate aggregated roles", []runtime.Object{
			func() *rbacv1.ClusterRole { r := aggregated("all", "mid"); return r }(),
			func() *rbacv1.ClusterRole {
				r := aggregated("mid", "x")
				r.Labels = map[string]string{"to": "mid"}
				return r
			}(),
			role("a", "x", "get"),
		}, nil, []string{"get"}},
		{"a role does not select itself", []runtime.Object{
			func() *rbacv1.ClusterRole {
				r := aggregated("all", "x")
				r.Labels = map[string]string{"to": "x"}
				return r
			}(),
			role("a", "x", "get"),
		}, nil, []string{"get"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			looptest.Run(t, test.roles, func(t *testing.T, w *looptest.World) {
				applies(w)
				w.Start(clusterrole.New(w.Client, w.Factory, w.Log))
				if test.do != nil {
					test.do(t, w)
					w.Settle()
				}
				if diff := cmp.Diff(test.want, verbs(t, w, "all")); diff != "" {
					t.Errorf("verbs (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// Before the controller runs, and by the same rules.
func TestFill(t *testing.T) {
	gathering := aggregated("mid", "x")
	gathering.Labels = map[string]string{"to": "mid"}
	broken := aggregated("broken", "x")
	broken.AggregationRule.ClusterRoleSelectors[0].MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "to", Operator: "Sideways"}}
	full := aggregated("full", "x")
	full.Rules = role("", "", "get", "list").Rules
	ring, ringed := aggregated("ring", "r"), aggregated("ringed", "r")
	ring.Labels, ringed.Labels = map[string]string{"to": "r"}, map[string]string{"to": "r"}
	roles := []*rbacv1.ClusterRole{aggregated("all", "mid"), gathering, broken, full, ring, ringed, role("a", "x", "get"), role("b", "x", "list")}

	looptest.Run(t, asObjects(roles), func(t *testing.T, w *looptest.World) {
		applies(w)
		if err := clusterrole.Fill(t.Context(), w.Client, roles); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string][]string{
			"all": {"get", "list"}, "mid": {"get", "list"}, "full": {"get", "list"}, "broken": nil, "ring": nil, "a": {"get"},
		} {
			if diff := cmp.Diff(want, verbs(t, w, name)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
		patched := map[string]int{}
		for _, action := range w.Client.Actions() {
			if p, ok := action.(clienttesting.PatchAction); ok {
				patched[p.GetName()]++
			}
		}
		if diff := cmp.Diff(map[string]int{"all": 1, "mid": 1}, patched); diff != "" {
			t.Errorf("roles that were written, and how often (-want +got):\n%s", diff)
		}
	})
	if len(gathering.Rules) != 0 {
		t.Error("the roles given were changed")
	}
}

func asObjects(roles []*rbacv1.ClusterRole) []runtime.Object {
	objs := make([]runtime.Object, len(roles))
	for i, r := range roles {
		objs[i] = r
	}
	return objs
}
