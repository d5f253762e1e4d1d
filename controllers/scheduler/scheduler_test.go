package scheduler_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coracle/controllers/looptest"
	"coracle/controllers/scheduler"
)

func node(name string, change ...func(*v1.Node)) *v1.Node {
	n := &v1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"kubernetes.io/hostname": name}},
		Status: v1.NodeStatus{Allocatable: v1.ResourceList{
			v1.ResourceCPU:    resource.MustParse("4"),
			v1.ResourceMemory: resource.MustParse("8Gi"),
			v1.ResourcePods:   resource.MustParse("110"),
		}},
	}
	for _, f := range change {
		f(n)
	}
	return n
}

func pod(name string, change ...func(*v1.Pod)) *v1.Pod {
	p := &v1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: name},
		Spec:       v1.PodSpec{SchedulerName: v1.DefaultSchedulerName, Containers: []v1.Container{{Name: "main"}}},
	}
	for _, f := range change {
		f(p)
	}
	return p
}

func requests(cpu string) func(*v1.Pod) {
	return func(p *v1.Pod) {
		p.Spec.Containers[0].Resources.Requests = v1.ResourceList{v1.ResourceCPU: resource.MustParse(cpu)}
	}
}

func taint(effect v1.TaintEffect) func(*v1.Node) {
	return func(n *v1.Node) { n.Spec.Taints = []v1.Taint{{Key: "dedicated", Value: "db", Effect: effect}} }
}

func hostPort(p *v1.Pod) {
	p.Spec.Containers[0].Ports = []v1.ContainerPort{{ContainerPort: 80, HostPort: 80, Protocol: v1.ProtocolTCP}}
}

// get returns a pod's node and its PodScheduled condition as "status reason: message".
func get(t *testing.T, w *looptest.World, name string) (node, condition string) {
	t.Helper()
	p, err := w.Client.CoreV1().Pods("blue").Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range p.Status.Conditions {
		if c.Type == v1.PodScheduled {
			condition = fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message)
		}
	}
	return p.Spec.NodeName, condition
}

func start(w *looptest.World) { w.Start(scheduler.New(w.Client, w.Factory, w.Log)) }

func TestController_WhereAPodGoes(t *testing.T) {
	tests := []struct {
		name string
		pod  *v1.Pod
		rest []runtime.Object
		want string // node
	}{
		{"to the only node", pod("p"), []runtime.Object{node("a")}, "a"},
		{"to the emptier node", pod("p"), []runtime.Object{
			node("a"), node("b"), pod("other", requests("2"), func(p *v1.Pod) { p.Spec.NodeName = "a" }),
		}, "b"},
		{"a finished pod takes no room", pod("p", requests("3")), []runtime.Object{
			node("a"), pod("done", requests("3"), func(p *v1.Pod) {
				p.Spec.NodeName = "a"
				p.Status.Phase = v1.PodSucceeded
			}),
		}, "a"},
		{"where nodeSelector says", pod("p", func(p *v1.Pod) { p.Spec.NodeSelector = map[string]string{"kubernetes.io/hostname": "b"} }),
			[]runtime.Object{node("a"), node("b")}, "b"},
		{"where required affinity says", pod("p", func(p *v1.Pod) {
			p.Spec.Affinity = &v1.Affinity{NodeAffinity: &v1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &v1.NodeSelector{
				NodeSelectorTerms: []v1.NodeSelectorTerm{{MatchExpressions: []v1.NodeSelectorRequirement{
					{Key: "kubernetes.io/hostname", Operator: v1.NodeSelectorOpNotIn, Values: []string{"a"}},
				}}},
			}}}
		}), []runtime.Object{node("a"), node("b")}, "b"},
		{"where preferred affinity would like it", pod("p", func(p *v1.Pod) {
			p.Spec.Affinity = &v1.Affinity{NodeAffinity: &v1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []v1.PreferredSchedulingTerm{
				{Weight: 1, Preference: v1.NodeSelectorTerm{MatchExpressions: []v1.NodeSelectorRequirement{
					{Key: "kubernetes.io/hostname", Operator: v1.NodeSelectorOpIn, Values: []string{"c"}},
				}}},
			}}}
		}), []runtime.Object{node("a"), node("b"), node("c")}, "c"},
		{"past a taint that it tolerates", pod("p", func(p *v1.Pod) {
			p.Spec.Tolerations = []v1.Toleration{{Key: "dedicated", Operator: v1.TolerationOpExists}}
		}), []runtime.Object{node("a", taint(v1.TaintEffectNoSchedule))}, "a"},
		{"away from a taint that would rather not", pod("p"), []runtime.Object{node("a", taint(v1.TaintEffectPreferNoSchedule)), node("b")}, "b"},
		{"to such a node nevertheless if there is no other", pod("p"), []runtime.Object{node("a", taint(v1.TaintEffectPreferNoSchedule))}, "a"},
		{"past a host port that is taken", pod("p", hostPort), []runtime.Object{
			node("a"), node("b"), pod("other", hostPort, func(p *v1.Pod) { p.Spec.NodeName = "a" }),
		}, "b"},
		{"nowhere if it asks for another scheduler", pod("p", func(p *v1.Pod) { p.Spec.SchedulerName = "mine" }), []runtime.Object{node("a")}, ""},
		{"nowhere while it is gated", pod("p", func(p *v1.Pod) { p.Spec.SchedulingGates = []v1.PodSchedulingGate{{Name: "wait"}} }), []runtime.Object{node("a")}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			looptest.Run(t, append(test.rest, test.pod), func(t *testing.T, w *looptest.World) {
				start(w)
				if got, condition := get(t, w, "p"); got != test.want {
					t.Errorf("on node %q, want %q; condition: %s", got, test.want, condition)
				}
			})
		})
	}
}

func TestController_WhyAPodGoesNowhere(t *testing.T) {
	noHelp := "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
	noVictims := "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
	tests := []struct {
		name string
		pod  *v1.Pod
		rest []runtime.Object
		want string
	}{
		{"there are no nodes", pod("p"), nil, "no nodes available to schedule pods"},
		{"the node is cordoned", pod("p"), []runtime.Object{node("a", func(n *v1.Node) { n.Spec.Unschedulable = true })},
			"0/1 nodes are available: 1 node(s) were unschedulable. " + noHelp},
		{"the node is tainted", pod("p"), []runtime.Object{node("a", taint(v1.TaintEffectNoSchedule))},
			"0/1 nodes are available: 1 node(s) had untolerated taint(s). " + noHelp},
		{"the selector matches none", pod("p", func(p *v1.Pod) { p.Spec.NodeSelector = map[string]string{"disk": "ssd"} }), []runtime.Object{node("a")},
			"0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. " + noHelp},
		{"the node is full", pod("p", requests("3")), []runtime.Object{node("a"), pod("other", requests("2"), func(p *v1.Pod) { p.Spec.NodeName = "a" })},
			"0/1 nodes are available: 1 Insufficient cpu. " + noVictims},
		{"the node is too small", pod("p", requests("5")), []runtime.Object{node("a")},
			"0/1 nodes are available: 1 Insufficient cpu. " + noHelp},
		{"the node has no resource of that name", pod("p", func(p *v1.Pod) {
			p.Spec.Containers[0].Resources.Requests = v1.ResourceList{"example.com/gpu": resource.MustParse("1")}
		}), []runtime.Object{node("a")}, "0/1 nodes are available: 1 Insufficient example.com/gpu. " + noHelp},
		{"the node has as many pods as it takes", pod("p"), []runtime.Object{
			node("a", func(n *v1.Node) { n.Status.Allocatable[v1.ResourcePods] = resource.MustParse("1") }),
			pod("other", func(p *v1.Pod) { p.Spec.NodeName = "a" }),
		}, "0/1 nodes are available: 1 Too many pods. " + noVictims},
		{"the pod may not preempt", pod("p", requests("5"), func(p *v1.Pod) { p.Spec.PreemptionPolicy = new(v1.PreemptNever) }), []runtime.Object{node("a")},
			"0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never."},
		{"for several reasons", pod("p", requests("5")), []runtime.Object{node("a"), node("b", taint(v1.TaintEffectNoExecute)), node("c")},
			"0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			looptest.Run(t, append(test.rest, test.pod), func(t *testing.T, w *looptest.World) {
				start(w)
				_, got := get(t, w, "p")
				if diff := cmp.Diff("False Unschedulable: "+test.want, got); diff != "" {
					t.Errorf("condition (-want +got):\n%s", diff)
				}
				w.Settle()
				events, err := w.Client.CoreV1().Events("blue").List(t.Context(), metav1.ListOptions{})
				if err != nil || len(events.Items) != 1 {
					t.Fatalf("%d events, %v", len(events.Items), err)
				}
				e := events.Items[0]
				gotEvent := []string{e.Type, e.Reason, e.Source.Component, e.Message}
				if diff := cmp.Diff([]string{"Warning", "FailedScheduling", "default-scheduler", test.want}, gotEvent); diff != "" {
					t.Errorf("event (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestController_WakesUp(t *testing.T) {
	tests := []struct {
		name string
		do   func(t *testing.T, w *looptest.World)
	}{
		{"when a node comes", func(_ *testing.T, w *looptest.World) { w.Add(node("b")) }},
		{"when a node is uncordoned", func(t *testing.T, w *looptest.World) {
			if _, err := w.Client.CoreV1().Nodes().Update(t.Context(), node("cordoned"), metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
		}},
		{"when a pod leaves", func(t *testing.T, w *looptest.World) {
			if err := w.Client.CoreV1().Pods("blue").Delete(t.Context(), "big", metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		}},
		{"when a pod finishes", func(t *testing.T, w *looptest.World) {
			big := pod("big")
			big.Status.Phase = v1.PodFailed
			if _, err := w.Client.CoreV1().Pods("blue").UpdateStatus(t.Context(), big, metav1.UpdateOptions{}); err != nil {
				t.Fatal(err)
			}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			objects := []runtime.Object{
				node("a"), node("cordoned", func(n *v1.Node) { n.Spec.Unschedulable = true }),
				pod("big", requests("4"), func(p *v1.Pod) { p.Spec.NodeName = "a" }), pod("p", requests("1")),
			}
			looptest.Run(t, objects, func(t *testing.T, w *looptest.World) {
				start(w)
				if got, _ := get(t, w, "p"); got != "" {
					t.Fatalf("on %s already", got)
				}
				test.do(t, w)
				w.Settle()
				if got, condition := get(t, w, "p"); got == "" {
					t.Errorf("still waiting: %s", condition)
				}
			})
		})
	}
}

func TestController_NoNodeIsPromisedTwice(t *testing.T) {
	var objects []runtime.Object
	for i := range 3 {
		objects = append(objects, node(fmt.Sprintf("node-%d", i)))
	}
	for i := range 20 {
		objects = append(objects, pod(fmt.Sprintf("p-%d", i), requests("1")))
	}
	looptest.Run(t, objects, func(t *testing.T, w *looptest.World) {
		start(w)
		got := map[string]int{}
		list, err := w.Client.CoreV1().Pods("blue").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range list.Items {
			got[p.Spec.NodeName]++
		}
		want := map[string]int{"node-0": 4, "node-1": 4, "node-2": 4, "": 8}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("pods per node (-want +got):\n%s", diff)
		}
	})
}
