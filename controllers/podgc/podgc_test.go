package podgc_test

import (
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coracle/controllers/looptest"
	"coracle/controllers/podgc"
)

func TestController(t *testing.T) {
	pod := func(name, node string) *v1.Pod {
		return &v1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}, Spec: v1.PodSpec{NodeName: node}}
	}
	node := &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: "here"}}
	objects := []runtime.Object{node, pod("a", "here"), pod("b", "gone"), pod("c", "")}
	looptest.Run(t, objects, func(t *testing.T, w *looptest.World) {
		names := func() string {
			list, err := w.Client.CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{})
			if err != nil {
				t.Fatal(err)
			}
			names := ""
			for _, p := range list.Items {
				names += p.Name
			}
			return names
		}
		w.Start(podgc.New(w.Client, w.Factory, w.Log))
		w.Advance(39 * time.Second)
		if got := names(); got != "abc" {
			t.Errorf("in quarantine: %q", got)
		}
		w.Advance(2 * time.Second)
		if got := names(); got != "ac" {
			t.Errorf("after it: %q", got)
		}
		if err := w.Client.CoreV1().Nodes().Delete(t.Context(), "here", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		w.Advance(41 * time.Second)
		if got := names(); got != "c" {
			t.Errorf("after its node was deleted: %q", got)
		}
	})
}
