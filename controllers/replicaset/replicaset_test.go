package replicaset_test

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clienttesting "k8s.io/client-go/testing"

	"coracle/controllers/looptest"
	"coracle/controllers/replicaset"
)

var web = map[string]string{"app": "web"}

func set(replicas int32) *appsv1.ReplicaSet {
	return &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "web"},
		Spec: appsv1.ReplicaSetSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: web},
			Template: v1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: web}},
		},
	}
}

func pod(name string, owner types.UID, labels map[string]string) *v1.Pod {
	p := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(name), Labels: labels}, Spec: v1.PodSpec{NodeName: "node-1"}}
	if owner != "" {
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "ReplicaSet", Name: string(owner), UID: owner, Controller: new(true)}}
	}
	return p
}

// owners are the pods of the namespace, by name, each with the name of its controller.
func owners(t *testing.T, w *looptest.World) map[string]string {
	t.Helper()
	list, err := w.Client.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	owners := map[string]string{}
	for _, p := range list.Items {
		owners[p.Name] = ""
		if ref := metav1.GetControllerOf(&p); ref != nil {
			owners[p.Name] = ref.Kind + "/" + ref.Name
		}
	}
	return owners
}

func setReady(t *testing.T, w *looptest.World) {
	t.Helper()
	list, err := w.Client.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list.Items {
		p.Status.Conditions = []v1.PodCondition{{Type: v1.PodReady, Status: v1.ConditionTrue, LastTransitionTime: metav1.Now()}}
		if _, err := w.Client.CoreV1().Pods("default").UpdateStatus(t.Context(), &p, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	w.Settle()
}

func status(t *testing.T, w *looptest.World) appsv1.ReplicaSetStatus {
	t.Helper()
	s, err := w.Client.AppsV1().ReplicaSets("default").Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s.Status
}

func TestController(t *testing.T) {
	t.Run("it makes as many pods as are missing, and counts them", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{set(3)}, func(t *testing.T, w *looptest.World) {
			w.Start(replicaset.New(w.Client, w.Factory, w.Log))
			if got := len(owners(t, w)); got != 3 {
				t.Errorf("%d pods, want 3", got)
			}
			setReady(t, w)
			want := appsv1.ReplicaSetStatus{Replicas: 3, FullyLabeledReplicas: 3, ReadyReplicas: 3, AvailableReplicas: 3, TerminatingReplicas: new(int32(0)), ObservedGeneration: 1}
			if diff := cmp.Diff(want, status(t, w)); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("a pod that was deleted or has ended is replaced", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{set(2), pod("a", "web", web), pod("b", "web", web)}, func(t *testing.T, w *looptest.World) {
			w.Start(replicaset.New(w.Client, w.Factory, w.Log))
			if err := w.Client.CoreV1().Pods("default").Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			b := pod("b", "web", web)
			b.Status.Phase = v1.PodFailed
			if _, err := w.Client.CoreV1().Pods("default").UpdateStatus(t.Context(), b, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			w.Settle()
			if got := len(owners(t, w)); got != 3 || status(t, w).Replicas != 2 {
				t.Errorf("%d pods, %d counted, want 3 and 2", got, status(t, w).Replicas)
			}
		})
	})
	t.Run("it adopts orphans that it selects, releases pods that it no longer does, and leaves others alone", func(t *testing.T) {
		other := map[string]string{"app": "other"}
		objects := []runtime.Object{set(2), pod("orphan", "", web), pod("mine", "web", web), pod("lost", "web", other), pod("theirs", "db", web), pod("nobodys", "", other)}
		looptest.Run(t, objects, func(t *testing.T, w *looptest.World) {
			w.Start(replicaset.New(w.Client, w.Factory, w.Log))
			want := map[string]string{"orphan": "ReplicaSet/web", "mine": "ReplicaSet/web", "lost": "", "theirs": "ReplicaSet/db", "nobodys": ""}
			if diff := cmp.Diff(want, owners(t, w)); diff != "" {
				t.Errorf("owners (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("of too many the cheapest go", func(t *testing.T) {
		dear := pod("dear", "web", web)
		dear.Annotations = map[string]string{v1.PodDeletionCost: "100"}
		looptest.Run(t, []runtime.Object{set(1), pod("a", "web", web), dear, pod("z", "web", web)}, func(t *testing.T, w *looptest.World) {
			w.Start(replicaset.New(w.Client, w.Factory, w.Log))
			if diff := cmp.Diff(map[string]string{"dear": "ReplicaSet/web"}, owners(t, w)); diff != "" {
				t.Errorf("pods (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("pods are available once they have been ready for minReadySeconds", func(t *testing.T) {
		s := set(1)
		s.Spec.MinReadySeconds = 10
		looptest.Run(t, []runtime.Object{s}, func(t *testing.T, w *looptest.World) {
			w.Start(replicaset.New(w.Client, w.Factory, w.Log))
			setReady(t, w)
			w.Advance(9 * time.Second)
			before := status(t, w).AvailableReplicas
			w.Advance(2 * time.Second)
			if after := status(t, w).AvailableReplicas; before != 0 || after != 1 {
				t.Errorf("%d available after 9s, %d after 11s, want 0 and 1", before, after)
			}
		})
	})
	t.Run("a refusal is told in the condition and in an Event, until pods can be made", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{set(2)}, func(t *testing.T, w *looptest.World) {
			var relent atomic.Bool
			w.Client.PrependReactor("create", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
				return !relent.Load(), nil, apierrors.NewForbidden(v1.Resource("pods"), "web-1", fmt.Errorf("exceeded quota"))
			})
			w.Start(replicaset.New(w.Client, w.Factory, w.Log))
			conditions := status(t, w).Conditions
			if len(conditions) != 1 || conditions[0].Reason != "FailedCreate" || conditions[0].Message != `pods "web-1" is forbidden: exceeded quota` {
				t.Errorf("conditions %+v", conditions)
			}
			events, err := w.Client.CoreV1().Events("default").List(t.Context(), metav1.ListOptions{})
			if err != nil || !slices.ContainsFunc(events.Items, func(e v1.Event) bool {
				return e.Reason == "FailedCreate" && e.Message == `Error creating: pods "web-1" is forbidden: exceeded quota`
			}) {
				t.Errorf("events %+v, error %v", events.Items, err)
			}
			relent.Store(true)
			w.Advance(time.Minute)
			if s := status(t, w); len(s.Conditions) != 0 || s.Replicas != 2 {
				t.Errorf("status %+v", s)
			}
		})
	})
	t.Run("one that is being deleted makes no pods", func(t *testing.T) {
		s := set(2)
		s.Finalizers, s.DeletionTimestamp = []string{"foregroundDeletion"}, new(metav1.Now())
		looptest.Run(t, []runtime.Object{s}, func(t *testing.T, w *looptest.World) {
			w.Start(replicaset.New(w.Client, w.Factory, w.Log))
			if got := owners(t, w); len(got) != 0 {
				t.Errorf("pods %v", got)
			}
		})
	})
}

func TestReplication(t *testing.T) {
	controller := &v1.ReplicationController{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "web"},
		Spec: v1.ReplicationControllerSpec{
			Replicas: new(int32(2)), Selector: web,
			Template: &v1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: web}},
		},
	}
	looptest.Run(t, []runtime.Object{controller}, func(t *testing.T, w *looptest.World) {
		w.Start(replicaset.NewReplication(w.Client, w.Factory, w.Log))
		setReady(t, w)
		got, err := w.Client.CoreV1().ReplicationControllers("default").Get(t.Context(), "web", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		want := v1.ReplicationControllerStatus{Replicas: 2, FullyLabeledReplicas: 2, ReadyReplicas: 2, AvailableReplicas: 2, ObservedGeneration: 1}
		if diff := cmp.Diff(want, got.Status); diff != "" {
			t.Errorf("status (-want +got):\n%s", diff)
		}
		for name, owner := range owners(t, w) {
			if owner != "ReplicationController/web" {
				t.Errorf("%s is owned by %q", name, owner)
			}
		}
	})
}
