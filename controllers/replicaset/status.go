package replicaset

import (
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"coracle/controllers/workload"
)

// newStatus is what the set's status should say. wait is when the next of its pods will have been ready for long enough,
// 0 if none is waiting for that.
func newStatus(set *appsv1.ReplicaSet, active, terminating []*v1.Pod, managing error, now time.Time) (status appsv1.ReplicaSetStatus, wait time.Duration) {
	status = appsv1.ReplicaSetStatus{
		Replicas:            int32(len(active)),
		TerminatingReplicas: new(int32(len(terminating))),
		ObservedGeneration:  set.Generation,
		Conditions:          conditions(set, len(active), managing, now),
	}
	template := labels.SelectorFromSet(set.Spec.Template.Labels)
	for _, pod := range active {
		if template.Matches(labels.Set(pod.Labels)) {
			status.FullyLabeledReplicas++
		}
		if workload.Ready(pod) {
			status.ReadyReplicas++
		}
		available, in := workload.Available(pod, set.Spec.MinReadySeconds, now)
		if available {
			status.AvailableReplicas++
		} else if in > 0 && (wait == 0 || in < wait) {
			wait = in
		}
	}
	return status, wait
}

// conditions tell of a failure to make or delete pods, and only of that.
func conditions(set *appsv1.ReplicaSet, active int, managing error, now time.Time) []appsv1.ReplicaSetCondition {
	isFailure := func(c appsv1.ReplicaSetCondition) bool { return c.Type == appsv1.ReplicaSetReplicaFailure }
	switch told := slices.ContainsFunc(set.Status.Conditions, isFailure); {
	case managing == nil && told:
		return slices.DeleteFunc(slices.Clone(set.Status.Conditions), isFailure)
	case managing == nil || told:
		return set.Status.Conditions
	}
	failure := appsv1.ReplicaSetCondition{
		Type: appsv1.ReplicaSetReplicaFailure, Status: v1.ConditionTrue, Reason: "FailedCreate",
		LastTransitionTime: metav1.NewTime(now), Message: managing.Error(),
	}
	if active > int(*set.Spec.Replicas) {
		failure.Reason = "FailedDelete"
	}
	return append(slices.Clone(set.Status.Conditions), failure)
}
