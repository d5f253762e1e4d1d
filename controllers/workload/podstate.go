package workload

import (
	"time"

	v1 "k8s.io/api/core/v1"
)

// Active tells whether a pod runs or may yet: it has not ended and nobody has asked it to.
func Active(pod *v1.Pod) bool { return !Ended(pod) && pod.DeletionTimestamp == nil }

// Ended tells whether a pod's containers have all ended for good.
func Ended(pod *v1.Pod) bool {
	return pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed
}

// Terminating tells whether a pod has been asked to end and has not yet.
func Terminating(pod *v1.Pod) bool { return !Ended(pod) && pod.DeletionTimestamp != nil }

// ReadySince is when a pod became ready; false if it is not.
func ReadySince(pod *v1.Pod) (time.Time, bool) {
	for _, c := range pod.Status.Conditions {
		if c.Type == v1.PodReady {
			return c.LastTransitionTime.Time, c.Status == v1.ConditionTrue
		}
	}
	return time.Time{}, false
}

// Ready tells whether a pod is ready to serve.
func Ready(pod *v1.Pod) bool {
	_, ready := ReadySince(pod)
	return ready
}

// Available tells whether a pod has been ready for so many seconds. If it is ready but not for long enough, in says
// when it will have been.
func Available(pod *v1.Pod, minReadySeconds int32, now time.Time) (available bool, in time.Duration) {
	since, ready := ReadySince(pod)
	if !ready {
		return false, 0
	}
	wait := since.Add(time.Duration(minReadySeconds) * time.Second).Sub(now)
	if minReadySeconds == 0 || !since.IsZero() && wait <= 0 {
		return true, 0
	}
	return false, wait
}
