package garbage_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"coracle/controllers/garbage"
	"coracle/controllers/looptest"
)

// served answers discovery.
type served struct {
	mu    sync.Mutex
	lists []*metav1.APIResourceList
}

func (s *served) ServerPreferredResources() ([]*metav1.APIResourceList, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lists), nil
}

func everything() *served {
	all := metav1.Verbs{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
	return &served{lists: []*metav1.APIResourceList{
		{GroupVersion: "v1", APIResources: []metav1.APIResource{
			{Name: "configmaps", Namespaced: true, Kind: "ConfigMap", Verbs: all},
			{Name: "secrets", Namespaced: true, Kind: "Secret", Verbs: all},
			{Name: "pods", Namespaced: true, Kind: "Pod", Verbs: all},
			{Name: "pods/log", Namespaced: true, Kind: "Pod", Verbs: metav1.Verbs{"get"}},
			{Name: "events", Namespaced: true, Kind: "Event", Verbs: all},
		}},
		{GroupVersion: "rbac.authorization.k8s.io/v1", APIResources: []metav1.APIResource{
			{Name: "clusterroles", Kind: "ClusterRole", Verbs: all},
		}},
	}}
}

// owned returns metadata with owners given as "kind/name/uid", a trailing "!" meaning blockOwnerDeletion.
type owner struct {
	kind, name string
	uid        types.UID
	blocks     bool
}

func in(namespace, name string, owners ...owner) metav1.ObjectMeta {
	m := metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID("uid-of-" + name)}
	for _, o := range owners {
		ref := metav1.OwnerReference{APIVersion: "v1", Kind: o.kind, Name: o.name, UID: o.uid}
		if o.kind == "ClusterRole" {
			ref.APIVersion = "rbac.authorization.k8s.io/v1"
		}
		if o.uid == "" {
			ref.UID = types.UID("uid-of-" + o.name)
		}
		if o.blocks {
			ref.BlockOwnerDeletion = new(true)
		}
		m.OwnerReferences = append(m.OwnerReferences, ref)
	}
	return m
}

func configMap(name string, owners ...owner) *v1.ConfigMap {
	return &v1.ConfigMap{ObjectMeta: in("blue", name, owners...)}
}

func secret(name string, owners ...owner) *v1.Secret {
	return &v1.Secret{ObjectMeta: in("blue", name, owners...)}
}

// left returns the names of the ConfigMaps and Secrets in blue, those being deleted with a "-".
func left(t *testing.T, w *looptest.World) []string {
	t.Helper()
	var names []string
	add := func(m metav1.ObjectMeta) {
		if m.DeletionTimestamp != nil {
			m.Name += "-"
		}
		names = append(names, m.Name)
	}
	configMaps, err := w.Client.CoreV1().ConfigMaps("blue").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range configMaps.Items {
		add(m.ObjectMeta)
	}
	secrets, err := w.Client.CoreV1().Secrets("blue").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range secrets.Items {
		add(s.ObjectMeta)
	}
	slices.Sort(names)
	return names
}

func ownersOf(t *testing.T, w *looptest.World, name string) []string {
	t.Helper()
	s, err := w.Client.CoreV1().Secrets("blue").Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, ref := range s.OwnerReferences {
		names = append(names, ref.Name)
	}
	return names
}

func deleteOwner(policy metav1.DeletionPropagation) func(*testing.T, *looptest.World) {
	return func(t *testing.T, w *looptest.World) {
		t.Helper()
		err := w.Client.CoreV1().ConfigMaps("blue").Delete(t.Context(), "owner", metav1.DeleteOptions{PropagationPolicy: &policy})
		if err != nil {
			t.Fatal(err)
		}
		w.Advance(100 * time.Millisecond)
	}
}

func nothing(_ *testing.T, w *looptest.World) { w.Advance(time.Minute) }

func TestController(t *testing.T) {
	byOwner := owner{kind: "ConfigMap", name: "owner"}
	blocking := owner{kind: "ConfigMap", name: "owner", blocks: true}
	held := configMap("held", blocking)
	held.Finalizers = []string{"example.com/hold"}

	tests := []struct {
		name    string
		objects []runtime.Object
		do      func(t *testing.T, w *looptest.World)
		want    []string
	}{
		{"dependents stay with their owner", []runtime.Object{configMap("owner"), secret("s", byOwner)}, nothing, []string{"owner", "s"}},
		{"in the background dependents go after their owner", []runtime.Object{configMap("owner"), secret("s", byOwner), secret("free")},
			deleteOwner(metav1.DeletePropagationBackground), []string{"free"}},
		{"and theirs after them", []runtime.Object{configMap("owner"), configMap("mid", byOwner), secret("s", owner{kind: "ConfigMap", name: "mid"})},
			deleteOwner(metav1.DeletePropagationBackground), nil},
		{"one living owner suffices", []runtime.Object{configMap("owner"), configMap("other"), secret("s", byOwner, owner{kind: "ConfigMap", name: "other"})},
			deleteOwner(metav1.DeletePropagationBackground), []string{"other", "s"}},
		{"orphans stay", []runtime.Object{configMap("owner"), secret("s", byOwner)}, deleteOwner(metav1.DeletePropagationOrphan), []string{"s"}},
		{"in the foreground all go", []runtime.Object{configMap("owner"), configMap("mid", blocking), secret("s", owner{kind: "ConfigMap", name: "mid", blocks: true})},
			deleteOwner(metav1.DeletePropagationForeground), nil},
		{"in the foreground a dependent that blocks holds its owner", []runtime.Object{configMap("owner"), held},
			deleteOwner(metav1.DeletePropagationForeground), []string{"held-", "owner-"}},
		{"one that does not block does not", []runtime.Object{configMap("owner"), func() *v1.ConfigMap {
			c := held.DeepCopy()
			c.OwnerReferences[0].BlockOwnerDeletion = nil
			return c
		}()}, deleteOwner(metav1.DeletePropagationForeground), []string{"held-"}},
		{"in the foreground a dependent with another owner stays", []runtime.Object{configMap("owner"), configMap("other"), secret("s", blocking, owner{kind: "ConfigMap", name: "other"})},
			deleteOwner(metav1.DeletePropagationForeground), []string{"other", "s"}},
		{"a circle does not wait for itself", []runtime.Object{
			configMap("owner", owner{kind: "ConfigMap", name: "a", blocks: true}), configMap("a", blocking),
		}, deleteOwner(metav1.DeletePropagationForeground), nil},
		{"an owner that never was is none", []runtime.Object{secret("s", byOwner)}, nothing, nil},
		{"an owner of the same name and another UID is none",
			[]runtime.Object{configMap("owner"), secret("s", owner{kind: "ConfigMap", name: "owner", uid: "older"})}, nothing, []string{"owner"}},
		{"an owner in another namespace is none",
			[]runtime.Object{&v1.ConfigMap{ObjectMeta: in("red", "owner")}, secret("s", byOwner)}, nothing, nil},
		{"an owner of the right UID and the wrong name is none",
			[]runtime.Object{configMap("owner"), secret("s", owner{kind: "ConfigMap", name: "other", uid: "uid-of-owner"})}, nothing, []string{"owner"}},
		{"an owner of a kind that nobody serves keeps everything",
			[]runtime.Object{secret("s", owner{kind: "Unknown", name: "x"})}, nothing, []string{"s"}},
		{"a cluster-scoped owner serves every namespace",
			[]runtime.Object{&rbacv1.ClusterRole{ObjectMeta: in("", "role")}, secret("s", owner{kind: "ClusterRole", name: "role"})}, nothing, []string{"s"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			looptest.Run(t, test.objects, func(t *testing.T, w *looptest.World) {
				w.Start(garbage.New(w.Client, w.Metadata(), everything(), w.Log))
				test.do(t, w)
				if diff := cmp.Diff(test.want, left(t, w)); diff != "" {
					t.Errorf("left (-want +got):\n%s", diff)
				}
			})
		})
	}
	t.Run("a reference to an owner that is gone is taken off, the others stay", func(t *testing.T) {
		objects := []runtime.Object{configMap("owner"), configMap("other"), secret("s", byOwner, owner{kind: "ConfigMap", name: "other"})}
		looptest.Run(t, objects, func(t *testing.T, w *looptest.World) {
			w.Start(garbage.New(w.Client, w.Metadata(), everything(), w.Log))
			deleteOwner(metav1.DeletePropagationBackground)(t, w)
			if diff := cmp.Diff([]string{"other"}, ownersOf(t, w, "s")); diff != "" {
				t.Errorf("owners (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("an orphan forgets its owner", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{configMap("owner"), secret("s", byOwner)}, func(t *testing.T, w *looptest.World) {
			w.Start(garbage.New(w.Client, w.Metadata(), everything(), w.Log))
			deleteOwner(metav1.DeletePropagationOrphan)(t, w)
			if got := ownersOf(t, w, "s"); len(got) != 0 {
				t.Errorf("owners: %v", got)
			}
		})
	})
	t.Run("a blocking dependent that is let go lets its owner go", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{configMap("owner"), held}, func(t *testing.T, w *looptest.World) {
			w.Start(garbage.New(w.Client, w.Metadata(), everything(), w.Log))
			deleteOwner(metav1.DeletePropagationForeground)(t, w)
			m, err := w.Client.CoreV1().ConfigMaps("blue").Get(t.Context(), "held", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			m.Finalizers = nil
			if _, err := w.Client.CoreV1().ConfigMaps("blue").Update(t.Context(), m, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			w.Settle()
			if got := left(t, w); len(got) != 0 {
				t.Errorf("left: %v", got)
			}
		})
	})
	t.Run("a cluster-scoped object that names a namespaced owner is left alone", func(t *testing.T) {
		role := &rbacv1.ClusterRole{ObjectMeta: in("", "role", owner{kind: "ConfigMap", name: "nowhere"})}
		looptest.Run(t, []runtime.Object{role}, func(t *testing.T, w *looptest.World) {
			w.Start(garbage.New(w.Client, w.Metadata(), everything(), w.Log))
			nothing(t, w)
			if _, err := w.Client.RbacV1().ClusterRoles().Get(t.Context(), "role", metav1.GetOptions{}); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("an owner in another namespace is warned of", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{&v1.ConfigMap{ObjectMeta: in("red", "owner")}, secret("s", byOwner)}, func(t *testing.T, w *looptest.World) {
			w.Start(garbage.New(w.Client, w.Metadata(), everything(), w.Log))
			events, err := w.Client.CoreV1().Events("blue").List(t.Context(), metav1.ListOptions{})
			if err != nil || len(events.Items) == 0 {
				t.Fatalf("%d events, %v", len(events.Items), err)
			}
			want := `ownerRef [v1/ConfigMap, namespace: blue, name: owner, uid: uid-of-owner] does not exist in namespace "blue"`
			if got := events.Items[0].Message; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	})
	t.Run("a resource that is served later is watched then", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{secret("s", byOwner)}, func(t *testing.T, w *looptest.World) {
			d := everything()
			all := d.lists
			d.lists = []*metav1.APIResourceList{{GroupVersion: "v1", APIResources: d.lists[0].APIResources[:1]}}
			w.Start(garbage.New(w.Client, w.Metadata(), d, w.Log))
			w.Advance(time.Second)
			if got := left(t, w); len(got) != 1 {
				t.Fatalf("left: %v", got)
			}
			d.mu.Lock()
			d.lists = all
			d.mu.Unlock()
			w.Advance(time.Minute)
			if _, err := w.Client.CoreV1().Secrets("blue").Get(t.Context(), "s", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
				t.Errorf("got %v, want not found", err)
			}
		})
	})
}
