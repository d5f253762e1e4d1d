package daemonset

import (
	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// fences are how many nodes may have a second pod while the set rolls out, and how many may be without one, of n.
func (d *daemon) fences(n int) (surge, unavailable int) {
	strategy := d.set.Spec.UpdateStrategy
	if strategy.Type != appsv1.RollingUpdateDaemonSetStrategyType || strategy.RollingUpdate == nil {
		return 0, 0
	}
	// Validation has refused what is no number.
	zero := intstr.FromInt32(0)
	surge, _ = intstr.GetScaledValueFromIntOrPercent(intstr.ValueOrDefault(strategy.RollingUpdate.MaxSurge, zero), n, true)
	unavailable, _ = intstr.GetScaledValueFromIntOrPercent(intstr.ValueOrDefault(strategy.RollingUpdate.MaxUnavailable, zero), n, true)
	if n > 0 && surge == 0 && unavailable == 0 {
		unavailable = 1
	}
	return surge, unavailable
}

// roll is one step of a rolling update: the nodes that get a second pod, and the pods that go.
func (d *daemon) roll() (missing []string, surplus []*v1.Pod) {
	var wanted []*v1.Node
	for _, node := range d.nodes {
		if run, _ := d.suits(node); run {
			wanted = append(wanted, node)
		}
	}
	surge, unavailable := d.fences(len(wanted))
	var candidates []*v1.Pod
	taken := 0
	for _, node := range wanted {
		newPod, oldPod, ok := d.pair(node.Name)
		switch {
		case !ok, oldPod == nil && newPod == nil:
			taken++
		case oldPod == nil:
			if !d.available(newPod) {
				taken++
			}
		case newPod != nil: // surging, or being tidied up
			if surge > 0 && d.available(newPod) {
				surplus = append(surplus, oldPod)
			} else {
				taken++
			}
		case !d.available(oldPod): // nothing is lost by replacing it
			if surge > 0 {
				missing = append(missing, node.Name)
			} else {
				surplus = append(surplus, oldPod)
				taken++
			}
		default:
			candidates = append(candidates, oldPod)
		}
	}
	if surge > 0 {
		for _, pod := range candidates[:max(min(surge-taken, len(candidates)), 0)] {
			missing = append(missing, nodeOf(pod))
		}
		return missing, surplus
	}
	return nil, append(surplus, candidates[:max(min(unavailable-taken, len(candidates)), 0)]...)
}

// pair is the new and the old pod of a node; false if it has more than one of either.
func (d *daemon) pair(node string) (newPod, oldPod *v1.Pod, ok bool) {
	for _, pod := range d.pods[node] {
		if pod.DeletionTimestamp != nil {
			continue
		}
		which := &oldPod
		if d.isNew(pod) {
			which = &newPod
		}
		if *which != nil {
			return nil, nil, false
		}
		*which = pod
	}
	return newPod, oldPod, true
}
