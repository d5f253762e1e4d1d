package status

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Observed is what the kubelet knows of a pod that it runs.
type Observed struct {
	Init, Containers, Ephemeral []corev1.ContainerStatus

	HostIP string
	PodIP  string // "" as long as it has none
	// Sandbox: the pod's network and volumes are there, so that containers can start.
	Sandbox bool
	// Busy: a container still runs. Until it does not, the pod's phase cannot become terminal.
	Busy bool
	// Ending: no container will be started any more.
	Ending bool
	// Failed, when set, is why the pod as a whole has failed, whatever its containers did.
	Failed *Reason
}

// Reason explains a phase.
type Reason struct{ Reason, Message string }

// Generate is the status of a pod. pod.Status is the status so far: times and what others wrote are kept from it,
// and a phase that is terminal stays. Times are cut to seconds, as the API keeps them.
func Generate(pod *corev1.Pod, observed Observed, now time.Time) corev1.PodStatus {
	stamp := metav1.NewTime(now).Rfc3339Copy()
	old := &pod.Status
	status := *old.DeepCopy()
	status.ObservedGeneration = max(old.ObservedGeneration, pod.Generation)
	status.QOSClass = QOS(pod)
	status.InitContainerStatuses = inOrder(pod, observed.Init)
	status.ContainerStatuses = byName(observed.Containers)
	status.EphemeralContainerStatuses = byName(observed.Ephemeral)

	status.Phase = Phase(pod, observed.Init, observed.Containers, observed.Ending)
	if observed.Failed != nil {
		status.Phase = corev1.PodFailed
	}
	switch {
	case Terminal(old.Phase) || observed.Busy && Terminal(status.Phase):
		status.Phase = old.Phase
	case observed.Failed != nil:
		status.Reason, status.Message = observed.Failed.Reason, observed.Failed.Message
	case status.Phase != old.Phase:
		status.Reason, status.Message = "", ""
	}
	status.Conditions = Conditions(pod, observed, status.Phase, stamp)

	status.HostIP, status.HostIPs = observed.HostIP, []corev1.HostIP{{IP: observed.HostIP}}
	ip := observed.PodIP
	if pod.Spec.HostNetwork {
		ip = observed.HostIP
	}
	if ip != "" {
		status.PodIP, status.PodIPs = ip, []corev1.PodIP{{IP: ip}}
	}
	if status.StartTime == nil {
		status.StartTime = &stamp
	}
	return status
}

func byName(statuses []corev1.ContainerStatus) []corev1.ContainerStatus {
	if len(statuses) == 0 {
		return nil
	}
	return slices.SortedFunc(slices.Values(statuses), func(a, b corev1.ContainerStatus) int { return cmp.Compare(a.Name, b.Name) })
}

// inOrder sorts the statuses of init containers as the pod lists the containers.
func inOrder(pod *corev1.Pod, statuses []corev1.ContainerStatus) []corev1.ContainerStatus {
	var sorted []corev1.ContainerStatus
	for i := range pod.Spec.InitContainers {
		if status, ok := find(statuses, pod.Spec.InitContainers[i].Name); ok {
			sorted = append(sorted, *status)
		}
	}
	return sorted
}
