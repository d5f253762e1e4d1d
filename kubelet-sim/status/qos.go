package status

import (
	corev1 "k8s.io/api/core/v1"
)

// QOS is the pod's quality-of-service class: Guaranteed when every container's limits of cpu and memory are set and
// equal its requests, BestEffort when no container has either, Burstable otherwise. Where the pod as a whole
// states resources, these alone count.
func QOS(pod *corev1.Pod) corev1.PodQOSClass {
	if pod.Status.QOSClass != "" {
		return pod.Status.QOSClass
	}
	if r := pod.Spec.Resources; r != nil && len(r.Requests)+len(r.Limits) > 0 {
		return class(r)
	}
	var all corev1.PodQOSClass
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			one := class(&list[i].Resources)
			if one == corev1.PodQOSBurstable || all != "" && all != one {
				return corev1.PodQOSBurstable
			}
			all = one
		}
	}
	if all == "" {
		return corev1.PodQOSBestEffort
	}
	return all
}

func class(r *corev1.ResourceRequirements) corev1.PodQOSClass {
	var all corev1.PodQOSClass
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		request, limit := r.Requests[name], r.Limits[name]
		one := corev1.PodQOSGuaranteed
		switch {
		case !request.Equal(limit):
			return corev1.PodQOSBurstable
		case request.IsZero():
			one = corev1.PodQOSBestEffort
		}
		if all != "" && all != one {
			return corev1.PodQOSBurstable
		}
		all = one
	}
	return all
}
