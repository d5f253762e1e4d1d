package deployment

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"coracle/controllers/workload"
)

// maxSurge is how many pods there may be beyond those wanted while a Deployment rolls out.
func maxSurge(d *appsv1.Deployment) int32 {
	surge, _ := fences(d)
	return surge
}

// maxUnavailable is how many of those wanted may be missing meanwhile.
func maxUnavailable(d *appsv1.Deployment) int32 {
	_, unavailable := fences(d)
	return min(unavailable, *d.Spec.Replicas)
}

// fences are both. If both come to 0, because percentages are rounded, one pod may be missing, or nothing would ever move.
func fences(d *appsv1.Deployment) (surge, unavailable int32) {
	if d.Spec.Strategy.Type != appsv1.RollingUpdateDeploymentStrategyType || d.Spec.Strategy.RollingUpdate == nil {
		return 0, 0
	}
	rolling, n := d.Spec.Strategy.RollingUpdate, int(*d.Spec.Replicas)
	// Validation has refused what is no number.
	s, _ := intstr.GetScaledValueFromIntOrPercent(intstr.ValueOrDefault(rolling.MaxSurge, intstr.FromInt32(0)), n, true)
	u, _ := intstr.GetScaledValueFromIntOrPercent(intstr.ValueOrDefault(rolling.MaxUnavailable, intstr.FromInt32(0)), n, false)
	if s == 0 && u == 0 {
		u = 1
	}
	return int32(s), int32(u)
}

// newReplicas is how many replicas the new set may have now.
func (r *rollout) newReplicas(set *appsv1.ReplicaSet) int32 {
	want, has := *r.d.Spec.Replicas, *set.Spec.Replicas
	if r.d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		return want
	}
	room := want + maxSurge(r.d) - sum(r.all(), desired)
	if room <= 0 {
		return has
	}
	return has + min(room, want-has)
}

// roll goes one step of a rolling update: up with the new set, or down with the old ones.
func (r *rollout) roll(ctx context.Context) error {
	if err := r.syncNew(ctx, true); err != nil || r.new == nil {
		return err
	}
	scaled, err := r.rollUp(ctx)
	if !scaled && err == nil {
		scaled, err = r.rollDown(ctx)
	}
	if err != nil {
		return err
	}
	if !scaled && complete(r.d, &r.d.Status) {
		if err := r.clean(ctx); err != nil {
			return err
		}
	}
	return r.writeProgress(ctx)
}

func (r *rollout) rollUp(ctx context.Context) (scaled bool, err error) {
	want := *r.d.Spec.Replicas
	if *r.new.Spec.Replicas < want {
		want = r.newReplicas(r.new)
	}
	return r.scale(ctx, &r.new, want, false)
}

// rollDown takes replicas from old sets: those that are not available at any rate, as long as the new set's that are
// not either are accounted for; the others as far as enough stay available.
func (r *rollout) rollDown(ctx context.Context) (scaled bool, err error) {
	least := *r.d.Spec.Replicas - maxUnavailable(r.d)
	spare := sum(r.all(), desired) - least - (*r.new.Spec.Replicas - r.new.Status.AvailableReplicas)
	for i, set := range r.old {
		take := min(*set.Spec.Replicas-set.Status.AvailableReplicas, spare)
		if take <= 0 {
			continue
		}
		if _, err := r.scale(ctx, &r.old[i], *set.Spec.Replicas-take, false); err != nil {
			return scaled, err
		}
		spare, scaled = spare-take, true
	}
	if spare <= 0 && !scaled {
		return false, nil
	}
	spare = sum(r.all(), available) - least
	for i, set := range r.old {
		take := min(*set.Spec.Replicas, spare)
		if take <= 0 {
			continue
		}
		if _, err := r.scale(ctx, &r.old[i], *set.Spec.Replicas-take, false); err != nil {
			return scaled, err
		}
		spare, scaled = spare-take, true
	}
	return scaled, nil
}

// recreate goes one step of a rollout that ends all old pods before it makes any new one.
func (r *rollout) recreate(ctx context.Context) error {
	down := false
	for i := range r.old {
		scaled, err := r.scale(ctx, &r.old[i], 0, false)
		if err != nil {
			return err
		}
		down = down || scaled
	}
	if down || r.oldPodsRun() {
		return r.writeProgress(ctx)
	}
	if err := r.syncNew(ctx, true); err != nil || r.new == nil {
		return err
	}
	if _, err := r.scale(ctx, &r.new, *r.d.Spec.Replicas, false); err != nil {
		return err
	}
	if complete(r.d, &r.d.Status) {
		if err := r.clean(ctx); err != nil {
			return err
		}
	}
	return r.writeProgress(ctx)
}

func (r *rollout) oldPodsRun() bool {
	if sum(r.old, actual) > 0 {
		return true
	}
	for _, set := range r.old {
		for _, pod := range r.pods.Owned(set.UID) {
			if !workload.Ended(pod) {
				return true
			}
		}
	}
	return false
}
