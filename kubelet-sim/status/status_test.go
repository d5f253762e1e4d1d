package status

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var now = time.Date(2026, 2, 1, 15, 4, 5, 600, time.UTC)

func waiting(name string) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{}}, Started: new(false)}
}

func running(name string) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, Ready: true, Started: new(true)}
}

func ended(name string, code int32) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code}}, Ready: code == 0}
}

func heldAfter(name string, code int32) corev1.ContainerStatus {
	status := waiting(name)
	status.LastTerminationState = ended(name, code).State
	return status
}

func podOf(policy corev1.RestartPolicy, init []string, containers ...string) *corev1.Pod {
	pod := &corev1.Pod{Spec: corev1.PodSpec{RestartPolicy: policy}}
	for _, name := range init {
		c := corev1.Container{Name: name}
		if name == "side" {
			c.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
		}
		pod.Spec.InitContainers = append(pod.Spec.InitContainers, c)
	}
	for _, name := range containers {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: name})
	}
	return pod
}

func TestPhase(t *testing.T) {
	type statuses = []corev1.ContainerStatus
	const always, onFailure, never = corev1.RestartPolicyAlways, corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever
	for _, test := range []struct {
		name             string
		pod              *corev1.Pod
		init, containers statuses
		ending           bool
		want             corev1.PodPhase
	}{
		{"nothing known", podOf(always, nil, "a"), nil, nil, false, corev1.PodPending},
		{"waiting to be created", podOf(always, nil, "a"), nil, statuses{waiting("a")}, false, corev1.PodPending},
		{"one of two waits for the first time", podOf(always, nil, "a", "b"), nil, statuses{running("a"), waiting("b")}, false, corev1.PodPending},
		{"all run", podOf(always, nil, "a", "b"), nil, statuses{running("a"), running("b")}, false, corev1.PodRunning},
		{"one of two crashed", podOf(always, nil, "a", "b"), nil, statuses{running("a"), heldAfter("b", 1)}, false, corev1.PodRunning},
		{"the only one crashed and is to restart", podOf(always, nil, "a"), nil, statuses{ended("a", 1)}, false, corev1.PodRunning},
		{"it backs off", podOf(always, nil, "a"), nil, statuses{heldAfter("a", 1)}, false, corev1.PodRunning},
		{"success is no end with Always", podOf(always, nil, "a"), nil, statuses{ended("a", 0)}, false, corev1.PodRunning},
		{"success is the end with OnFailure", podOf(onFailure, nil, "a"), nil, statuses{ended("a", 0)}, false, corev1.PodSucceeded},
		{"failure is none with OnFailure", podOf(onFailure, nil, "a"), nil, statuses{ended("a", 1)}, false, corev1.PodRunning},
		{"failure is the end with Never", podOf(never, nil, "a", "b"), nil, statuses{ended("a", 1), ended("b", 0)}, false, corev1.PodFailed},
		{"one goes on with Never", podOf(never, nil, "a", "b"), nil, statuses{ended("a", 1), running("b")}, false, corev1.PodRunning},
		{"ending well", podOf(always, nil, "a"), nil, statuses{ended("a", 0)}, true, corev1.PodSucceeded},
		{"ending badly", podOf(always, nil, "a"), nil, statuses{ended("a", 137)}, true, corev1.PodFailed},
		{"an init container runs", podOf(always, []string{"i"}, "a"), statuses{running("i")}, statuses{waiting("a")}, false, corev1.PodPending},
		{"an init container is to be retried", podOf(always, []string{"i"}, "a"), statuses{heldAfter("i", 1)}, statuses{waiting("a")}, false, corev1.PodPending},
		{"an init container failed for good", podOf(never, []string{"i"}, "a"), statuses{ended("i", 1)}, statuses{waiting("a")}, false, corev1.PodFailed},
		{"init done, containers to come", podOf(always, []string{"i"}, "a"), statuses{ended("i", 0)}, statuses{waiting("a")}, false, corev1.PodPending},
		{"init done, containers run", podOf(always, []string{"i"}, "a"), statuses{ended("i", 0)}, statuses{running("a")}, false, corev1.PodRunning},
		{"a sidecar runs before the containers", podOf(always, []string{"side"}, "a"), statuses{running("side")}, statuses{waiting("a")}, false, corev1.PodPending},
		{"a sidecar crashed beside the containers", podOf(always, []string{"side"}, "a"), statuses{heldAfter("side", 1)}, statuses{running("a")}, false, corev1.PodRunning},
		{"a sidecar outlives the containers", podOf(never, []string{"side"}, "a"), statuses{running("side")}, statuses{ended("a", 0)}, false, corev1.PodRunning},
		{"a killed sidecar does not fail the pod", podOf(never, []string{"side"}, "a"), statuses{ended("side", 137)}, statuses{ended("a", 0)}, false, corev1.PodSucceeded},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := Phase(test.pod, test.init, test.containers, test.ending); got != test.want {
				t.Errorf("phase %s, want %s", got, test.want)
			}
		})
	}
}

func TestShouldRestart(t *testing.T) {
	rules := func(op corev1.ContainerRestartRuleOnExitCodesOperator, codes ...int32) corev1.Container {
		return corev1.Container{RestartPolicy: new(corev1.ContainerRestartPolicyNever), RestartPolicyRules: []corev1.ContainerRestartRule{{
			Action: corev1.ContainerRestartRuleActionRestart, ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: op, Values: codes}}}}
	}
	for _, test := range []struct {
		name      string
		policy    corev1.RestartPolicy
		container corev1.Container
		code      int32
		want      bool
	}{
		{"no policy is Always", "", corev1.Container{}, 0, true},
		{"OnFailure after success", corev1.RestartPolicyOnFailure, corev1.Container{}, 0, false},
		{"OnFailure after failure", corev1.RestartPolicyOnFailure, corev1.Container{}, 3, true},
		{"the container's word wins", corev1.RestartPolicyAlways, corev1.Container{RestartPolicy: new(corev1.ContainerRestartPolicyNever)}, 1, false},
		{"a rule that lists the code", corev1.RestartPolicyNever, rules(corev1.ContainerRestartRuleOnExitCodesOpIn, 41, 42), 42, true},
		{"a rule that does not", corev1.RestartPolicyAlways, rules(corev1.ContainerRestartRuleOnExitCodesOpIn, 41, 42), 1, false},
		{"a rule for all others", corev1.RestartPolicyNever, rules(corev1.ContainerRestartRuleOnExitCodesOpNotIn, 0), 1, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := &corev1.Pod{Spec: corev1.PodSpec{RestartPolicy: test.policy}}
			if got := ShouldRestart(pod, &test.container, test.code); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestConditions(t *testing.T) {
	type statuses = []corev1.ContainerStatus
	gated := podOf(corev1.RestartPolicyAlways, nil, "a")
	gated.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "example.com/a"}, {ConditionType: "example.com/b"}}
	gated.Status.Conditions = []corev1.PodCondition{{Type: "example.com/b", Status: corev1.ConditionFalse}}
	for _, test := range []struct {
		name     string
		pod      *corev1.Pod
		observed Observed
		phase    corev1.PodPhase
		want     []string // type=status reason: message
	}{
		{"nothing there yet", podOf(corev1.RestartPolicyAlways, nil, "a", "b"), Observed{Containers: statuses{waiting("a"), waiting("b")}}, corev1.PodPending, []string{
			"PodReadyToStartContainers=False PodSandboxNotReady: no pod sandbox exists",
			"Initialized=True : ",
			"Ready=False ContainersNotReady: containers with unready status: [a b]",
			"ContainersReady=False ContainersNotReady: containers with unready status: [a b]",
			"PodScheduled=True : "}},
		{"all run", podOf(corev1.RestartPolicyAlways, []string{"i", "side"}, "a"), Observed{Sandbox: true, Init: statuses{ended("i", 0), running("side")}, Containers: statuses{running("a")}}, corev1.PodRunning, []string{
			"PodReadyToStartContainers=True : ", "Initialized=True : ", "Ready=True : ", "ContainersReady=True : ", "PodScheduled=True : "}},
		{"init containers to do", podOf(corev1.RestartPolicyAlways, []string{"i", "side", "j"}, "a"), Observed{Sandbox: true, Init: statuses{ended("i", 0), waiting("side")}, Containers: statuses{waiting("a")}}, corev1.PodPending, []string{
			"PodReadyToStartContainers=True : ",
			"Initialized=False ContainersNotInitialized: containers with unknown status: [j], containers with incomplete status: [side]",
			"Ready=False ContainersNotReady: containers with unready status: [side a]",
			"ContainersReady=False ContainersNotReady: containers with unready status: [side a]",
			"PodScheduled=True : "}},
		{"completed", podOf(corev1.RestartPolicyNever, nil, "a"), Observed{PodIP: "10.244.0.2", Containers: statuses{ended("a", 0)}}, corev1.PodSucceeded, []string{
			"PodReadyToStartContainers=False PodSandboxNotReady: pod sandbox is not ready",
			"Initialized=True PodCompleted: ", "Ready=False PodCompleted: ", "ContainersReady=False PodCompleted: ", "PodScheduled=True : "}},
		{"failed", podOf(corev1.RestartPolicyNever, nil, "a"), Observed{Sandbox: true, Containers: statuses{ended("a", 1)}}, corev1.PodFailed, []string{
			"PodReadyToStartContainers=True : ", "Initialized=True : ", "Ready=False PodFailed: ", "ContainersReady=False PodFailed: ", "PodScheduled=True : "}},
		{"closed readiness gates", gated, Observed{Sandbox: true, Containers: statuses{running("a")}}, corev1.PodRunning, []string{
			"example.com/b=False : ", "PodReadyToStartContainers=True : ", "Initialized=True : ",
			`Ready=False ReadinessGatesNotReady: corresponding condition of pod readiness gate "example.com/a" does not exist., the status of pod readiness gate "example.com/b" is not "True", but False`,
			"ContainersReady=True : ", "PodScheduled=True : "}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, c := range Conditions(test.pod, test.observed, test.phase, metav1.NewTime(now)) {
				got = append(got, string(c.Type)+"="+string(c.Status)+" "+c.Reason+": "+c.Message)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("conditions (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGenerate_KeepsWhatIsNotNew(t *testing.T) {
	before := metav1.NewTime(now.Add(-time.Hour).Truncate(time.Second))
	pod := podOf(corev1.RestartPolicyAlways, nil, "b", "a")
	pod.Generation = 3
	pod.Status = corev1.PodStatus{
		StartTime: &before, NominatedNodeName: "elsewhere", PodIP: "10.244.0.9",
		Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: before}},
	}
	original := pod.DeepCopy()
	got := Generate(pod, Observed{HostIP: "127.0.0.1", PodIP: "10.244.0.2", Sandbox: true,
		Containers: []corev1.ContainerStatus{running("b"), running("a")}}, now)

	if diff := cmp.Diff(original, pod); diff != "" {
		t.Errorf("the pod was changed:\n%s", diff)
	}
	if !got.StartTime.Equal(&before) {
		t.Errorf("startTime became %v", got.StartTime)
	}
	if got.NominatedNodeName != "elsewhere" {
		t.Error("what others wrote was lost")
	}
	if got.ContainerStatuses[0].Name != "a" {
		t.Error("container statuses are not sorted by name")
	}
	if got.Phase != corev1.PodRunning || got.PodIP != "10.244.0.2" || got.HostIP != "127.0.0.1" || got.ObservedGeneration != 3 {
		t.Errorf("got %+v", got)
	}
	for _, c := range got.Conditions {
		want := metav1.NewTime(now.Truncate(time.Second))
		if c.Type == corev1.PodScheduled {
			want = before
		}
		if !c.LastTransitionTime.Equal(&want) || c.ObservedGeneration != 3 {
			t.Errorf("%s: since %v at generation %d, want %v", c.Type, c.LastTransitionTime, c.ObservedGeneration, want)
		}
	}

	pod.Status = got
	pod.Status.Phase = corev1.PodFailed
	if again := Generate(pod, Observed{Containers: got.ContainerStatuses}, now); again.Phase != corev1.PodFailed {
		t.Errorf("a pod that had failed is %s again", again.Phase)
	}
}

func TestQOS(t *testing.T) {
	r := func(requests, limits string) corev1.ResourceRequirements {
		list := func(s string) corev1.ResourceList {
			if s == "" {
				return nil
			}
			return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(s), corev1.ResourceMemory: resource.MustParse(s)}
		}
		return corev1.ResourceRequirements{Requests: list(requests), Limits: list(limits)}
	}
	cpuOnly := corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}, Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}}
	for _, test := range []struct {
		name string
		all  []corev1.ResourceRequirements
		want corev1.PodQOSClass
	}{
		{"no resources", []corev1.ResourceRequirements{r("", ""), r("", "")}, corev1.PodQOSBestEffort},
		{"limits equal requests", []corev1.ResourceRequirements{r("1", "1"), r("2", "2")}, corev1.PodQOSGuaranteed},
		{"requests only", []corev1.ResourceRequirements{r("1", "")}, corev1.PodQOSBurstable},
		{"limits above requests", []corev1.ResourceRequirements{r("1", "2")}, corev1.PodQOSBurstable},
		{"one guaranteed, one with nothing", []corev1.ResourceRequirements{r("1", "1"), r("", "")}, corev1.PodQOSBurstable},
		{"cpu only", []corev1.ResourceRequirements{cpuOnly}, corev1.PodQOSBurstable},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := &corev1.Pod{}
			for _, resources := range test.all {
				pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Resources: resources})
			}
			if got := QOS(pod); got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestImage(t *testing.T) {
	for in, want := range map[string]string{
		"nginx":                      "docker.io/library/nginx:latest",
		"nginx:1.27":                 "docker.io/library/nginx:1.27",
		"bitnami/nginx":              "docker.io/bitnami/nginx:latest",
		"localhost/app":              "localhost/app:latest",
		"localhost:5000/app:x":       "localhost:5000/app:x",
		"registry.k8s.io/pause:3.10": "registry.k8s.io/pause:3.10",
		"quay.io/a/b/c":              "quay.io/a/b/c:latest",
	} {
		name, id := Image(in)
		if name != want {
			t.Errorf("Image(%q) = %q, want %q", in, name, want)
		}
		if _, again := Image(want); again != id {
			t.Errorf("%q and %q have different digests", in, want)
		}
	}
	name, id := Image("nginx:1@sha256:abc")
	if name != "docker.io/library/nginx:1@sha256:abc" || id != "docker.io/library/nginx@sha256:abc" {
		t.Errorf("pinned: %q, %q", name, id)
	}
}
