package deployment

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/loop"
)

// status is what the Deployment's status should say, but for its progress.
func (r *rollout) status() appsv1.DeploymentStatus {
	sets := r.all()
	status := appsv1.DeploymentStatus{
		ObservedGeneration:  r.d.Generation,
		Replicas:            sum(sets, actual),
		ReadyReplicas:       sum(sets, ready),
		AvailableReplicas:   sum(sets, available),
		UnavailableReplicas: max(sum(sets, desired)-sum(sets, available), 0),
		TerminatingReplicas: terminating(sets),
		CollisionCount:      r.d.Status.CollisionCount,
		Conditions:          slices.Clone(r.d.Status.Conditions),
	}
	if r.new != nil {
		status.UpdatedReplicas = r.new.Status.Replicas
	}
	if status.AvailableReplicas >= *r.d.Spec.Replicas-maxUnavailable(r.d) {
		setCondition(&status, newCondition(appsv1.DeploymentAvailable, v1.ConditionTrue, "MinimumReplicasAvailable", "Deployment has minimum availability."))
	} else {
		setCondition(&status, newCondition(appsv1.DeploymentAvailable, v1.ConditionFalse, "MinimumReplicasUnavailable", "Deployment does not have minimum availability."))
	}
	return status
}

// terminating is nil as long as one of the sets has not been counted.
func terminating(sets []*appsv1.ReplicaSet) *int32 {
	n := int32(0)
	for _, s := range sets {
		switch {
		case s.Status.TerminatingReplicas != nil:
			n += *s.Status.TerminatingReplicas
		case s.Status.ObservedGeneration != 0:
			return nil
		}
	}
	return &n
}

// writeStatus writes a status that differs.
func (r *rollout) writeStatus(ctx context.Context, status appsv1.DeploymentStatus) error {
	if equality.Semantic.DeepEqual(r.d.Status, status) {
		return nil
	}
	r.d.Status = status
	return r.updateStatus(ctx)
}

// observe notes that the spec was seen, and nothing else.
func (r *rollout) observe(ctx context.Context) error {
	if r.d.Status.ObservedGeneration >= r.d.Generation {
		return nil
	}
	r.d.Status.ObservedGeneration = r.d.Generation
	return r.updateStatus(ctx)
}

// notePause tells that the Deployment was paused or resumed, so that the time between does not count as lack of progress.
func (r *rollout) notePause(ctx context.Context) error {
	if !hasDeadline(r.d) {
		return nil
	}
	c := condition(&r.d.Status, appsv1.DeploymentProgressing)
	if c != nil && c.Reason == timedOut {
		return nil
	}
	switch noted := c != nil && c.Reason == "DeploymentPaused"; {
	case r.d.Spec.Paused == noted:
		return nil
	case noted:
		setCondition(&r.d.Status, progressing(v1.ConditionUnknown, "DeploymentResumed", "Deployment is resumed"))
	default:
		setCondition(&r.d.Status, progressing(v1.ConditionUnknown, "DeploymentPaused", "Deployment is paused"))
	}
	return r.updateStatus(ctx)
}

// writeProgress writes the status of a rollout: whether it is done, gets on, or has not for too long.
func (r *rollout) writeProgress(ctx context.Context) error {
	status, before := r.status(), condition(&r.d.Status, appsv1.DeploymentProgressing)
	what := fmt.Sprintf("Deployment %q", r.d.Name)
	if r.new != nil {
		what = fmt.Sprintf("ReplicaSet %q", r.new.Name)
	}
	done := status.Replicas == status.UpdatedReplicas && before != nil && before.Reason == succeeded
	switch {
	case !hasDeadline(r.d):
		removeCondition(&status, appsv1.DeploymentProgressing)
	case done: // and has been: this is no rollout
	case complete(r.d, &status):
		setCondition(&status, progressing(v1.ConditionTrue, succeeded, what+" has successfully progressed."))
	case progressed(&r.d.Status, &status):
		next := progressing(v1.ConditionTrue, "ReplicaSetUpdated", what+" is progressing.")
		if before != nil && before.Status == v1.ConditionTrue {
			next.LastTransitionTime = before.LastTransitionTime
		}
		removeCondition(&status, appsv1.DeploymentProgressing) // or the time of the last update would stay
		setCondition(&status, next)
	case late(r.d, condition(&status, appsv1.DeploymentProgressing)):
		setCondition(&status, progressing(v1.ConditionFalse, timedOut, what+" has timed out progressing."))
	}
	if failure, ok := r.failure(); ok {
		setCondition(&status, failure)
	} else {
		removeCondition(&status, appsv1.DeploymentReplicaFailure)
	}
	if equality.Semantic.DeepEqual(r.d.Status, status) {
		return r.comeBack(&status)
	}
	return r.writeStatus(ctx, status)
}

// failure is that of the new set, or else of any.
func (r *rollout) failure() (appsv1.DeploymentCondition, bool) {
	sets := r.all()
	slices.Reverse(sets)
	for _, set := range sets {
		for _, c := range set.Status.Conditions {
			if c.Type == appsv1.ReplicaSetReplicaFailure {
				return appsv1.DeploymentCondition{
					Type: appsv1.DeploymentReplicaFailure, Status: c.Status, Reason: c.Reason, Message: c.Message,
					LastTransitionTime: c.LastTransitionTime, LastUpdateTime: c.LastTransitionTime,
				}, true
			}
		}
	}
	return appsv1.DeploymentCondition{}, false
}

// comeBack sees to it that the deadline is noticed when nothing happens until then.
func (r *rollout) comeBack(status *appsv1.DeploymentStatus) error {
	c := condition(&r.d.Status, appsv1.DeploymentProgressing)
	if !hasDeadline(r.d) || c == nil || complete(r.d, status) || c.Reason == timedOut {
		return nil
	}
	wait := time.Until(deadline(r.d, c))
	if wait < time.Second {
		return loop.ErrAgain
	}
	r.loop.AddAfter(cache.MetaObjectToName(r.d), wait+time.Second)
	return nil
}

func deadline(d *appsv1.Deployment, c *appsv1.DeploymentCondition) time.Time {
	return c.LastUpdateTime.Add(time.Duration(*d.Spec.ProgressDeadlineSeconds) * time.Second)
}

func hasDeadline(d *appsv1.Deployment) bool {
	return d.Spec.ProgressDeadlineSeconds != nil && *d.Spec.ProgressDeadlineSeconds != math.MaxInt32
}

// late tells whether there has been no progress for too long.
func late(d *appsv1.Deployment, c *appsv1.DeploymentCondition) bool {
	switch {
	case c == nil, c.Reason == succeeded:
		return false
	case c.Reason == timedOut:
		return true
	}
	return deadline(d, c).Before(time.Now())
}

// complete tells whether all replicas wanted are new and available, and no others are there.
func complete(d *appsv1.Deployment, s *appsv1.DeploymentStatus) bool {
	want := *d.Spec.Replicas
	return s.UpdatedReplicas == want && s.Replicas == want && s.AvailableReplicas == want && s.ObservedGeneration >= d.Generation
}

// progressed tells whether anything has got better.
func progressed(before, now *appsv1.DeploymentStatus) bool {
	return now.UpdatedReplicas > before.UpdatedReplicas ||
		now.Replicas-now.UpdatedReplicas < before.Replicas-before.UpdatedReplicas ||
		now.ReadyReplicas > before.ReadyReplicas ||
		now.AvailableReplicas > before.AvailableReplicas
}

// Reasons of the condition Progressing that decide something.
const (
	timedOut  = "ProgressDeadlineExceeded"
	succeeded = "NewReplicaSetAvailable"
)

func progressing(status v1.ConditionStatus, reason, message string) appsv1.DeploymentCondition {
	return newCondition(appsv1.DeploymentProgressing, status, reason, message)
}

func newCondition(kind appsv1.DeploymentConditionType, status v1.ConditionStatus, reason, message string) appsv1.DeploymentCondition {
	now := metav1.Now()
	return appsv1.DeploymentCondition{Type: kind, Status: status, LastUpdateTime: now, LastTransitionTime: now, Reason: reason, Message: message}
}

func condition(s *appsv1.DeploymentStatus, kind appsv1.DeploymentConditionType) *appsv1.DeploymentCondition {
	for i := range s.Conditions {
		if s.Conditions[i].Type == kind {
			return &s.Conditions[i]
		}
	}
	return nil
}

// setCondition sets a condition unless it is the same in status and reason already.
func setCondition(s *appsv1.DeploymentStatus, next appsv1.DeploymentCondition) {
	if c := condition(s, next.Type); c != nil && c.Status == next.Status {
		if c.Reason == next.Reason {
			return
		}
		next.LastTransitionTime = c.LastTransitionTime
	}
	removeCondition(s, next.Type)
	s.Conditions = append(s.Conditions, next)
}

func removeCondition(s *appsv1.DeploymentStatus, kind appsv1.DeploymentConditionType) {
	s.Conditions = slices.DeleteFunc(slices.Clone(s.Conditions), func(c appsv1.DeploymentCondition) bool { return c.Type == kind })
}
