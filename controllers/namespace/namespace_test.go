package namespace_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientdiscovery "k8s.io/client-go/discovery"

	"coracle/controllers/looptest"
	"coracle/controllers/namespace"
)

// resources answers discovery with what is served, and err.
type resources struct {
	mu  sync.Mutex
	err error
}

// fail makes discovery incomplete from now on, or whole again.
func (r *resources) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

func (r *resources) ServerPreferredNamespacedResources() ([]*metav1.APIResourceList, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := metav1.Verbs{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
	one := metav1.Verbs{"create", "delete", "get", "list", "patch", "update", "watch"}
	return []*metav1.APIResourceList{
		{GroupVersion: "v1", APIResources: []metav1.APIResource{
			{Name: "configmaps", Namespaced: true, Kind: "ConfigMap", Verbs: all},
			{Name: "pods", Namespaced: true, Kind: "Pod", Verbs: all},
			{Name: "services", Namespaced: true, Kind: "Service", Verbs: one},
			{Name: "bindings", Namespaced: true, Kind: "Binding", Verbs: metav1.Verbs{"create"}},
		}},
		{GroupVersion: "apps/v1", APIResources: []metav1.APIResource{
			{Name: "deployments", Namespaced: true, Kind: "Deployment", Verbs: all},
		}},
	}, r.err
}

func in(ns, name string, finalizers ...string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: ns, Name: name, Finalizers: finalizers}
}

func active(name string, finalizers ...v1.FinalizerName) *v1.Namespace {
	return &v1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec:       v1.NamespaceSpec{Finalizers: append([]v1.FinalizerName{v1.FinalizerKubernetes}, finalizers...)},
		Status:     v1.NamespaceStatus{Phase: v1.NamespaceActive},
	}
}

func get(t *testing.T, w *looptest.World, name string) *v1.Namespace {
	t.Helper()
	ns, err := w.Client.CoreV1().Namespaces().Get(t.Context(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return ns
}

func deleteNamespace(t *testing.T, w *looptest.World, name string) {
	t.Helper()
	if err := w.Client.CoreV1().Namespaces().Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.Settle()
}

// conditions returns those that are true.
func conditions(ns *v1.Namespace) map[v1.NamespaceConditionType]string {
	bad := map[v1.NamespaceConditionType]string{}
	for _, c := range ns.Status.Conditions {
		if c.Status == v1.ConditionTrue {
			bad[c.Type] = c.Message
		}
	}
	return bad
}

func run(t *testing.T, objects []runtime.Object, body func(t *testing.T, w *looptest.World, d *resources)) {
	t.Helper()
	looptest.Run(t, objects, func(t *testing.T, w *looptest.World) {
		d := &resources{}
		w.Start(namespace.New(w.Client, w.Metadata(), d, w.Factory, w.Log))
		body(t, w, d)
	})
}

func TestController(t *testing.T) {
	t.Run("an empty namespace is gone at once", func(t *testing.T) {
		run(t, []runtime.Object{active("blue")}, func(t *testing.T, w *looptest.World, _ *resources) {
			begin := time.Now()
			deleteNamespace(t, w, "blue")
			if ns := get(t, w, "blue"); ns != nil || time.Since(begin) > 0 {
				t.Errorf("after %v there is %v", time.Since(begin), ns)
			}
		})
	})
	t.Run("its content goes with it, that of others stays", func(t *testing.T) {
		objects := []runtime.Object{
			active("blue"), active("red"),
			&v1.ConfigMap{ObjectMeta: in("blue", "a")}, &v1.Service{ObjectMeta: in("blue", "a")},
			&v1.Pod{ObjectMeta: in("blue", "a")}, &appsv1.Deployment{ObjectMeta: in("blue", "a")},
			&v1.ConfigMap{ObjectMeta: in("red", "a")},
		}
		run(t, objects, func(t *testing.T, w *looptest.World, _ *resources) {
			deleteNamespace(t, w, "blue")
			if get(t, w, "blue") != nil || get(t, w, "red") == nil {
				t.Error("blue is still there, or red is not")
			}
			left := map[string]int{}
			for _, resource := range []string{"configmaps", "services", "pods"} {
				list, err := w.Metadata().Resource(v1.SchemeGroupVersion.WithResource(resource)).List(t.Context(), metav1.ListOptions{})
				if err != nil {
					t.Fatal(err)
				}
				left[resource] = len(list.Items)
			}
			if diff := cmp.Diff(map[string]int{"configmaps": 1, "services": 0, "pods": 0}, left); diff != "" {
				t.Errorf("left (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("content with a finalizer holds it, says so, and lets it go", func(t *testing.T) {
		held := &v1.ConfigMap{ObjectMeta: in("blue", "held", "example.com/hold")}
		run(t, []runtime.Object{active("blue"), held}, func(t *testing.T, w *looptest.World, _ *resources) {
			deleteNamespace(t, w, "blue")
			want := map[v1.NamespaceConditionType]string{
				v1.NamespaceContentRemaining:    "Some resources are remaining: configmaps. has 1 resource instances",
				v1.NamespaceFinalizersRemaining: "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances",
			}
			if diff := cmp.Diff(want, conditions(get(t, w, "blue"))); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
			w.Advance(time.Minute)
			obj, err := w.Client.CoreV1().ConfigMaps("blue").Get(t.Context(), "held", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			obj.Finalizers = nil
			if _, err := w.Client.CoreV1().ConfigMaps("blue").Update(t.Context(), obj, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			w.Advance(30 * time.Second)
			if ns := get(t, w, "blue"); ns != nil {
				t.Errorf("still there: %+v", conditions(ns))
			}
		})
	})
	t.Run("everything waits for the pods, and the last pod's end is noticed at once", func(t *testing.T) {
		pod := &v1.Pod{ObjectMeta: in("blue", "slow", "example.com/stopping"), Spec: v1.PodSpec{TerminationGracePeriodSeconds: new(int64(30))}}
		fence := &v1.ConfigMap{ObjectMeta: in("blue", "fence")}
		run(t, []runtime.Object{active("blue"), pod, fence}, func(t *testing.T, w *looptest.World, _ *resources) {
			deleteNamespace(t, w, "blue")
			if _, err := w.Client.CoreV1().ConfigMaps("blue").Get(t.Context(), "fence", metav1.GetOptions{}); err != nil {
				t.Errorf("the pod outlived its fence: %v", err)
			}
			w.Advance(20 * time.Second)
			live, err := w.Client.CoreV1().Pods("blue").Get(t.Context(), "slow", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			live.Finalizers = nil
			if _, err := w.Client.CoreV1().Pods("blue").Update(t.Context(), live, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			w.Settle()
			if ns := get(t, w, "blue"); ns != nil {
				t.Error("the namespace is still there after its last pod")
			}
		})
	})
	t.Run("while discovery is incomplete it stays, and says why", func(t *testing.T) {
		run(t, []runtime.Object{active("blue"), &v1.ConfigMap{ObjectMeta: in("blue", "a")}}, func(t *testing.T, w *looptest.World, d *resources) {
			d.fail(&clientdiscovery.ErrGroupDiscoveryFailed{Groups: map[schema.GroupVersion]error{
				{Group: "example.com", Version: "v1"}: errors.New("away"),
			}})
			deleteNamespace(t, w, "blue")
			want := map[v1.NamespaceConditionType]string{
				v1.NamespaceDeletionDiscoveryFailure: "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: example.com/v1: away",
			}
			if diff := cmp.Diff(want, conditions(get(t, w, "blue"))); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
			d.fail(nil)
			w.Advance(30 * time.Second)
			if get(t, w, "blue") != nil {
				t.Error("still there")
			}
		})
	})
	t.Run("a finalizer of somebody else is left to them", func(t *testing.T) {
		run(t, []runtime.Object{active("blue", "example.com/mine")}, func(t *testing.T, w *looptest.World, _ *resources) {
			deleteNamespace(t, w, "blue")
			want := []v1.FinalizerName{"example.com/mine"}
			if diff := cmp.Diff(want, get(t, w, "blue").Spec.Finalizers); diff != "" {
				t.Errorf("finalizers (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("a namespace that is not being deleted is left alone", func(t *testing.T) {
		run(t, []runtime.Object{active("blue"), &v1.ConfigMap{ObjectMeta: in("blue", "a")}}, func(t *testing.T, w *looptest.World, _ *resources) {
			w.Advance(time.Hour)
			if _, err := w.Client.CoreV1().ConfigMaps("blue").Get(t.Context(), "a", metav1.GetOptions{}); err != nil {
				t.Error(err)
			}
		})
	})
}
