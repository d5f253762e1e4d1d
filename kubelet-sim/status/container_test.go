package status

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestContainer_Transitions(t *testing.T) {
	pod := podOf(corev1.RestartPolicyAlways, []string{"i"}, "a")
	web, first := &pod.Spec.Containers[0], &pod.Spec.InitContainers[0]
	at := func(s int) time.Time { return now.Add(time.Duration(s) * time.Second) }

	status := Created(pod, web)
	if status.State.Waiting.Reason != "PodInitializing" || status.Ready || *status.Started {
		t.Errorf("created: %+v", status)
	}
	status = Started(pod, web, status, "id-1", 0, at(0))
	if !status.Ready || !*status.Started || status.ContainerID != "coracle://id-1" || status.LastTerminationState != (corev1.ContainerState{}) {
		t.Errorf("started: %+v", status)
	}
	status = Ended(Main, status, 137, 9, "killed", at(5))
	want := &corev1.ContainerStateTerminated{ExitCode: 137, Signal: 9, Reason: "Error", Message: "killed", StartedAt: seconds(at(0)), FinishedAt: seconds(at(5)), ContainerID: "coracle://id-1"}
	if diff := cmp.Diff(want, status.State.Terminated); diff != "" || status.Ready || *status.Started {
		t.Errorf("ended: %+v\n%s", status, diff)
	}
	status = Held(status, "CrashLoopBackOff", "wait")
	if status.LastTerminationState.Terminated == nil || status.State.Waiting.Message != "wait" {
		t.Errorf("held: %+v", status)
	}
	status = Started(pod, web, status, "id-2", 1, at(20))
	if diff := cmp.Diff(want, status.LastTerminationState.Terminated); diff != "" || status.RestartCount != 1 {
		t.Errorf("started again: %+v\n%s", status, diff)
	}
	status = Lost(status)
	if end := status.State.Terminated; end.ExitCode != 137 || end.Reason != "ContainerStatusUnknown" {
		t.Errorf("lost: %+v", status)
	}

	init := Started(pod, first, Created(pod, first), "id-3", 0, at(0))
	if init.Ready {
		t.Error("an init container that runs is ready")
	}
	if done := Ended(Init, init, 0, 0, "", at(1)); !done.Ready || done.State.Terminated.Reason != "Completed" {
		t.Errorf("an init container that succeeded: %+v", done)
	}
	if failed := Ended(Init, init, 1, 0, "", at(1)); failed.Ready {
		t.Error("an init container that failed is ready")
	}
}

func TestContainer_User(t *testing.T) {
	for _, test := range []struct {
		name string
		pod  *corev1.PodSecurityContext
		own  *corev1.SecurityContext
		want corev1.LinuxContainerUser
	}{
		{"root unless told otherwise", nil, nil, corev1.LinuxContainerUser{SupplementalGroups: []int64{0}}},
		{"the pod's", &corev1.PodSecurityContext{RunAsUser: new(int64(1000)), RunAsGroup: new(int64(3000)), FSGroup: new(int64(2000)), SupplementalGroups: []int64{4000}}, nil,
			corev1.LinuxContainerUser{UID: 1000, GID: 3000, SupplementalGroups: []int64{3000, 2000, 4000}}},
		{"the container's word wins", &corev1.PodSecurityContext{RunAsUser: new(int64(1000))}, &corev1.SecurityContext{RunAsUser: new(int64(7)), RunAsGroup: new(int64(8))},
			corev1.LinuxContainerUser{UID: 7, GID: 8, SupplementalGroups: []int64{8}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := &corev1.Pod{Spec: corev1.PodSpec{SecurityContext: test.pod}}
			if diff := cmp.Diff(&test.want, user(pod, &corev1.Container{SecurityContext: test.own}).Linux); diff != "" {
				t.Errorf("user (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMerge(t *testing.T) {
	start := metav1.NewTime(now)
	theirs := corev1.PodStatus{
		Phase: corev1.PodPending, NominatedNodeName: "n2", Resize: "Proposed",
		Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}, {Type: "example.com/gate", Status: corev1.ConditionTrue}},
	}
	mine := corev1.PodStatus{
		Phase: corev1.PodRunning, StartTime: &start, PodIP: "10.244.0.2",
		Conditions: []corev1.PodCondition{{Type: "example.com/gate", Status: corev1.ConditionFalse}, {Type: corev1.PodReady, Status: corev1.ConditionTrue}},
	}
	want := corev1.PodStatus{
		Phase: corev1.PodRunning, StartTime: &start, PodIP: "10.244.0.2", NominatedNodeName: "n2", Resize: "Proposed",
		Conditions: []corev1.PodCondition{{Type: "example.com/gate", Status: corev1.ConditionTrue}, {Type: corev1.PodReady, Status: corev1.ConditionTrue}},
	}
	if diff := cmp.Diff(want, Merge(theirs, mine)); diff != "" {
		t.Errorf("merged (-want +got):\n%s", diff)
	}
	if len(theirs.Conditions) != 2 || theirs.Conditions[0].Type != corev1.PodReady {
		t.Error("theirs was changed")
	}
}
