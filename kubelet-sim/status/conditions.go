package status

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// owned are the conditions that a kubelet writes; it leaves all others as they are.
var owned = []corev1.PodConditionType{
	corev1.PodReadyToStartContainers, corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled,
}

// Conditions are the pod's conditions: first those of others, then the kubelet's own in its order.
// Source of reasons and messages: k8s.io/kubernetes/pkg/kubelet/status/generate.go.
func Conditions(pod *corev1.Pod, observed Observed, phase corev1.PodPhase, now metav1.Time) []corev1.PodCondition {
	var conditions []corev1.PodCondition
	for _, condition := range pod.Status.Conditions {
		if !slices.Contains(owned, condition.Type) {
			conditions = append(conditions, condition)
		}
	}
	containers := containersReady(pod, observed, phase)
	for _, condition := range []corev1.PodCondition{
		readyToStart(observed),
		initialized(pod, observed, phase),
		ready(pod, conditions, containers),
		containers,
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue},
	} {
		condition.ObservedGeneration = pod.Generation
		condition.LastTransitionTime = now
		if old := named(pod.Status.Conditions, condition.Type); old != nil && old.Status == condition.Status {
			condition.LastTransitionTime = old.LastTransitionTime
		}
		conditions = append(conditions, condition)
	}
	return conditions
}

func readyToStart(observed Observed) corev1.PodCondition {
	condition := corev1.PodCondition{Type: corev1.PodReadyToStartContainers, Status: corev1.ConditionTrue}
	if !observed.Sandbox {
		condition.Status = corev1.ConditionFalse
		condition.Reason, condition.Message = "PodSandboxNotReady", "no pod sandbox exists"
		if observed.PodIP != "" { // it had one
			condition.Message = "pod sandbox is not ready"
		}
	}
	return condition
}

func initialized(pod *corev1.Pod, observed Observed, phase corev1.PodPhase) corev1.PodCondition {
	condition := corev1.PodCondition{Type: corev1.PodInitialized, Status: corev1.ConditionTrue}
	var unknown, incomplete []string
	for i := range pod.Spec.InitContainers {
		spec := &pod.Spec.InitContainers[i]
		status, ok := find(observed.Init, spec.Name)
		switch {
		case !ok:
			unknown = append(unknown, spec.Name)
		case IsSidecar(spec) && (status.Started == nil || !*status.Started):
			incomplete = append(incomplete, spec.Name)
		case !IsSidecar(spec) && !status.Ready:
			incomplete = append(incomplete, spec.Name)
		}
	}
	switch {
	case phase == corev1.PodSucceeded && len(unknown) == 0:
		condition.Reason = "PodCompleted"
	case anyBegun(observed.Containers) || len(unknown)+len(incomplete) == 0:
	default:
		condition.Status = corev1.ConditionFalse
		condition.Reason = "ContainersNotInitialized"
		condition.Message = names("incomplete", unknown, incomplete)
	}
	return condition
}

func containersReady(pod *corev1.Pod, observed Observed, phase corev1.PodPhase) corev1.PodCondition {
	condition := corev1.PodCondition{Type: corev1.ContainersReady, Status: corev1.ConditionFalse}
	var unknown, unready []string
	look := func(spec *corev1.Container, statuses []corev1.ContainerStatus) {
		if status, ok := find(statuses, spec.Name); !ok {
			unknown = append(unknown, spec.Name)
		} else if !status.Ready {
			unready = append(unready, spec.Name)
		}
	}
	for i := range pod.Spec.InitContainers {
		if IsSidecar(&pod.Spec.InitContainers[i]) {
			look(&pod.Spec.InitContainers[i], observed.Init)
		}
	}
	for i := range pod.Spec.Containers {
		look(&pod.Spec.Containers[i], observed.Containers)
	}
	switch {
	case phase == corev1.PodSucceeded && len(unknown) == 0:
		condition.Reason = "PodCompleted"
	case phase == corev1.PodFailed:
		condition.Reason = "PodFailed"
	case len(unknown)+len(unready) > 0:
		condition.Reason = "ContainersNotReady"
		condition.Message = names("unready", unknown, unready)
	default:
		condition.Status = corev1.ConditionTrue
	}
	return condition
}

// ready is ContainersReady, and all readiness gates that others open.
func ready(pod *corev1.Pod, others []corev1.PodCondition, containers corev1.PodCondition) corev1.PodCondition {
	condition := containers
	condition.Type = corev1.PodReady
	if containers.Status != corev1.ConditionTrue {
		return condition
	}
	var closed []string
	for _, gate := range pod.Spec.ReadinessGates {
		if c := named(others, gate.ConditionType); c == nil {
			closed = append(closed, fmt.Sprintf("corresponding condition of pod readiness gate %q does not exist.", gate.ConditionType))
		} else if c.Status != corev1.ConditionTrue {
			closed = append(closed, fmt.Sprintf("the status of pod readiness gate %q is not \"True\", but %v", gate.ConditionType, c.Status))
		}
	}
	if len(closed) > 0 {
		condition.Status = corev1.ConditionFalse
		condition.Reason = "ReadinessGatesNotReady"
		condition.Message = strings.Join(closed, ", ")
	}
	return condition
}

func names(what string, unknown, others []string) string {
	var parts []string
	if len(unknown) > 0 {
		parts = append(parts, fmt.Sprintf("containers with unknown status: %s", unknown))
	}
	if len(others) > 0 {
		parts = append(parts, fmt.Sprintf("containers with %s status: %s", what, others))
	}
	return strings.Join(parts, ", ")
}

func named(conditions []corev1.PodCondition, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range conditions {
		if conditions[i].Type == kind {
			return &conditions[i]
		}
	}
	return nil
}
