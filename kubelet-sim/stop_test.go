package kubeletsim

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
)

func (c *cluster) delete(name string, options metav1.DeleteOptions) {
	c.Helper()
	if err := c.client.CoreV1().Pods("blue").Delete(c.Context(), name, options); err != nil {
		c.Fatal(err)
	}
	c.settle()
}

// cleanedUp checks that nothing of a pod is left on disk.
func (c *cluster) cleanedUp(name string) {
	c.Helper()
	for _, path := range []string{"nodes/n1/pods/uid-of-" + name, "pods/blue/" + name} {
		if c.exists(path) {
			c.Errorf("%s is still there", path)
		}
	}
}

// stubborn is a Runtime whose processes ignore being asked to end.
type stubborn struct{}

func (stubborn) Start(ctx context.Context, _ Process) (<-chan Exit, error) {
	exit := make(chan Exit, 1)
	go func() {
		<-ctx.Done()
		exit <- killed
	}()
	return exit, nil
}

func TestDelete_TakesAsLongAsTheContainersDo(t *testing.T) {
	sleepHook := func(handler corev1.LifecycleHandler) func(*corev1.Pod) {
		return func(pod *corev1.Pod) { pod.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: &handler} }
	}
	for _, test := range []struct {
		name    string
		runtime Runtime
		edit    func(*corev1.Pod)
		options metav1.DeleteOptions
		takes   time.Duration
	}{
		{name: "a server ends when asked", edit: func(*corev1.Pod) {}},
		{name: "a sleeper too", edit: runs("sleep", "3600")},
		{name: "a pod whose containers never started", edit: mountsSecret("missing")},
		{name: "a preStop sleep is waited for", edit: sleepHook(corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 5}}), takes: 5 * time.Second},
		{name: "also as a command", edit: sleepHook(corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"/bin/sh", "-c", "echo bye; sleep 4"}}}), takes: 4 * time.Second},
		{name: "other hooks take no time", edit: sleepHook(corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/quit"}})},
		{name: "but not longer than the grace period, and a little", runtime: stubborn{}, edit: sleepHook(corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 100}}), takes: 32 * time.Second},
		{name: "a stubborn process is killed", runtime: stubborn{}, edit: func(*corev1.Pod) {}, takes: 30 * time.Second},
		{name: "sooner if so wished", runtime: stubborn{}, edit: func(*corev1.Pod) {}, options: metav1.DeleteOptions{GracePeriodSeconds: new(int64(3))}, takes: 3 * time.Second},
		{name: "sidecars after the others, in the time that is left", runtime: stubborn{}, edit: initContainers(sidecar("a"), sidecar("b")), takes: 34 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			inCluster(t, func(c *cluster) {
				c.shutdown()
				c.config.Runtime = test.runtime
				c.start()
				c.create(newPod("web", test.edit))
				c.delete("web", test.options)
				if test.takes > 0 {
					c.pass(test.takes - time.Second)
					if c.pod("web") == nil {
						t.Fatalf("gone before %v were over", test.takes)
					}
					c.pass(time.Second)
				}
				c.wantState("web", "gone")
				c.cleanedUp("web")
			})
		})
	}
}

func TestDelete_LastStatus(t *testing.T) {
	for _, test := range []struct {
		name    string
		runtime Runtime
		edits   []func(*corev1.Pod)
		want    string
	}{
		{"ended well", nil, nil, "Succeeded web=Completed(0)"},
		{"was killed", stubborn{}, nil, "Failed web=Error(137)"},
		{"never started", nil, []func(*corev1.Pod){mountsSecret("missing")}, "Failed web=ContainerStatusUnknown(137)"},
		{"was waiting to restart", nil, []func(*corev1.Pod){runs("false")}, "Failed web=ContainerStatusUnknown(137)x1"},
		{"was still initializing", nil, []func(*corev1.Pod){initContainers(corev1.Container{Name: "i", Image: "busybox"}, corev1.Container{Name: "j", Image: "busybox"})}, "Failed i=Completed(0) j=PodInitializing web=PodInitializing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inCluster(t, func(c *cluster) {
				c.shutdown()
				c.config.Runtime = test.runtime
				c.start()
				// Keep the object, as a finalizer does.
				c.on("delete", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
					grace := action.(clienttesting.DeleteActionImpl).GetDeleteOptions().GracePeriodSeconds
					return grace != nil && *grace == 0, nil, nil
				})
				c.create(newPod("web", test.edits...))
				c.delete("web", metav1.DeleteOptions{})
				c.pass(time.Minute)
				c.wantState("web", test.want)
				c.cleanedUp("web")
			})
		})
	}
}

func TestDelete_GraceIsShortened(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.shutdown()
		c.config.Runtime = stubborn{}
		c.start()
		c.create(newPod("web"))
		c.delete("web", metav1.DeleteOptions{})
		c.pass(time.Second)
		c.delete("web", metav1.DeleteOptions{GracePeriodSeconds: new(int64(4))})
		c.pass(4 * time.Second)
		c.wantState("web", "gone")
	})
}

func TestDelete_ByForce(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.create(newPod("web", mountsToken))
		c.delete("web", metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))})
		c.cleanedUp("web")
		c.shutdown()
		c.config.Runtime = stubborn{}
		c.start()
		c.create(newPod("web", mountsToken))
		c.delete("web", metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))})
		if !c.exists("nodes/n1/pods/uid-of-web") {
			t.Error("a directory was removed under a process that runs")
		}
		c.pass(leastGrace)
		c.cleanedUp("web")
	})
}

// A pod that was replaced by one of the same name does not take the new one's files, status or object with it.
func TestDelete_Replaced(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.shutdown()
		c.config.Runtime = stubborn{}
		c.start()
		c.create(newPod("web", mountsToken))
		old := c.pod("web")
		c.delete("web", metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))})
		c.create(newPod("web", mountsToken, func(pod *corev1.Pod) { pod.UID = "uid-of-new" }))
		c.pass(time.Minute)
		c.cleanedUp("old")
		if c.exists("nodes/n1/pods/" + string(old.UID)) {
			t.Error("the old pod's directory is still there")
		}
		c.wantState("web", "Running web=running")
		if got := c.read("pods/blue/web/web" + serviceAccountDir + "/token"); got != "token 2 of blue/some-sa for pod uid-of-new" {
			t.Errorf("token %q", got)
		}
		if a, b := old.Status.PodIP, c.pod("web").Status.PodIP; a == b {
			t.Errorf("both have the address %s", a)
		}
	})
}

func TestDelete_WhileTheServerIsAway(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.create(newPod("web"))
		var away atomic.Bool
		away.Store(true)
		c.on("patch", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
			return away.Load(), nil, errors.New("connection refused")
		})
		var confirmations atomic.Int32
		c.on("delete", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
			if grace := action.(clienttesting.DeleteActionImpl).GetDeleteOptions().GracePeriodSeconds; grace == nil || *grace > 0 {
				return false, nil, nil
			}
			return confirmations.Add(1) < 3, nil, apierrors.NewInternalError(errors.New("not now"))
		})
		c.delete("web", metav1.DeleteOptions{})
		c.pass(time.Second)
		if confirmations.Load() > 0 {
			t.Error("the deletion was confirmed before the last status was told")
		}
		away.Store(false)
		c.pass(time.Minute)
		c.wantState("web", "gone")
		c.cleanedUp("web")
	})
}

// What a failed request costs is patience, not requests.
func TestReport_BacksOff(t *testing.T) {
	inCluster(t, func(c *cluster) {
		var tries atomic.Int32
		c.on("patch", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
			tries.Add(1)
			return true, nil, errors.New("connection refused")
		})
		c.create(newPod("web"))
		c.pass(time.Minute)
		if tries.Load() > 20 {
			t.Errorf("%d tries in a minute", tries.Load())
		}
	})
}

func TestPod_PhaseSetByOthers(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.create(newPod("web"))
		pod := c.pod("web")
		pod.Status.Phase, pod.Status.Reason = corev1.PodFailed, "NodeLost"
		pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "Because"})
		if _, err := c.client.CoreV1().Pods("blue").UpdateStatus(c.Context(), pod, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		c.settle()
		c.wantState("web", "Failed web=Completed(0)")
		got := c.pod("web")
		if got.Status.Reason != "NodeLost" || !slices.ContainsFunc(got.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.DisruptionTarget }) {
			t.Errorf("what others wrote was lost: %+v", got.Status)
		}
	})
}

// The server may learn a moment after the node does that a pod is the node's.
func TestReport_WhenThePodMayNotBeReadYet(t *testing.T) {
	inCluster(t, func(c *cluster) {
		var asked atomic.Int32
		c.on("get", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
			if asked.Add(1) > 1 {
				return false, nil, nil
			}
			return true, nil, apierrors.NewForbidden(corev1.Resource("pods"), "web", errors.New("node: no relationship found between node 'n1' and this object"))
		})
		c.create(newPod("web"))
		c.wantState("web", "Running web=running")
	})
}
