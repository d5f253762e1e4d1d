package status

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Merge puts the kubelet's part of mine into theirs: what others own stays as they have it.
func Merge(theirs, mine corev1.PodStatus) corev1.PodStatus {
	merged := *theirs.DeepCopy()
	merged.ObservedGeneration = mine.ObservedGeneration
	merged.Phase, merged.Reason, merged.Message = mine.Phase, mine.Reason, mine.Message
	merged.StartTime = mine.StartTime
	merged.QOSClass = mine.QOSClass
	merged.HostIP, merged.HostIPs = mine.HostIP, mine.HostIPs
	merged.PodIP, merged.PodIPs = mine.PodIP, mine.PodIPs
	merged.InitContainerStatuses = mine.InitContainerStatuses
	merged.ContainerStatuses = mine.ContainerStatuses
	merged.EphemeralContainerStatuses = mine.EphemeralContainerStatuses
	merged.Conditions = slices.DeleteFunc(merged.Conditions, func(c corev1.PodCondition) bool { return slices.Contains(owned, c.Type) })
	for _, condition := range mine.Conditions {
		if slices.Contains(owned, condition.Type) {
			merged.Conditions = append(merged.Conditions, condition)
		}
	}
	return merged
}
