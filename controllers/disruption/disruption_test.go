package disruption_test

import (
	"fmt"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"coracle/controllers/disruption"
	"coracle/controllers/looptest"
)

var web = map[string]string{"app": "web"}

func budget(least, most string, change ...func(*policyv1.PodDisruptionBudget)) *policyv1.PodDisruptionBudget {
	b := &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"},
		Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: web}},
	}
	if least != "" {
		b.Spec.MinAvailable = new(intstr.Parse(least))
	}
	if most != "" {
		b.Spec.MaxUnavailable = new(intstr.Parse(most))
	}
	for _, c := range change {
		c(b)
	}
	return b
}

func owned(kind, name string) []metav1.OwnerReference {
	return []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: name, UID: types.UID(name), Controller: new(true)}}
}

// pods are so many pods of a ReplicaSet, the first of which are ready.
func pods(n, ready int) []runtime.Object {
	var objects []runtime.Object
	for i := range n {
		p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: fmt.Sprintf("web-%d", i), Labels: web, OwnerReferences: owned("ReplicaSet", "web-1")}}
		if i < ready {
			p.Status.Conditions = []v1.PodCondition{{Type: v1.PodReady, Status: v1.ConditionTrue}}
		}
		objects = append(objects, p)
	}
	return objects
}

func deployment(replicas int32) []runtime.Object {
	return []runtime.Object{
		&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "web"}, Spec: appsv1.DeploymentSpec{Replicas: &replicas}},
		&appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web-1", UID: "web-1", OwnerReferences: owned("Deployment", "web")}, Spec: appsv1.ReplicaSetSpec{Replicas: new(int32(1))}},
	}
}

func TestController(t *testing.T) {
	orphans := pods(2, 2)
	for _, p := range orphans {
		p.(*v1.Pod).OwnerReferences = nil
	}
	strange := pods(1, 1)
	strange[0].(*v1.Pod).OwnerReferences = owned("Tractor", "t")
	for _, test := range []struct {
		name    string
		budget  *policyv1.PodDisruptionBudget
		objects []runtime.Object
		want    string // allowed, healthy/desired of expected, reason
	}{
		{"a number that has to stay", budget("2", ""), pods(3, 3), "1, 3/2 of 3, SufficientPods"},
		{"pods that are not ready do not count", budget("2", ""), pods(3, 2), "0, 2/2 of 3, InsufficientPods"},
		{"a share that has to stay counts from what the Deployment wants", budget("50%", ""), append(pods(3, 3), deployment(5)...), "0, 3/3 of 5, InsufficientPods"},
		{"a number that may be missing", budget("", "1"), append(pods(3, 3), deployment(3)...), "1, 3/2 of 3, SufficientPods"},
		{"no pods, nothing allowed", budget("0", ""), nil, "0, 0/0 of 0, InsufficientPods"},
		{"pods of nobody have no share", budget("", "1"), orphans, "0, 2/0 of 0, InsufficientPods"},
		{"whoever cannot count allows nothing", budget("", "1"), strange, "0, 0/0 of 0, SyncFailed"},
		{"an eviction that was allowed counts as done", budget("1", "", func(b *policyv1.PodDisruptionBudget) {
			b.Status.DisruptedPods = map[string]metav1.Time{"web-0": metav1.NewTime(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))}
		}), pods(2, 2), "0, 1/1 of 2, InsufficientPods"},
	} {
		t.Run(test.name, func(t *testing.T) {
			looptest.Run(t, append(test.objects, test.budget), func(t *testing.T, w *looptest.World) {
				w.Start(disruption.New(w.Client, w.Factory, w.Log))
				if got := status(t, w); got != test.want {
					t.Errorf("got %s, want %s", got, test.want)
				}
			})
		})
	}
	t.Run("what was allowed two minutes ago and not done is forgotten", func(t *testing.T) {
		b := budget("1", "", func(b *policyv1.PodDisruptionBudget) {
			b.Status.DisruptedPods = map[string]metav1.Time{"web-0": metav1.NewTime(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC))}
		})
		looptest.Run(t, append(pods(2, 2), b), func(t *testing.T, w *looptest.World) {
			w.Start(disruption.New(w.Client, w.Factory, w.Log))
			w.Advance(3 * time.Minute)
			if got, want := status(t, w), "1, 2/1 of 2, SufficientPods"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	})
}

func status(t *testing.T, w *looptest.World) string {
	t.Helper()
	b, err := w.Client.PolicyV1().PodDisruptionBudgets("default").Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	reason := ""
	for _, c := range b.Status.Conditions {
		reason = c.Reason
	}
	s := b.Status
	return fmt.Sprintf("%d, %d/%d of %d, %s", s.DisruptionsAllowed, s.CurrentHealthy, s.DesiredHealthy, s.ExpectedPods, reason)
}
