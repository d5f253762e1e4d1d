package nodelifecycle_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"coracle/controllers/looptest"
	"coracle/controllers/nodelifecycle"
)

func node(change ...func(*v1.Node)) *v1.Node {
	n := &v1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "node-1"},
		Status:     v1.NodeStatus{Conditions: []v1.NodeCondition{{Type: v1.NodeReady, Status: v1.ConditionTrue}}},
	}
	for _, c := range change {
		c(n)
	}
	return n
}

func pod(name string, tolerations ...v1.Toleration) *v1.Pod {
	return &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(name)},
		Spec:       v1.PodSpec{NodeName: "node-1", Tolerations: tolerations},
		Status:     v1.PodStatus{Conditions: []v1.PodCondition{{Type: v1.PodReady, Status: v1.ConditionTrue}}},
	}
}

// everything is tolerated, for so many seconds; for ever if that is negative.
func everything(seconds int64) v1.Toleration {
	t := v1.Toleration{Operator: v1.TolerationOpExists}
	if seconds >= 0 {
		t.TolerationSeconds = &seconds
	}
	return t
}

type world struct {
	*looptest.World
	t *testing.T
}

func run(t *testing.T, objects []runtime.Object, body func(w world)) {
	t.Helper()
	looptest.Run(t, objects, func(t *testing.T, w *looptest.World) {
		w.Start(nodelifecycle.New(w.Client, w.Factory, w.Log))
		body(world{w, t})
	})
}

func (w world) node() *v1.Node {
	w.t.Helper()
	n, err := w.Client.CoreV1().Nodes().Get(w.t.Context(), "node-1", metav1.GetOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// taints are the node's as KEY:EFFECT, without what all keys begin with.
func (w world) taints() string {
	w.t.Helper()
	var s []string
	for _, t := range w.node().Spec.Taints {
		s = append(s, fmt.Sprintf("%s:%s", strings.TrimPrefix(t.Key, "node.kubernetes.io/"), t.Effect))
	}
	slices.Sort(s)
	return strings.Join(s, " ")
}

// pods are the names of those that are left, with a + for those that are ready.
func (w world) pods() string {
	w.t.Helper()
	list, err := w.Client.CoreV1().Pods("default").List(w.t.Context(), metav1.ListOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	var s []string
	for _, p := range list.Items {
		name := p.Name
		for _, c := range p.Status.Conditions {
			if c.Type == v1.PodReady && c.Status == v1.ConditionTrue {
				name += "+"
			}
		}
		s = append(s, name)
	}
	slices.Sort(s)
	return strings.Join(s, " ")
}

func (w world) check(what, got, want string) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func (w world) update(how func(*v1.Node)) {
	w.t.Helper()
	n := w.node()
	how(n)
	if _, err := w.Client.CoreV1().Nodes().Update(w.t.Context(), n, metav1.UpdateOptions{}); err != nil {
		w.t.Fatal(err)
	}
	w.Settle()
}

func TestHealth(t *testing.T) {
	t.Run("a node that is silent is marked, and its pods with it", func(t *testing.T) {
		run(t, []runtime.Object{node(), pod("a", everything(300))}, func(w world) {
			w.Advance(49 * time.Second)
			w.check("before the grace period is over", w.taints()+w.pods(), "a+")
			w.Advance(2 * time.Second)
			w.check("after it", w.taints(), "unreachable:NoExecute unreachable:NoSchedule")
			if c := w.node().Status.Conditions[0]; c.Status != v1.ConditionUnknown || c.Reason != "NodeStatusUnknown" {
				t.Errorf("condition %+v", c)
			}
			w.check("pods", w.pods(), "a")
			w.Advance(301 * time.Second)
			w.check("pods, when they have waited long enough", w.pods(), "")
		})
	})
	t.Run("renewing the lease is a heartbeat", func(t *testing.T) {
		lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: v1.NamespaceNodeLease, Name: "node-1"}}
		run(t, []runtime.Object{node(), lease}, func(w world) {
			for range 5 {
				w.Advance(30 * time.Second)
				l := lease.DeepCopy()
				l.Spec.RenewTime = new(metav1.NowMicro())
				if _, err := w.Client.CoordinationV1().Leases(v1.NamespaceNodeLease).Update(t.Context(), l, metav1.UpdateOptions{}); err != nil {
					t.Fatal(err)
				}
			}
			w.check("taints", w.taints(), "")
		})
	})
	t.Run("one that comes back loses its taints", func(t *testing.T) {
		run(t, []runtime.Object{node(func(n *v1.Node) { n.Status.Conditions[0].Status = v1.ConditionFalse })}, func(w world) {
			w.check("not ready", w.taints(), "not-ready:NoExecute not-ready:NoSchedule")
			n := w.node()
			n.Status.Conditions[0].Status = v1.ConditionTrue
			if _, err := w.Client.CoreV1().Nodes().UpdateStatus(t.Context(), n, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
			w.Settle()
			w.check("ready", w.taints(), "")
		})
	})
}

func TestTaints(t *testing.T) {
	run(t, []runtime.Object{node(func(n *v1.Node) {
		n.Status.Conditions = append(n.Status.Conditions, v1.NodeCondition{Type: v1.NodeDiskPressure, Status: v1.ConditionTrue})
		n.Spec.Taints = []v1.Taint{{Key: "own", Effect: v1.TaintEffectNoSchedule}}
	})}, func(w world) {
		w.check("a bad condition", w.taints(), "disk-pressure:NoSchedule own:NoSchedule")
		w.update(func(n *v1.Node) { n.Spec.Unschedulable = true })
		w.check("cordoned", w.taints(), "disk-pressure:NoSchedule own:NoSchedule unschedulable:NoSchedule")
		w.update(func(n *v1.Node) { n.Spec.Unschedulable = false })
		w.check("uncordoned", w.taints(), "disk-pressure:NoSchedule own:NoSchedule")
	})
}

func TestEviction(t *testing.T) {
	own := v1.Taint{Key: "own", Effect: v1.TaintEffectNoExecute}
	objects := []runtime.Object{node(), pod("no"), pod("ever", everything(-1)), pod("soon", everything(10)), pod("later", everything(30))}
	t.Run("those who do not tolerate a taint go at once, others in time", func(t *testing.T) {
		run(t, objects, func(w world) {
			w.check("at first", w.pods(), "ever+ later+ no+ soon+")
			w.update(func(n *v1.Node) { n.Spec.Taints = []v1.Taint{own} })
			w.check("at once", w.pods(), "ever+ later+ soon+")
			w.Advance(11 * time.Second)
			w.check("after ten seconds", w.pods(), "ever+ later+")
		})
	})
	t.Run("who has not gone when the taint is taken off stays", func(t *testing.T) {
		run(t, objects, func(w world) {
			w.update(func(n *v1.Node) { n.Spec.Taints = []v1.Taint{own} })
			w.Advance(5 * time.Second)
			w.update(func(n *v1.Node) { n.Spec.Taints = nil })
			w.Advance(30 * time.Second)
			w.check("pods", w.pods(), "ever+ later+ soon+")
		})
	})
}
