package deployment_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"

	"coracle/controllers/deployment"
	"coracle/controllers/looptest"
	"coracle/controllers/replicaset"
)

var web = map[string]string{"app": "web"}

func web3(change ...func(*appsv1.Deployment)) *appsv1.Deployment {
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", Annotations: map[string]string{"kubernetes.io/change-cause": "first"}},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(3)),
			Selector: &metav1.LabelSelector{MatchLabels: web},
			Template: v1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: web}, Spec: v1.PodSpec{Hostname: "v1"}},
			Strategy: appsv1.DeploymentStrategy{
				Type:          appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: new(intstr.FromString("25%")), MaxUnavailable: new(intstr.FromString("25%"))},
			},
			RevisionHistoryLimit:    new(int32(10)),
			ProgressDeadlineSeconds: new(int32(600)),
		},
	}
	for _, c := range change {
		c(d)
	}
	return d
}

func start(w *looptest.World) {
	w.Start(deployment.New(w.Client, w.Factory, w.Log), replicaset.New(w.Client, w.Factory, w.Log))
}

func get(t *testing.T, w *looptest.World) *appsv1.Deployment {
	t.Helper()
	d, err := w.Client.AppsV1().Deployments("default").Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func change(t *testing.T, w *looptest.World, how func(*appsv1.Deployment)) {
	t.Helper()
	d := get(t, w)
	how(d)
	if _, err := w.Client.AppsV1().Deployments("default").Update(t.Context(), d, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.Settle()
}

func version(v string) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) { d.Spec.Template.Spec.Hostname = v }
}

// sets are the ReplicaSets as VERSION:REPLICAS@REVISION, sorted.
func sets(t *testing.T, w *looptest.World) string {
	t.Helper()
	list, err := w.Client.AppsV1().ReplicaSets("default").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var s []string
	for _, set := range list.Items {
		s = append(s, fmt.Sprintf("%s:%d@%s", set.Spec.Template.Spec.Hostname, *set.Spec.Replicas, set.Annotations["deployment.kubernetes.io/revision"]))
	}
	slices.Sort(s)
	return strings.Join(s, " ")
}

// settle makes pods ready until nothing changes any more.
func settle(t *testing.T, w *looptest.World) {
	t.Helper()
	for range 30 {
		list, err := w.Client.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list.Items {
			if len(p.Status.Conditions) > 0 {
				continue
			}
			p.Status.Conditions = []v1.PodCondition{{Type: v1.PodReady, Status: v1.ConditionTrue, LastTransitionTime: metav1.Now()}}
			if _, err := w.Client.CoreV1().Pods("default").UpdateStatus(t.Context(), &p, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		w.Advance(time.Second)
	}
}

// reasons are the conditions as TYPE=STATUS REASON.
func reasons(d *appsv1.Deployment) string {
	var s []string
	for _, c := range d.Status.Conditions {
		s = append(s, fmt.Sprintf("%s=%s %s", c.Type, c.Status, c.Reason))
	}
	slices.Sort(s)
	return strings.Join(s, ", ")
}

func check(t *testing.T, what, want, got string) {
	t.Helper()
	if want != got {
		t.Errorf("%s: %s, want %s", what, got, want)
	}
}

func TestRollingUpdate(t *testing.T) {
	looptest.Run(t, []runtime.Object{web3()}, func(t *testing.T, w *looptest.World) {
		start(w)
		check(t, "at first", "v1:3@1", sets(t, w))
		settle(t, w)
		check(t, "conditions", "Available=True MinimumReplicasAvailable, Progressing=True NewReplicaSetAvailable", reasons(get(t, w)))
		change(t, w, version("v2"))
		check(t, "as long as the new pod is not ready none is taken away", "v1:3@1 v2:1@2", sets(t, w))
		settle(t, w)
		check(t, "in the end", "v1:0@1 v2:3@2", sets(t, w))
		change(t, w, version("v1"))
		settle(t, w)
		check(t, "after going back", "v1:3@3 v2:0@2", sets(t, w))
		d := get(t, w)
		want := appsv1.DeploymentStatus{ObservedGeneration: 3, Replicas: 3, UpdatedReplicas: 3, ReadyReplicas: 3, AvailableReplicas: 3, TerminatingReplicas: new(int32(0)), Conditions: d.Status.Conditions}
		if diff := cmp.Diff(want, d.Status); diff != "" {
			t.Errorf("status (-want +got):\n%s", diff)
		}
		list, err := w.Client.AppsV1().ReplicaSets("default").List(t.Context(), metav1.ListOptions{LabelSelector: "app=web"})
		if err != nil {
			t.Fatal(err)
		}
		for _, set := range list.Items {
			if set.Spec.Template.Spec.Hostname == "v1" {
				check(t, "history", "1", set.Annotations["deployment.kubernetes.io/revision-history"])
				check(t, "change cause", "first", set.Annotations["kubernetes.io/change-cause"])
			}
		}
	})
}

func TestRecreate(t *testing.T) {
	recreate := func(d *appsv1.Deployment) {
		d.Spec.Strategy = appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType}
	}
	looptest.Run(t, []runtime.Object{web3(recreate)}, func(t *testing.T, w *looptest.World) {
		start(w)
		settle(t, w)
		// A pod that takes its time to end.
		list, err := w.Client.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		slow := list.Items[0]
		slow.Finalizers = []string{"example.com/slow"}
		if _, err := w.Client.CoreV1().Pods("default").Update(t.Context(), &slow, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		change(t, w, version("v2"))
		check(t, "as long as an old pod runs", "v1:0@1", sets(t, w))
		fresh, err := w.Client.CoreV1().Pods("default").Get(t.Context(), slow.Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		fresh.Finalizers = nil
		if _, err := w.Client.CoreV1().Pods("default").Update(t.Context(), fresh, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		w.Settle()
		check(t, "when all have ended", "v1:0@1 v2:3@2", sets(t, w))
	})
}

func TestScaling(t *testing.T) {
	replicas := func(n int32) func(*appsv1.Deployment) {
		return func(d *appsv1.Deployment) { d.Spec.Replicas = &n }
	}
	t.Run("one set gets all", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{web3()}, func(t *testing.T, w *looptest.World) {
			start(w)
			settle(t, w)
			change(t, w, replicas(5))
			check(t, "sets", "v1:5@1", sets(t, w))
		})
	})
	t.Run("in the middle of a rollout all grow alike", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{web3(replicas(10))}, func(t *testing.T, w *looptest.World) {
			start(w)
			settle(t, w)
			change(t, w, version("v2"))
			check(t, "before", "v1:8@1 v2:5@2", sets(t, w))
			change(t, w, replicas(20))
			check(t, "after", "v1:15@1 v2:10@2", sets(t, w))
		})
	})
	t.Run("one that is paused is scaled and not rolled out", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{web3()}, func(t *testing.T, w *looptest.World) {
			start(w)
			settle(t, w)
			change(t, w, func(d *appsv1.Deployment) { d.Spec.Paused = true })
			change(t, w, version("v2"))
			change(t, w, replicas(4))
			check(t, "paused", "v1:4@1", sets(t, w))
			check(t, "conditions", "Available=True MinimumReplicasAvailable, Progressing=Unknown DeploymentPaused", reasons(get(t, w)))
			change(t, w, func(d *appsv1.Deployment) { d.Spec.Paused = false })
			settle(t, w)
			check(t, "resumed", "v1:0@1 v2:4@2", sets(t, w))
		})
	})
}

func TestDeadline(t *testing.T) {
	looptest.Run(t, []runtime.Object{web3(func(d *appsv1.Deployment) { d.Spec.ProgressDeadlineSeconds = new(int32(60)) })}, func(t *testing.T, w *looptest.World) {
		start(w)
		w.Advance(50 * time.Second)
		check(t, "before the deadline", "Available=False MinimumReplicasUnavailable, Progressing=True ReplicaSetUpdated", reasons(get(t, w)))
		w.Advance(15 * time.Second)
		check(t, "after", "Available=False MinimumReplicasUnavailable, Progressing=False ProgressDeadlineExceeded", reasons(get(t, w)))
		settle(t, w)
		check(t, "when it gets on after all", "Available=True MinimumReplicasAvailable, Progressing=True NewReplicaSetAvailable", reasons(get(t, w)))
	})
}

func TestHistoryLimit(t *testing.T) {
	looptest.Run(t, []runtime.Object{web3(func(d *appsv1.Deployment) { d.Spec.RevisionHistoryLimit = new(int32(1)) })}, func(t *testing.T, w *looptest.World) {
		start(w)
		for _, v := range []string{"v1", "v2", "v3", "v4"} {
			change(t, w, version(v))
			settle(t, w)
		}
		check(t, "sets", "v3:0@3 v4:3@4", sets(t, w))
	})
}

func TestCollision(t *testing.T) {
	looptest.Run(t, []runtime.Object{web3()}, func(t *testing.T, w *looptest.World) {
		start(w)
		list, err := w.Client.AppsV1().ReplicaSets("default").List(t.Context(), metav1.ListOptions{})
		if err != nil || len(list.Items) != 1 {
			t.Fatal(err, len(list.Items))
		}
		name := list.Items[0].Name
		w.Restart()
		// A set of that name that is somebody else's.
		if err := w.Client.AppsV1().ReplicaSets("default").Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		w.Add(&appsv1.ReplicaSet{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
			Spec:       appsv1.ReplicaSetSpec{Replicas: new(int32(0)), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "db"}}},
		})
		start(w)
		w.Advance(time.Second)
		d := get(t, w)
		if d.Status.CollisionCount == nil || *d.Status.CollisionCount != 1 || d.Status.UpdatedReplicas != 3 {
			t.Errorf("status %+v", d.Status)
		}
	})
}
