package kubeletsim

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestPod_EndsByItself(t *testing.T) {
	two := func(pod *corev1.Pod) {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "two", Image: "busybox", Command: []string{"sleep", "60"}})
	}
	for _, test := range []struct {
		name  string
		edits []func(*corev1.Pod)
		after time.Duration
		want  string
	}{
		{"success with Never", []func(*corev1.Pod){restart(corev1.RestartPolicyNever), runs("true")}, 0, "Succeeded web=Completed(0)"},
		{"failure with Never", []func(*corev1.Pod){restart(corev1.RestartPolicyNever), runs("sh", "-c", "exit 3")}, 0, "Failed web=Error(3)"},
		{"success with OnFailure", []func(*corev1.Pod){restart(corev1.RestartPolicyOnFailure), runs("echo", "hi")}, 0, "Succeeded web=Completed(0)"},
		{"one of two goes on", []func(*corev1.Pod){restart(corev1.RestartPolicyNever), runs("false"), two}, 59 * time.Second, "Running two=running web=Error(1)"},
		{"then it ends too", []func(*corev1.Pod){restart(corev1.RestartPolicyNever), runs("false"), two}, 60 * time.Second, "Failed two=Completed(0) web=Error(1)"},
		{"a failing init container with Never", []func(*corev1.Pod){restart(corev1.RestartPolicyNever),
			initContainers(corev1.Container{Name: "i", Image: "busybox", Command: []string{"false"}}, corev1.Container{Name: "j", Image: "busybox"})}, 0,
			"Failed i=Error(1) j=PodInitializing web=PodInitializing"},
		{"init containers run one after the other", []func(*corev1.Pod){
			initContainers(corev1.Container{Name: "i", Image: "busybox", Command: []string{"sleep", "2"}}, corev1.Container{Name: "j", Image: "busybox", Command: []string{"sleep", "2"}})}, 3 * time.Second,
			"Pending i=Completed(0) j=running web=PodInitializing"},
		{"and then the containers", []func(*corev1.Pod){
			initContainers(corev1.Container{Name: "i", Image: "busybox", Command: []string{"sleep", "2"}}, corev1.Container{Name: "j", Image: "busybox", Command: []string{"sleep", "2"}})}, 4 * time.Second,
			"Running i=Completed(0) j=Completed(0) web=running"},
		{"a sidecar is stopped when the rest is done", []func(*corev1.Pod){restart(corev1.RestartPolicyNever), runs("sleep", "5"), initContainers(sidecar("side"))}, 5 * time.Second,
			"Succeeded side=Completed(0) web=Completed(0)"},
		{"a deadline", []func(*corev1.Pod){func(pod *corev1.Pod) { pod.Spec.ActiveDeadlineSeconds = new(int64(7)) }}, 7 * time.Second, "Failed web=Completed(0)"},
		{"a container's own policy wins", []func(*corev1.Pod){runs("true"), func(pod *corev1.Pod) {
			pod.Spec.Containers[0].RestartPolicy = new(corev1.ContainerRestartPolicyNever)
		}}, 0, "Succeeded web=Completed(0)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			inCluster(t, func(c *cluster) {
				c.create(newPod("web", test.edits...))
				if test.after > 0 {
					c.pass(test.after)
				}
				c.wantState("web", test.want)
			})
		})
	}
}

func TestPod_Deadline(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.create(newPod("web", func(pod *corev1.Pod) { pod.Spec.ActiveDeadlineSeconds = new(int64(7)) }))
		c.pass(6 * time.Second)
		c.wantState("web", "Running web=running")
		c.pass(time.Second)
		pod := c.pod("web")
		if pod.Status.Reason != "DeadlineExceeded" || pod.Status.Message != "Pod was active on the node longer than the specified deadline" {
			t.Errorf("reason %q, message %q", pod.Status.Reason, pod.Status.Message)
		}
	})
}

// A finished pod keeps its logs, and gives back its token and its address.
func TestPod_FinishedHoldsNothing(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.create(newPod("job", restart(corev1.RestartPolicyNever), runs("sh", "-c", "echo one; echo two"), mountsToken))
		c.wantState("job", "Succeeded web=Completed(0)")
		want := "2000-01-01T00:00:00.000000000Z stdout F one\n2000-01-01T00:00:00.000000000Z stdout F two\n"
		if got := c.read("nodes/n1/pods/uid-of-job/containers/web/logs/0.log"); got != want {
			t.Errorf("log %q, want %q", got, want)
		}
		for _, name := range []string{"pods/blue", "nodes/n1/pods/uid-of-job/volumes", "nodes/n1/pods/uid-of-job/containers/web/rootfs"} {
			if c.exists(name) {
				t.Errorf("%s is still there", name)
			}
		}
		if ip := c.pod("job").Status.PodIP; ip != "10.244.0.2" {
			t.Errorf("its last address is not told any more: %q", ip)
		}
		if err := c.client.CoreV1().Pods("blue").Delete(c.Context(), "job", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		c.settle()
		c.wantState("job", "gone")
		if c.exists("nodes/n1/pods/uid-of-job") {
			t.Error("its logs are still there")
		}
	})
}

func TestPod_CrashLoop(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.create(newPod("web", runs("false")))
		// The first restart comes at once; then 10 seconds, doubled each time, 5 minutes at most.
		c.wantState("web", "Running web=CrashLoopBackOffx1")
		waiting := c.pod("web").Status.ContainerStatuses[0].State.Waiting
		if want := "back-off 10s restarting failed container=web pod=web_blue(uid-of-web)"; waiting.Message != want {
			t.Errorf("message %q, want %q", waiting.Message, want)
		}
		if last := c.pod("web").Status.ContainerStatuses[0].LastTerminationState.Terminated; last == nil || last.ExitCode != 1 {
			t.Errorf("last state %v", last)
		}
		for i, pause := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second, 300 * time.Second, 300 * time.Second} {
			c.pass(pause - time.Second)
			if got := c.pod("web").Status.ContainerStatuses[0].RestartCount; got != int32(i+1) {
				t.Fatalf("restarted %d times before %v were over", got, pause)
			}
			c.pass(time.Second)
			if got := c.pod("web").Status.ContainerStatuses[0].RestartCount; got != int32(i+2) {
				t.Fatalf("restarted %d times after %v", got, pause)
			}
		}
		if !slices.ContainsFunc(c.events(), func(line string) bool {
			return strings.HasPrefix(line, "BackOff: Back-off restarting failed container web in pod web_blue(uid-of-web)")
		}) {
			t.Errorf("events: %q", c.events())
		}
	})
}

func TestBackOff_StartsOver(t *testing.T) {
	start := time.Unix(1000, 0)
	var b backOff
	b.next(start)
	b.next(start)
	if got := b.until(start.Add(10 * time.Minute)); got != start.Add(10*time.Minute+20*time.Second) {
		t.Errorf("after ten minutes: until %v", got)
	}
	long := start.Add(10*time.Minute + time.Second)
	if got := b.until(long); got != long {
		t.Errorf("after more: until %v", got)
	}
}

func TestPod_ImageChange(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.create(newPod("web"))
		pod := c.pod("web")
		pod.Spec.Containers[0].Image, pod.Generation = "nginx:2", 2
		if _, err := c.client.CoreV1().Pods("blue").Update(c.Context(), pod, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		c.settle()
		c.wantState("web", "Running web=runningx1")
		got := c.pod("web").Status
		if got.ContainerStatuses[0].Image != "docker.io/library/nginx:2" || got.ObservedGeneration != 2 {
			t.Errorf("image %s at generation %d", got.ContainerStatuses[0].Image, got.ObservedGeneration)
		}
		if !slices.Contains(c.events(), "Killing: Container web definition changed, will be restarted") {
			t.Errorf("events: %q", c.events())
		}
	})
}

func TestPod_Debugger(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.create(newPod("web"))
		pod := c.pod("web")
		pod.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug", Image: "busybox", Command: []string{"sleep", "3"}}}}
		if _, err := c.client.CoreV1().Pods("blue").Update(c.Context(), pod, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		c.settle()
		c.wantState("web", "Running web=running debug=running")
		c.pass(time.Minute)
		c.wantState("web", "Running web=running debug=Completed(0)")
	})
}

func TestPod_ImageNeverPulled(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.create(newPod("web", func(pod *corev1.Pod) { pod.Spec.Containers[0].ImagePullPolicy = corev1.PullNever }))
		c.wantState("web", "Pending web=ErrImageNeverPull")
		if diff := cmp.Diff([]string{`ErrImageNeverPull: Container image "nginx" is not present with pull policy of Never`}, c.events()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
	})
}

// A container whose configuration lacks something waits for it.
func TestPod_ConfigError(t *testing.T) {
	key := func(name, key string) func(*corev1.Pod) {
		return func(pod *corev1.Pod) {
			pod.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "PASS", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: key}}}}
		}
	}
	inCluster(t, func(c *cluster) {
		c.create(newPod("web", key("creds", "pass")))
		c.wantState("web", "Pending web=CreateContainerConfigError")
		if got := c.pod("web").Status.ContainerStatuses[0].State.Waiting.Message; got != `secret "creds" not found` {
			t.Errorf("message %q", got)
		}
		if last := c.events()[2]; last != `Failed: Error: secret "creds" not found` {
			t.Errorf("events: %q", c.events())
		}
		made := secret("creds", map[string]string{"user": "ann"})
		if _, err := c.client.CoreV1().Secrets("blue").Create(c.Context(), made, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		c.settle()
		if got := c.pod("web").Status.ContainerStatuses[0].State.Waiting.Message; got != "couldn't find key pass in Secret blue/creds" {
			t.Errorf("message %q", got)
		}
		made.Data["pass"] = []byte("s3cret")
		if _, err := c.client.CoreV1().Secrets("blue").Update(c.Context(), made, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		c.settle()
		c.wantState("web", "Running web=running")
	})
}

// recording is a Runtime that tells what it was asked to run.
type recording struct {
	Simulated
	asked chan Process
	err   error
}

func (r recording) Start(ctx context.Context, p Process) (<-chan Exit, error) {
	r.asked <- p
	if r.err != nil {
		return nil, r.err
	}
	return r.Simulated.Start(ctx, p)
}

func TestPod_Process(t *testing.T) {
	kubernetes := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "kubernetes"}, Spec: corev1.ServiceSpec{ClusterIP: "10.96.0.1", Ports: []corev1.ServicePort{{Name: "https", Port: 443}}}}
	db := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "db"}, Spec: corev1.ServiceSpec{ClusterIP: "10.96.0.7", Ports: []corev1.ServicePort{{Port: 5432}}}}
	inCluster(t, func(c *cluster) {
		c.shutdown()
		asked := make(chan Process, 2)
		c.config.Runtime = recording{asked: asked}
		c.start()
		c.create(newPod("web", mountsSecret("creds"), func(pod *corev1.Pod) {
			web := &pod.Spec.Containers[0]
			web.Command, web.Args = []string{"serve"}, []string{"--as=$(WHO)", "$(NONE)", "$$(WHO)"}
			web.Env = []corev1.EnvVar{{Name: "WHO", Value: "ann"}, {Name: "IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}}}}
		}))
		p := <-asked
		if diff := cmp.Diff([]string{"serve", "--as=ann", "$(NONE)", "$(WHO)"}, p.Args); diff != "" {
			t.Errorf("args (-want +got):\n%s", diff)
		}
		for _, want := range []string{"WHO=ann", "IP=10.244.0.2", "KUBERNETES_SERVICE_HOST=10.96.0.1", "KUBERNETES_SERVICE_PORT_HTTPS=443", "DB_SERVICE_HOST=10.96.0.7"} {
			if !slices.Contains(p.Env, want) {
				t.Errorf("environment lacks %s: %q", want, p.Env)
			}
		}
		if len(p.Mounts) != 1 || p.Mounts[0].Path != "/creds" || !p.Mounts[0].ReadOnly {
			t.Errorf("mounts %+v", p.Mounts)
		}
		if !strings.HasSuffix(p.Rootfs, "/nodes/n1/pods/uid-of-web/containers/web/rootfs") {
			t.Errorf("rootfs %s", p.Rootfs)
		}
		c.create(newPod("alone", func(pod *corev1.Pod) { pod.Spec.EnableServiceLinks = new(false) }))
		p = <-asked
		if slices.Contains(p.Env, "DB_SERVICE_HOST=10.96.0.7") || !slices.Contains(p.Env, "KUBERNETES_SERVICE_HOST=10.96.0.1") {
			t.Errorf("without service links: %q", p.Env)
		}
	}, kubernetes, db, secret("creds", nil))
}

func TestPod_RuntimeRefuses(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.shutdown()
		c.config.Runtime = recording{asked: make(chan Process, 9), err: errors.New(`exec: "serve": executable file not found in $PATH`)}
		c.start()
		c.create(newPod("web"))
		c.wantState("web", "Pending web=RunContainerError")
		if got := c.pod("web").Status.ContainerStatuses[0].State.Waiting.Message; got != `exec: "serve": executable file not found in $PATH` {
			t.Errorf("message %q", got)
		}
	})
}
