package workload_test

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coracle/controllers/event"
	"coracle/controllers/looptest"
	"coracle/controllers/workload"
)

func set(name string) *appsv1.ReplicaSet {
	return &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: "owner"}}
}

func ofSet(s *appsv1.ReplicaSet) *v1.Pod {
	return workload.FromTemplate(&v1.PodTemplateSpec{}, metav1.NewControllerRef(s, appsv1.SchemeGroupVersion.WithKind("ReplicaSet")))
}

func TestPods(t *testing.T) {
	t.Run("until the cache shows the pod that was made it is not up to date", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{set("web")}, func(t *testing.T, w *looptest.World) {
			pods := workload.NewPods(w.Client, w.Factory, event.New(w.Client, "test", w.Log))
			if !pods.UpToDate("owner") {
				t.Error("not up to date before anything was done")
			}
			if err := pods.Create(t.Context(), set("web"), ofSet(set("web"))); err != nil {
				t.Fatal(err)
			}
			if pods.UpToDate("owner") {
				t.Error("up to date before the cache has seen the pod")
			}
			w.Start()
			if !pods.UpToDate("owner") {
				t.Error("not up to date though the cache has seen the pod")
			}
		})
	})
	t.Run("a pod that was deleted counts until the cache knows", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{set("web")}, func(t *testing.T, w *looptest.World) {
			pods := workload.NewPods(w.Client, w.Factory, event.New(w.Client, "test", w.Log))
			w.Add(&v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "a", UID: "a"}})
			w.Start()
			pod, err := w.Factory.Core().V1().Pods().Lister().Pods("default").Get("a")
			if err != nil {
				t.Fatal(err)
			}
			if err := pods.Delete(t.Context(), set("web"), pod); err != nil {
				t.Fatal(err)
			}
			w.Settle()
			if !pods.UpToDate("owner") {
				t.Error("not up to date though the pod is gone")
			}
		})
	})
	t.Run("another pod of the same name is not deleted in its place", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{set("web")}, func(t *testing.T, w *looptest.World) {
			pods := workload.NewPods(w.Client, w.Factory, event.New(w.Client, "test", w.Log))
			w.Add(&v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "a", UID: "second"}})
			first := &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "a", UID: "first"}}
			if err := pods.Delete(t.Context(), set("web"), first); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Client.CoreV1().Pods("default").Get(t.Context(), "a", metav1.GetOptions{}); err != nil {
				t.Error(err)
			}
		})
	})
}
