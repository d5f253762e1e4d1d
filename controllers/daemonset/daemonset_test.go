package daemonset_test

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

	"coracle/controllers/daemonset"
	"coracle/controllers/looptest"
)

var agent = map[string]string{"app": "agent"}

func set(change ...func(*appsv1.DaemonSet)) *appsv1.DaemonSet {
	s := &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "agent", UID: "agent"},
		Spec: appsv1.DaemonSetSpec{
			Selector:             &metav1.LabelSelector{MatchLabels: agent},
			Template:             v1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: agent}, Spec: v1.PodSpec{Hostname: "v1"}},
			RevisionHistoryLimit: new(int32(1)),
			UpdateStrategy: appsv1.DaemonSetUpdateStrategy{
				Type:          appsv1.RollingUpdateDaemonSetStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDaemonSet{MaxUnavailable: new(intstr.FromInt32(1)), MaxSurge: new(intstr.FromInt32(0))},
			},
		},
	}
	for _, c := range change {
		c(s)
	}
	return s
}

func node(name string, taints ...v1.Taint) *v1.Node {
	return &v1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"disk": name}}, Spec: v1.NodeSpec{Taints: taints}}
}

func taint(effect v1.TaintEffect) v1.Taint { return v1.Taint{Key: "own", Effect: effect} }

type world struct {
	*looptest.World
	t *testing.T
}

func run(t *testing.T, objects []runtime.Object, body func(w world)) {
	t.Helper()
	looptest.Run(t, objects, func(t *testing.T, w *looptest.World) {
		w.Start(daemonset.New(w.Client, w.Factory, w.Log))
		body(world{w, t})
	})
}

func (w world) pods() []v1.Pod {
	w.t.Helper()
	list, err := w.Client.CoreV1().Pods("default").List(w.t.Context(), metav1.ListOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return list.Items
}

// where are the pods as VERSION@NODE, with a + for those that are ready.
func (w world) where() string {
	var s []string
	for _, p := range w.pods() {
		terms := p.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
		text := p.Spec.Hostname + "@" + terms[0].MatchFields[0].Values[0]
		if len(p.Status.Conditions) > 0 {
			text += "+"
		}
		s = append(s, text)
	}
	slices.Sort(s)
	return strings.Join(s, " ")
}

func (w world) want(what, where string) {
	w.t.Helper()
	if got := w.where(); got != where {
		w.t.Errorf("%s: %q, want %q", what, got, where)
	}
}

// ready makes so many of the pods ready that are not.
func (w world) ready(n int) {
	w.t.Helper()
	for _, p := range w.pods() {
		if len(p.Status.Conditions) > 0 || n == 0 {
			continue
		}
		n--
		p.Status.Phase = v1.PodRunning
		p.Status.Conditions = []v1.PodCondition{{Type: v1.PodReady, Status: v1.ConditionTrue, LastTransitionTime: metav1.Now()}}
		if _, err := w.Client.CoreV1().Pods("default").UpdateStatus(w.t.Context(), &p, metav1.UpdateOptions{}); err != nil {
			w.t.Fatal(err)
		}
	}
	w.Settle()
}

func (w world) change(how func(*appsv1.DaemonSet)) {
	w.t.Helper()
	s, err := w.Client.AppsV1().DaemonSets("default").Get(w.t.Context(), "agent", metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	how(s)
	if _, err := w.Client.AppsV1().DaemonSets("default").Update(w.t.Context(), s, metav1.UpdateOptions{}); err != nil {
		w.t.Fatal(err)
	}
	w.Settle()
}

func version(v string) func(*appsv1.DaemonSet) {
	return func(s *appsv1.DaemonSet) { s.Spec.Template.Spec.Hostname = v }
}

func TestNodes(t *testing.T) {
	for _, test := range []struct {
		name    string
		objects []runtime.Object
		want    string
	}{
		{"each node has its pod", []runtime.Object{set(), node("a"), node("b")}, "v1@a v1@b"},
		{"but for those that are not selected", []runtime.Object{set(func(s *appsv1.DaemonSet) { s.Spec.Template.Spec.NodeSelector = map[string]string{"disk": "b"} }), node("a"), node("b")}, "v1@b"},
		{"or keep pods away", []runtime.Object{set(), node("a", taint(v1.TaintEffectNoSchedule)), node("b", taint(v1.TaintEffectPreferNoSchedule))}, "v1@b"},
		{"unless that is tolerated", []runtime.Object{set(func(s *appsv1.DaemonSet) {
			s.Spec.Template.Spec.Tolerations = []v1.Toleration{{Operator: v1.TolerationOpExists}}
		}), node("a", taint(v1.TaintEffectNoExecute))}, "v1@a"},
		{"a node that is cordoned or in trouble has its pod all the same", []runtime.Object{set(),
			node("a", v1.Taint{Key: v1.TaintNodeUnschedulable, Effect: v1.TaintEffectNoSchedule}),
			node("b", v1.Taint{Key: v1.TaintNodeNotReady, Effect: v1.TaintEffectNoExecute})}, "v1@a v1@b"},
	} {
		t.Run(test.name, func(t *testing.T) {
			run(t, test.objects, func(w world) { w.want("pods", test.want) })
		})
	}
	t.Run("pods come and go with nodes and their taints", func(t *testing.T) {
		run(t, []runtime.Object{set(), node("a")}, func(w world) {
			w.Add(node("b"))
			w.Settle()
			w.want("a second node", "v1@a v1@b")
			update := func(n *v1.Node) {
				if _, err := w.Client.CoreV1().Nodes().Update(t.Context(), n, metav1.UpdateOptions{}); err != nil {
					t.Fatal(err)
				}
				w.Settle()
			}
			update(node("b", taint(v1.TaintEffectNoSchedule)))
			w.want("who is there may stay", "v1@a v1@b")
			update(node("b", taint(v1.TaintEffectNoExecute)))
			w.want("unless driven away", "v1@a")
		})
	})
}

func TestRollingUpdate(t *testing.T) {
	t.Run("one node at a time", func(t *testing.T) {
		run(t, []runtime.Object{set(), node("a"), node("b"), node("c")}, func(w world) {
			w.ready(3)
			w.change(version("v2"))
			w.want("at first", "v1@b+ v1@c+ v2@a")
			w.ready(1)
			w.want("when that is ready", "v1@c+ v2@a+ v2@b")
			w.ready(1)
			w.ready(1)
			w.want("in the end", "v2@a+ v2@b+ v2@c+")
			s, err := w.Client.AppsV1().DaemonSets("default").Get(t.Context(), "agent", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			want := appsv1.DaemonSetStatus{ObservedGeneration: 2, DesiredNumberScheduled: 3, CurrentNumberScheduled: 3, NumberReady: 3, UpdatedNumberScheduled: 3, NumberAvailable: 3}
			if diff := cmp.Diff(want, s.Status); diff != "" {
				t.Errorf("status (-want +got):\n%s", diff)
			}
		})
	})
	t.Run("a second pod first, where that is asked for", func(t *testing.T) {
		surge := func(s *appsv1.DaemonSet) {
			s.Spec.UpdateStrategy.RollingUpdate.MaxSurge, s.Spec.UpdateStrategy.RollingUpdate.MaxUnavailable = new(intstr.FromInt32(1)), new(intstr.FromInt32(0))
		}
		run(t, []runtime.Object{set(surge), node("a"), node("b")}, func(w world) {
			w.ready(2)
			w.change(version("v2"))
			w.want("at first", "v1@a+ v1@b+ v2@a")
			w.ready(1)
			w.want("when that is ready", "v1@b+ v2@a+ v2@b")
			w.ready(1)
			w.want("in the end", "v2@a+ v2@b+")
		})
	})
	t.Run("only on deletion, where that is asked for", func(t *testing.T) {
		run(t, []runtime.Object{set(func(s *appsv1.DaemonSet) { s.Spec.UpdateStrategy.Type = appsv1.OnDeleteDaemonSetStrategyType }), node("a")}, func(w world) {
			w.ready(1)
			w.change(version("v2"))
			w.want("at first", "v1@a+")
			if err := w.Client.CoreV1().Pods("default").Delete(t.Context(), w.pods()[0].Name, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			w.Settle()
			w.want("after the deletion", "v2@a")
		})
	})
}

func TestHistory(t *testing.T) {
	run(t, []runtime.Object{set(), node("a")}, func(w world) {
		w.ready(1)
		for _, v := range []string{"v2", "v3", "v2"} {
			w.change(version(v))
			w.ready(1)
			w.Advance(time.Second)
		}
		list, err := w.Client.AppsV1().ControllerRevisions("default").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range list.Items {
			i := strings.Index(string(r.Data.Raw), `"hostname":"`) + len(`"hostname":"`)
			got = append(got, fmt.Sprintf("%d:%s", r.Revision, r.Data.Raw[i:i+2]))
		}
		slices.Sort(got)
		if want := []string{"3:v3", "4:v2"}; !slices.Equal(got, want) {
			t.Errorf("revisions %v, want %v", got, want)
		}
	})
}

func TestFailedPod(t *testing.T) {
	run(t, []runtime.Object{set(), node("a")}, func(w world) {
		fail := func() string {
			p := w.pods()[0]
			p.Status.Phase = v1.PodFailed
			if _, err := w.Client.CoreV1().Pods("default").UpdateStatus(t.Context(), &p, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			w.Settle()
			return p.Name
		}
		first := fail()
		second := w.pods()[0].Name
		if second == first {
			t.Error("a failed pod is not replaced")
		}
		fail()
		if w.pods()[0].Name != second {
			t.Error("one that fails again at once is replaced at once")
		}
		w.Advance(3 * time.Second)
		if w.pods()[0].Name == second {
			t.Error("one that fails again is never replaced")
		}
	})
}
