package rootca_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coracle/controllers/looptest"
	"coracle/controllers/rootca"
)

const description = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters."

func namespace(name string) *v1.Namespace {
	return &v1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: v1.NamespaceStatus{Phase: v1.NamespaceActive}}
}

func configMap(data string) *v1.ConfigMap {
	return &v1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "blue", Name: "kube-root-ca.crt",
			Annotations: map[string]string{"kubernetes.io/description": description},
		},
		Data: map[string]string{"ca.crt": data},
	}
}

func check(t *testing.T, w *looptest.World, want string) {
	t.Helper()
	got, err := w.Client.CoreV1().ConfigMaps("blue").Get(t.Context(), "kube-root-ca.crt", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got.ObjectMeta = metav1.ObjectMeta{Namespace: got.Namespace, Name: got.Name, Annotations: got.Annotations}
	if diff := cmp.Diff(configMap(want), got); diff != "" {
		t.Errorf("kube-root-ca.crt (-want +got):\n%s", diff)
	}
}

func TestController(t *testing.T) {
	ca := "the first CA"
	start := func(w *looptest.World) *rootca.Controller {
		ca = "the first CA"
		c := rootca.New(w.Client, w.Factory, func() []byte { return []byte(ca) }, w.Log)
		w.Start(c)
		return c
	}
	change := func(t *testing.T, w *looptest.World, f func(*v1.ConfigMap)) {
		t.Helper()
		m := configMap("the first CA")
		f(m)
		if _, err := w.Client.CoreV1().ConfigMaps("blue").Update(t.Context(), m, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		w.Settle()
	}
	tests := []struct {
		name string
		do   func(t *testing.T, w *looptest.World, c *rootca.Controller)
		want string
	}{
		{"it is published at the start", func(*testing.T, *looptest.World, *rootca.Controller) {}, "the first CA"},
		{"it comes back when it is deleted", func(t *testing.T, w *looptest.World, _ *rootca.Controller) {
			if err := w.Client.CoreV1().ConfigMaps("blue").Delete(t.Context(), "kube-root-ca.crt", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		}, "the first CA"},
		{"a CA that somebody slips in is put right", func(t *testing.T, w *looptest.World, _ *rootca.Controller) {
			change(t, w, func(m *v1.ConfigMap) { m.Data["ca.crt"] = "the attacker's CA" })
		}, "the first CA"},
		{"other keys are taken out", func(t *testing.T, w *looptest.World, _ *rootca.Controller) {
			change(t, w, func(m *v1.ConfigMap) {
				m.Data["more"] = "of it"
				m.BinaryData = map[string][]byte{"x": {1}}
			})
		}, "the first CA"},
		{"the description comes back", func(t *testing.T, w *looptest.World, _ *rootca.Controller) {
			change(t, w, func(m *v1.ConfigMap) { m.Annotations = nil })
		}, "the first CA"},
		{"a new CA is published", func(_ *testing.T, _ *looptest.World, c *rootca.Controller) {
			ca = "the second CA"
			c.CAChanged()
		}, "the second CA"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			looptest.Run(t, []runtime.Object{namespace("blue")}, func(t *testing.T, w *looptest.World) {
				c := start(w)
				test.do(t, w, c)
				w.Settle()
				check(t, w, test.want)
			})
		})
	}
	t.Run("one that was there before with another CA is put right", func(t *testing.T) {
		looptest.Run(t, []runtime.Object{namespace("blue"), configMap("the attacker's CA")}, func(t *testing.T, w *looptest.World) {
			start(w)
			check(t, w, "the first CA")
		})
	})
	t.Run("a terminating namespace is left alone", func(t *testing.T) {
		red := namespace("red")
		red.Status.Phase = v1.NamespaceTerminating
		looptest.Run(t, []runtime.Object{red}, func(t *testing.T, w *looptest.World) {
			start(w)
			if got, _ := w.Client.CoreV1().ConfigMaps("red").List(t.Context(), metav1.ListOptions{}); len(got.Items) != 0 {
				t.Error("published in a namespace that is being deleted")
			}
		})
	})
}
