package statefulset

import (
	"cmp"
	"context"
	"slices"
	"sync/atomic"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/revision"
	"coracle/controllers/workload"
)

// step is one set at one moment, and what is done next.
type step struct {
	*Controller
	set             *appsv1.StatefulSet // to be changed
	old             *appsv1.StatefulSetStatus
	current, update *appsv1.ControllerRevision
	replicas        []*v1.Pod // by ordinal, from the first; nil where there is none
	condemned       []*v1.Pod // the highest ordinal first
	now             time.Time
	deletedCurrent  atomic.Int32 // pods of the current revision that were deleted in this step, some at the same time
}

// newStep returns nil if there is nothing to be done any more.
func (c *Controller) newStep(ctx context.Context, set *appsv1.StatefulSet, pods []*v1.Pod, revisions []*appsv1.ControllerRevision) (*step, error) {
	s := &step{Controller: c, set: set, old: set.Status.DeepCopy(), now: time.Now()}
	var err error
	if s.update, err = c.newest(ctx, set, revisions); err != nil || s.update == nil {
		return nil, err
	}
	s.current = s.update
	for _, r := range revisions {
		if r.Name == set.Status.CurrentRevision {
			s.current = r
		}
	}
	s.replicas = make([]*v1.Pod, *set.Spec.Replicas)
	for _, pod := range pods {
		ordinal, ok := ordinalOf(set, pod)
		if !ok {
			continue
		}
		if i := ordinal - first(set); i >= 0 && i < len(s.replicas) {
			s.replicas[i] = pod
		} else {
			s.condemned = append(s.condemned, pod)
		}
	}
	slices.SortFunc(s.condemned, func(a, b *v1.Pod) int {
		ordinalA, _ := ordinalOf(set, a)
		ordinalB, _ := ordinalOf(set, b)
		return -cmp.Compare(ordinalA, ordinalB)
	})
	return s, nil
}

func (s *step) ordered() bool { return s.set.Spec.PodManagementPolicy != appsv1.ParallelPodManagement }

// available tells whether a pod serves and has for long enough. The key comes back when it will have.
func (s *step) available(pod *v1.Pod) bool {
	if pod == nil {
		return false
	}
	ok, in := workload.Available(pod, s.set.Spec.MinReadySeconds, s.now)
	if in > 0 {
		s.loop.AddAfter(cache.MetaObjectToName(s.set), in)
	}
	return ok
}

func (s *step) unavailable(pod *v1.Pod) bool {
	return !s.available(pod) || pod.DeletionTimestamp != nil
}

// run makes the pods that are missing, then deletes those that are not wanted, then replaces those of an old revision;
// an ordered set does one thing at a time.
func (s *step) run(ctx context.Context) error {
	if s.set.DeletionTimestamp != nil {
		return nil
	}
	wait, err := s.forAll(len(s.replicas), func(i int) (bool, error) { return s.replica(ctx, i) })
	if wait || err != nil {
		return err
	}
	unhealthy := s.firstUnhealthy()
	wait, err = s.forAll(len(s.condemned), func(i int) (bool, error) { return s.condemn(ctx, s.condemned[i], unhealthy) })
	if wait || err != nil || s.set.Spec.UpdateStrategy.Type != appsv1.RollingUpdateStatefulSetStrategyType {
		return err
	}
	return s.roll(ctx)
}

// forAll goes through pods: in order and until one is to be waited for, or through all of them.
func (s *step) forAll(n int, do func(i int) (wait bool, err error)) (wait bool, err error) {
	if !s.ordered() {
		return false, workload.InBatches(n, func(i int) error {
			_, err := do(i)
			return err
		})
	}
	for i := range n {
		if wait, err := do(i); wait || err != nil {
			return true, err
		}
	}
	return false, nil
}

// replica brings one replica nearer to what it should be and tells whether it is to be waited for.
func (s *step) replica(ctx context.Context, i int) (wait bool, err error) {
	pod := s.replicas[i]
	switch {
	case pod == nil:
		return true, s.create(ctx, first(s.set)+i)
	case workload.Ended(pod):
		if pod.DeletionTimestamp != nil {
			return true, nil
		}
		return true, s.pods.Delete(ctx, s.set, pod)
	case pod.Status.Phase == v1.PodPending:
		if err := s.makeClaims(ctx, pod); err != nil {
			return true, err
		}
	}
	if err := s.ownClaims(ctx, pod, false); err != nil {
		return true, err
	}
	if s.ordered() && s.unavailable(pod) {
		return true, nil
	}
	return false, s.mendIdentity(ctx, pod)
}

// firstUnhealthy is the pod with the lowest ordinal that does not serve.
func (s *step) firstUnhealthy() *v1.Pod {
	for _, pod := range s.replicas {
		if pod != nil && s.unavailable(pod) {
			return pod
		}
	}
	for _, pod := range slices.Backward(s.condemned) {
		if s.unavailable(pod) {
			return pod
		}
	}
	return nil
}

// condemn deletes a pod that is not wanted, unless another has to become healthy first.
func (s *step) condemn(ctx context.Context, pod, unhealthy *v1.Pod) (wait bool, err error) {
	if err := s.ownClaims(ctx, pod, true); err != nil {
		return true, err
	}
	switch {
	case pod.DeletionTimestamp != nil:
		return true, nil
	case s.ordered() && pod != unhealthy && !s.available(pod):
		return true, nil
	}
	return true, s.delete(ctx, pod)
}

// delete deletes a pod and takes note if it was of the current revision.
func (s *step) delete(ctx context.Context, pod *v1.Pod) error {
	if err := s.pods.Delete(ctx, s.set, pod); err != nil {
		return err
	}
	if revisionOf(pod) == s.current.Name {
		s.deletedCurrent.Add(1)
	}
	return nil
}

// roll deletes pods of another revision than the newest, the highest ordinals first, as long as enough serve. Those
// below the partition stay.
func (s *step) roll(ctx context.Context) error {
	partition, limit := 0, intstr.FromInt32(1)
	if r := s.set.Spec.UpdateStrategy.RollingUpdate; r != nil {
		if r.Partition != nil {
			partition = int(*r.Partition)
		}
		limit = *intstr.ValueOrDefault(r.MaxUnavailable, limit)
	}
	// Validation has refused what is no number.
	budget, _ := intstr.GetScaledValueFromIntOrPercent(&limit, len(s.replicas), false)
	budget = max(budget, 1)
	for _, pod := range s.replicas {
		if s.unavailable(pod) {
			budget--
		}
	}
	for i := len(s.replicas) - 1; i >= partition; i-- {
		pod := s.replicas[i]
		if pod == nil || revisionOf(pod) == s.update.Name || pod.DeletionTimestamp != nil {
			continue
		}
		// In a parallel set one that does not serve may go at once: nothing is lost.
		if broken := !s.ordered() && !s.available(pod); !broken {
			if budget <= 0 {
				continue
			}
			budget--
		}
		if err := s.delete(ctx, pod); err != nil {
			return err
		}
	}
	return nil
}

// create makes the pod with that ordinal, and its claims before it.
func (s *step) create(ctx context.Context, ordinal int) error {
	r := s.revisionFor(ordinal)
	template, err := revision.Template(r)
	if err != nil {
		return err
	}
	pod := workload.FromTemplate(template, metav1.NewControllerRef(s.set, kind()))
	identify(s.set, pod, ordinal)
	pod.Labels[appsv1.StatefulSetRevisionLabel] = r.Name
	useClaims(s.set, pod, ordinal)
	if err := s.makeClaims(ctx, pod); err != nil {
		return err
	}
	return s.pods.Create(ctx, s.set, pod)
}

// revisionFor is the revision of a pod that is made anew: below the partition, and as far as the update has not come, that
// is the current one.
func (s *step) revisionFor(ordinal int) *appsv1.ControllerRevision {
	strategy := s.set.Spec.UpdateStrategy
	if strategy.Type != appsv1.RollingUpdateStatefulSetStrategyType {
		return s.update
	}
	if r := strategy.RollingUpdate; r != nil && r.Partition != nil {
		if ordinal < first(s.set)+int(*r.Partition) {
			return s.current
		}
		return s.update
	}
	if ordinal < first(s.set)+int(s.old.CurrentReplicas) {
		return s.current
	}
	return s.update
}

// uses tells whether a revision is needed still.
func (s *step) uses(r *appsv1.ControllerRevision) bool {
	return r.Name == s.current.Name || r.Name == s.update.Name ||
		slices.ContainsFunc(slices.Concat(s.replicas, s.condemned), func(pod *v1.Pod) bool { return pod != nil && revisionOf(pod) == r.Name })
}

// writeStatus counts, and makes the newest revision the current one when all pods have it.
func (s *step) writeStatus(ctx context.Context) error {
	next := appsv1.StatefulSetStatus{
		ObservedGeneration: s.set.Generation,
		CurrentRevision:    s.current.Name,
		UpdateRevision:     s.update.Name,
		CollisionCount:     s.set.Status.CollisionCount,
		Conditions:         s.old.Conditions,
		CurrentReplicas:    -s.deletedCurrent.Load(),
	}
	if next.CollisionCount == nil {
		next.CollisionCount = new(int32)
	}
	for _, pod := range slices.Concat(s.replicas, s.condemned) {
		if pod == nil {
			continue
		}
		next.Replicas++
		if pod.Status.Phase == v1.PodRunning && workload.Ready(pod) {
			next.ReadyReplicas++
			if s.available(pod) {
				next.AvailableReplicas++
			}
		}
		if pod.DeletionTimestamp == nil {
			if revisionOf(pod) == s.current.Name {
				next.CurrentReplicas++
			}
			if revisionOf(pod) == s.update.Name {
				next.UpdatedReplicas++
			}
		}
	}
	next.CurrentReplicas = max(next.CurrentReplicas, 0)
	if want := *s.set.Spec.Replicas; next.UpdatedReplicas == want && next.ReadyReplicas == want && next.Replicas == want {
		next.CurrentReplicas, next.CurrentRevision = next.UpdatedReplicas, next.UpdateRevision
	}
	if equality.Semantic.DeepEqual(*s.old, next) {
		return nil
	}
	s.set.Status = next
	updated, err := s.client.AppsV1().StatefulSets(s.set.Namespace).UpdateStatus(ctx, s.set, metav1.UpdateOptions{})
	if err != nil {
		return err
	}
	s.written.Note(updated.UID, updated.ResourceVersion)
	return nil
}
