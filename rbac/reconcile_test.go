package rbac

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

func annotated(obj runtime.Object, value string) runtime.Object {
	obj.(metav1.Object).SetAnnotations(map[string]string{rbacv1.AutoUpdateAnnotationKey: value})
	return obj
}

func TestReconcile(t *testing.T) {
	none := func() runtime.Object { return nil }
	line := func(s string) func() runtime.Object { return func() runtime.Object { return object(t, s) } }
	marked := func(s, value string) func() runtime.Object {
		return func() runtime.Object { return annotated(object(t, s), value) }
	}
	for _, c := range []struct {
		name                   string
		existing, wanted, want func() runtime.Object
		action                 Action
	}{
		{"what is not there is created", none, line("role r: get pods"), line("role r: get pods"), Create},
		{"what is as it should be is kept", line("role r: get,list pods"), line("role r: list pods; get pods"), line("role r: get,list pods"), Keep},
		{"missing rules are added, extra ones stay", line("role r: get pods; get secrets"), line("role r: get,list pods"), line("role r: get pods; get secrets; list pods"), Update},
		{"missing subjects are added, extra ones stay", line("binding b: ClusterRole/r -> User/ann"), line("binding b: ClusterRole/r -> User/bob"), line("binding b: ClusterRole/r -> User/ann User/bob"), Update},
		{"another roleRef needs another object", line("binding b: ClusterRole/q -> User/ann"), line("binding b: ClusterRole/r -> User/bob"), line("binding b: ClusterRole/r -> User/bob"), Recreate},
		{"the same in a namespace", line("binding blue/b: Role/q -> User/ann"), line("binding blue/b: Role/r -> User/bob"), line("binding blue/b: Role/r -> User/bob"), Recreate},
		{"roles of a namespace", line("role blue/r: get pods"), line("role blue/r: list pods"), line("role blue/r: get pods; list pods"), Update},
		{"who opted out is left alone", marked("role r: get pods", "false"), marked("role r: list pods", "true"), marked("role r: get pods", "false"), Keep},
		{"also with another roleRef", marked("binding b: ClusterRole/q -> User/ann", "false"), line("binding b: ClusterRole/r -> User/bob"), marked("binding b: ClusterRole/q -> User/ann", "false"), Keep},
		{"annotations are added", line("role r: get pods"), marked("role r: get pods", "true"), marked("role r: get pods", "true"), Update},
	} {
		t.Run(c.name, func(t *testing.T) {
			existing, wanted := c.existing(), c.wanted()
			got, action, err := Reconcile(existing, wanted)
			if err != nil {
				t.Fatal(err)
			}
			if action != c.action {
				t.Errorf("action is %d, want %d", action, c.action)
			}
			if diff := cmp.Diff(c.want(), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.existing(), existing); diff != "" {
				t.Errorf("what is there was changed:\n%s", diff)
			}
			if diff := cmp.Diff(c.wanted(), wanted); diff != "" {
				t.Errorf("what is wanted was changed:\n%s", diff)
			}
			if action == Keep {
				return
			}
			if _, again, _ := Reconcile(got, wanted); again != Keep {
				t.Errorf("reconciled twice, there is still %d to do", again)
			}
		})
	}
}

func TestReconcile_LabelsThatAreThereStay(t *testing.T) {
	existing, wanted := object(t, "role r: get pods"), object(t, "role r: get pods")
	existing.(labelled).SetLabels(map[string]string{"team": "mine", "extra": "x"})
	wanted.(labelled).SetLabels(map[string]string{"team": "theirs", "kubernetes.io/bootstrapping": "rbac-defaults"})
	got, action, err := Reconcile(existing, wanted)
	if err != nil || action != Update {
		t.Fatalf("action is %d (%v)", action, err)
	}
	want := map[string]string{"team": "mine", "extra": "x", "kubernetes.io/bootstrapping": "rbac-defaults"}
	if diff := cmp.Diff(want, got.(metav1.Object).GetLabels()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReconcile_Aggregation(t *testing.T) {
	role := func(labels ...string) *rbacv1.ClusterRole {
		r := object(t, "role r:").(*rbacv1.ClusterRole)
		for _, label := range labels {
			if r.AggregationRule == nil {
				r.AggregationRule = &rbacv1.AggregationRule{}
			}
			r.AggregationRule.ClusterRoleSelectors = append(r.AggregationRule.ClusterRoleSelectors, gatherFrom(label).ClusterRoleSelectors...)
		}
		return r
	}
	gathered := role("to-r")
	gathered.Rules = object(t, "role r: get pods").(*rbacv1.ClusterRole).Rules
	for _, c := range []struct {
		name                   string
		existing, wanted, want *rbacv1.ClusterRole
		action                 Action
	}{
		{"gathered rules stay", gathered, role("to-r"), gathered, Keep},
		{"missing selectors are added", role("mine"), role("to-r"), role("mine", "to-r"), Update},
		{"a role that gathered nothing begins to", role(), role("to-r"), role("to-r"), Update},
		{"a role that should not gather stops", role("mine"), role(), role(), Update},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, action, err := Reconcile(c.existing, c.wanted)
			if err != nil || action != c.action {
				t.Errorf("action is %d (%v), want %d", action, err, c.action)
			}
			if diff := cmp.Diff(runtime.Object(c.want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestReconcile_RefusesToMix(t *testing.T) {
	if _, _, err := Reconcile(object(t, "role blue/r: get pods"), object(t, "role r: get pods")); err == nil {
		t.Error("a Role was reconciled with a ClusterRole")
	}
	if _, _, err := Reconcile(&metav1.Status{}, &metav1.Status{}); err == nil {
		t.Error("a Status was reconciled")
	}
}
