package deployment

import (
	"cmp"
	"context"
	"math"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// isScaling tells whether the Deployment wants another number of replicas than when its sets were last scaled.
func (r *rollout) isScaling() bool {
	return slices.ContainsFunc(active(r.all()), func(set *appsv1.ReplicaSet) bool {
		wanted, ok := number(set, desiredAnnotation)
		return ok && wanted != *r.d.Spec.Replicas
	})
}

// resize brings the sets to the Deployment's scale without rolling anything out.
func (r *rollout) resize(ctx context.Context) error {
	if err := r.distribute(ctx); err != nil {
		return err
	}
	if r.d.Spec.Paused {
		if err := r.clean(ctx); err != nil {
			return err
		}
	}
	return r.writeStatus(ctx, r.status())
}

// distribute gives the scale to the one set that wants pods, or to the newest if none does; in the middle of a rollout
// to all, in proportion to what each has.
func (r *rollout) distribute(ctx context.Context) error {
	want := *r.d.Spec.Replicas
	sets := r.sets()
	running := slices.DeleteFunc(slices.Clone(sets), func(s **appsv1.ReplicaSet) bool { return *(*s).Spec.Replicas == 0 })
	switch {
	case len(sets) == 0:
		return nil
	case len(running) < 2:
		one := sets[len(sets)-1]
		if len(running) == 1 {
			one = running[0]
		}
		_, err := r.scale(ctx, one, want, false)
		return err
	case r.saturated():
		for i := range r.old {
			if _, err := r.scale(ctx, &r.old[i], 0, false); err != nil {
				return err
			}
		}
		return nil
	case r.d.Spec.Strategy.Type != appsv1.RollingUpdateDeploymentStrategyType:
		return nil
	}
	allowed := int32(0)
	if want > 0 {
		allowed = want + maxSurge(r.d)
	}
	missing := allowed - sum(r.all(), desired)
	// The largest first; of equal ones the newer when there is something to give, the older when there is to take.
	slices.SortStableFunc(running, func(a, b **appsv1.ReplicaSet) int {
		age := byAge(*a, *b)
		if missing > 0 {
			age = -age
		}
		return cmp.Or(-cmp.Compare(desired(*a), desired(*b)), age)
	})
	given, sizes := int32(0), make([]int32, len(running))
	for i, set := range running {
		share := r.share(*set, missing, given)
		sizes[i], given = desired(*set)+share, given+share
	}
	sizes[0] = max(sizes[0]+missing-given, 0) // what rounding left over
	for i, set := range running {
		if _, err := r.scale(ctx, set, sizes[i], true); err != nil {
			return err
		}
	}
	return nil
}

// sets are where the rollout keeps its sets, the oldest first, the new one last.
func (r *rollout) sets() []**appsv1.ReplicaSet {
	var sets []**appsv1.ReplicaSet
	for i := range r.old {
		sets = append(sets, &r.old[i])
	}
	if r.new != nil {
		sets = append(sets, &r.new)
	}
	return sets
}

// saturated tells whether the new set has all that the Deployment wants.
func (r *rollout) saturated() bool {
	if r.new == nil {
		return false
	}
	want := *r.d.Spec.Replicas
	noted, ok := number(r.new, desiredAnnotation)
	return ok && noted == want && *r.new.Spec.Replicas == want && r.new.Status.AvailableReplicas == want
}

// share is a set's part of so many missing replicas (negative: too many), of which some are given already.
func (r *rollout) share(set *appsv1.ReplicaSet, missing, given int32) int32 {
	if missing == 0 || missing == given {
		return 0
	}
	size := *set.Spec.Replicas
	part := -size
	if want := *r.d.Spec.Replicas; want > 0 {
		before, ok := number(set, maxAnnotation)
		if !ok || before == 0 {
			if before = r.d.Status.Replicas; before == 0 {
				return 0
			}
		}
		now := want + maxSurge(r.d)
		part = int32(math.Round(float64(size)*float64(now)/float64(before))) - size
	}
	if missing > 0 {
		return min(part, missing-given)
	}
	return max(part, missing-given)
}

// scale changes how many replicas a set wants. annotations says to bring these up to date even if that number stays.
func (r *rollout) scale(ctx context.Context, set **appsv1.ReplicaSet, to int32, annotations bool) (scaled bool, err error) {
	from := *(*set).Spec.Replicas
	if from == to && !annotations {
		return false, nil
	}
	next := (*set).DeepCopy()
	next.Spec.Replicas = &to
	if !annotateReplicas(r.d, next) && from == to {
		return false, nil
	}
	updated, err := r.client.AppsV1().ReplicaSets(next.Namespace).Update(ctx, next, metav1.UpdateOptions{})
	if err != nil {
		return false, err
	}
	*set = updated
	if from == to {
		return false, nil
	}
	direction := "up"
	if to < from {
		direction = "down"
	}
	r.events.Normal(r.d, "ScalingReplicaSet", "Scaled %s replica set %s from %d to %d", direction, next.Name, from, to)
	return true, nil
}

// clean deletes the oldest of the old sets that nobody uses, but as many as the Deployment wants to remember.
func (r *rollout) clean(ctx context.Context) error {
	limit := r.d.Spec.RevisionHistoryLimit
	if limit == nil || *limit == math.MaxInt32 {
		return nil
	}
	sets := slices.DeleteFunc(slices.Clone(r.old), func(s *appsv1.ReplicaSet) bool { return s.DeletionTimestamp != nil })
	slices.SortStableFunc(sets, func(a, b *appsv1.ReplicaSet) int {
		return cmp.Or(cmp.Compare(revision(a), revision(b)), byAge(a, b))
	})
	for _, s := range sets[:max(len(sets)-int(*limit), 0)] {
		if s.Status.Replicas != 0 || *s.Spec.Replicas != 0 || s.Generation > s.Status.ObservedGeneration {
			continue
		}
		err := r.client.AppsV1().ReplicaSets(s.Namespace).Delete(ctx, s.Name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}
