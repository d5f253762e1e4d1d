package status

import (
	corev1 "k8s.io/api/core/v1"
)

// Phase is the pod's phase, worked out from its containers. ending says that none of them will be started any more.
// Source: k8s.io/kubernetes/pkg/kubelet/kubelet_pods.go getPhase.
func Phase(pod *corev1.Pod, init, containers []corev1.ContainerStatus, ending bool) corev1.PodPhase {
	initializing, waiting, running, unknown := false, false, 0, 0
	begun := anyBegun(containers)

	for i := range pod.Spec.InitContainers {
		spec := &pod.Spec.InitContainers[i]
		status, ok := find(init, spec.Name)
		end := lastEnd(status)
		switch {
		case IsSidecar(spec):
			switch {
			case !ok:
				unknown++
			case status.State.Running != nil:
				running++
				initializing = initializing || !begun && (status.Started == nil || !*status.Started)
			case end == nil:
				initializing = initializing || !begun
				waiting = true
			}
		case !ok || status.State.Running != nil || end == nil:
			initializing = true
		case end.ExitCode != 0 && !ShouldRestart(pod, spec, end.ExitCode):
			return corev1.PodFailed
		}
	}

	stopped, final, succeeded := 0, 0, 0
	for i := range pod.Spec.Containers {
		spec := &pod.Spec.Containers[i]
		status, ok := find(containers, spec.Name)
		end := lastEnd(status)
		switch {
		case !ok:
			unknown++
		case status.State.Running != nil:
			running++
		case end != nil:
			stopped++
			if !ShouldRestart(pod, spec, end.ExitCode) {
				final++
			}
			// One that waits to be restarted has not succeeded, however it ended.
			if status.State.Terminated != nil && end.ExitCode == 0 {
				succeeded++
			}
		default:
			waiting = true
		}
	}

	switch {
	case initializing || waiting:
		return corev1.PodPending
	case running > 0 && unknown == 0:
		return corev1.PodRunning
	case running > 0 || stopped == 0 || unknown > 0:
		return corev1.PodPending
	case !ending && stopped != final:
		return corev1.PodRunning // something is about to be restarted
	case stopped == succeeded:
		return corev1.PodSucceeded
	}
	return corev1.PodFailed
}

// Terminal tells whether a phase is one that a pod never leaves.
func Terminal(phase corev1.PodPhase) bool {
	return phase == corev1.PodSucceeded || phase == corev1.PodFailed
}

// lastEnd is how a container that does not run ended, nil when it never ran.
func lastEnd(status *corev1.ContainerStatus) *corev1.ContainerStateTerminated {
	switch {
	case status == nil || status.State.Running != nil:
		return nil
	case status.State.Terminated != nil:
		return status.State.Terminated
	}
	return status.LastTerminationState.Terminated
}

// anyBegun tells whether any of the pod's regular containers runs or ran.
func anyBegun(containers []corev1.ContainerStatus) bool {
	for i := range containers {
		if state := containers[i].State; state.Running != nil || state.Terminated != nil {
			return true
		}
	}
	return false
}

func find(statuses []corev1.ContainerStatus, name string) (*corev1.ContainerStatus, bool) {
	for i := range statuses {
		if statuses[i].Name == name {
			return &statuses[i], true
		}
	}
	return nil, false
}
