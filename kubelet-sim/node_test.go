package kubeletsim

import (
	"errors"
	"regexp"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/yaml"
)

func (c *cluster) node() *corev1.Node {
	c.Helper()
	node, err := c.client.CoreV1().Nodes().Get(c.Context(), "n1", metav1.GetOptions{})
	if err != nil {
		c.Fatal(err)
	}
	return node
}

func TestNode_Registers(t *testing.T) {
	inCluster(t, func(c *cluster) {
		node := c.node()
		node.ManagedFields = nil // the server's
		data, err := yaml.Marshal(node)
		if err != nil {
			t.Fatal(err)
		}
		arch := regexp.MustCompile(`\b` + runtime.GOARCH + `\b`)
		golden(t, "node.golden.yaml", arch.ReplaceAllString(string(data), "<arch>"))
		events, err := c.client.CoreV1().Events("default").List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		reasons := map[string]bool{}
		for _, event := range events.Items {
			reasons[event.Reason] = true
		}
		want := map[string]bool{"Starting": true, "NodeHasSufficientMemory": true, "NodeHasNoDiskPressure": true, "NodeHasSufficientPID": true, "NodeReady": true}
		if diff := cmp.Diff(want, reasons); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

func TestNode_TakesUpWhatIsThere(t *testing.T) {
	existing := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "n1", UID: "node-uid", Labels: map[string]string{"team": "blue", corev1.LabelHostname: "old"}},
		Spec:       corev1.NodeSpec{Unschedulable: true},
	}
	inCluster(t, func(c *cluster) {
		node := c.node()
		if node.UID != "node-uid" || !node.Spec.Unschedulable || node.Labels["team"] != "blue" {
			t.Errorf("what others wrote was lost: %+v", node)
		}
		if node.Labels[corev1.LabelHostname] != "n1" || node.Labels[corev1.LabelOSStable] != "linux" {
			t.Errorf("labels %v", node.Labels)
		}
		if len(node.Status.Conditions) != 4 || node.Status.NodeInfo.KubeletVersion != "v1.37.2" {
			t.Errorf("status %+v", node.Status)
		}
	}, existing)
}

func TestNode_WaitsForTheServer(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.shutdown()
		if err := c.client.CoreV1().Nodes().Delete(t.Context(), "n1", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		var away atomic.Bool
		var tries atomic.Int32
		away.Store(true)
		c.on("create", "nodes", func(clienttesting.Action) (bool, kruntime.Object, error) {
			tries.Add(1)
			return away.Load(), nil, errors.New("connection refused")
		})
		c.start()
		c.pass(time.Minute)
		away.Store(false)
		c.pass(7 * time.Second)
		if c.node().Status.Conditions[3].Status != corev1.ConditionTrue {
			t.Error("the node is not ready")
		}
		if tries.Load() > 25 {
			t.Errorf("%d tries in about a minute", tries.Load())
		}
	})
}

func TestNode_Heartbeat(t *testing.T) {
	inCluster(t, func(c *cluster) {
		start := time.Now()
		beat := func() time.Duration { return c.node().Status.Conditions[3].LastHeartbeatTime.Sub(start) }
		c.pass(4 * time.Minute)
		if beat() != 0 {
			t.Errorf("an unchanged status was told after %v", beat())
		}
		c.pass(time.Minute + statusEvery)
		if beat() < 5*time.Minute {
			t.Error("the status was not told for more than five minutes")
		}

		// The controller manager thinks that the node is lost.
		node := c.node()
		node.Status.Conditions[3].Status, node.Status.Conditions[3].Reason = corev1.ConditionUnknown, "NodeStatusUnknown"
		if _, err := c.client.CoreV1().Nodes().UpdateStatus(t.Context(), node, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		c.pass(statusEvery)
		ready := c.node().Status.Conditions[3]
		if ready.Status != corev1.ConditionTrue || ready.Reason != "KubeletReady" || ready.LastTransitionTime.Sub(start) < 5*time.Minute {
			t.Errorf("condition %+v", ready)
		}
	})
}

func TestNode_Lease(t *testing.T) {
	inCluster(t, func(c *cluster) {
		start := time.Now()
		api := c.client.CoordinationV1().Leases("kube-node-lease")
		lease, err := api.Get(t.Context(), "n1", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if *lease.Spec.HolderIdentity != "n1" || *lease.Spec.LeaseDurationSeconds != 40 || !lease.Spec.RenewTime.Time.Equal(start) {
			t.Errorf("lease %+v", lease.Spec)
		}
		if diff := cmp.Diff([]metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: "n1", UID: c.node().UID}}, lease.OwnerReferences); diff != "" {
			t.Errorf("owners (-want +got):\n%s", diff)
		}
		renewed := func() time.Duration {
			lease, err := api.Get(t.Context(), "n1", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			return lease.Spec.RenewTime.Sub(start)
		}
		c.pass(11 * time.Second)
		if got := renewed(); got < 10*time.Second || got > 11*time.Second {
			t.Errorf("renewed after %v", got)
		}
		if err := api.Delete(t.Context(), "n1", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		c.pass(20 * time.Second)
		if got := renewed(); got < 20*time.Second {
			t.Errorf("after somebody deleted it: renewed after %v", got)
		}
	})
}

func TestSetNodeCondition_KeepsTheTimeOfAnUnchangedStatus(t *testing.T) {
	old := metav1.NewTime(time.Unix(1000, 0))
	status := corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastTransitionTime: old}}}
	beat := metav1.NewTime(time.Unix(2000, 0))
	setNodeCondition(&status, corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastHeartbeatTime: beat})
	if got := status.Conditions[0]; got.LastTransitionTime != old || got.LastHeartbeatTime != beat {
		t.Errorf("same status: %+v", got)
	}
	setNodeCondition(&status, corev1.NodeCondition{Type: corev1.NodeReady, Status: corev1.ConditionFalse, LastHeartbeatTime: beat})
	if got := status.Conditions[0]; got.LastTransitionTime != beat {
		t.Errorf("another status: %+v", got)
	}
}

func TestEvents_AreDroppedRatherThanWaitedFor(t *testing.T) {
	e := newEvents(nil, "n1", time.Now, Config{}.withDefaults().Log)
	names := map[string]bool{}
	for range eventQueue + 10 {
		e.self("uid", corev1.EventTypeNormal, "Starting", "Starting kubelet.")
	}
	for range eventQueue {
		event := <-e.queue
		if names[event.Name] || !strings.HasPrefix(event.Name, "n1.") {
			t.Fatalf("event name %s", event.Name)
		}
		names[event.Name] = true
	}
}
