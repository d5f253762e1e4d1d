package kubeletsim

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

func uidOf(name string) types.UID { return types.UID("uid-of-" + name) }

// command sets the command of the pod's first container.
func runs(command ...string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.Containers[0].Command = command }
}

func restart(policy corev1.RestartPolicy) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.RestartPolicy = policy }
}

func TestPod_Runs(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.create(newPod("web"))
		c.wantState("web", "Running web=running")
		for _, e := range c.events() {
			c.Log(e)
		}
		c.Log(c.read("pods/blue/web/web/etc/hosts"))
	})
}
