package scheduler

import (
	"cmp"
	"slices"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
)

// How much each opinion counts, as upstream's default profile weighs them. An opinion is between 0 and full.
const (
	full           = 100
	taintWeight    = 3
	affinityWeight = 2
	resourceWeight = 1
)

// best returns the node of the highest score; of several, the first by name, so that the choice can be foretold.
func (c *Controller) best(want demand, nodes []*v1.Node) string {
	taints := make([]int64, len(nodes))
	preferences := make([]int64, len(nodes))
	terms := preferredTerms(want.pod)
	for i, node := range nodes {
		taints[i] = avoided(want.pod, node)
		if terms != nil {
			preferences[i] = terms.Score(node)
		}
	}
	mostTaints, mostPreferred := slices.Max(taints), slices.Max(preferences)

	type candidate struct {
		name  string
		score int64
	}
	candidates := make([]candidate, len(nodes))
	for i, node := range nodes {
		score := resourceWeight * c.free(want, node)
		if mostTaints > 0 {
			score += taintWeight * full * (mostTaints - taints[i]) / mostTaints
		} else {
			score += taintWeight * full
		}
		if mostPreferred > 0 {
			score += affinityWeight * full * preferences[i] / mostPreferred
		}
		candidates[i] = candidate{node.Name, score}
	}
	return slices.MinFunc(candidates, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.name, b.name))
	}).name
}

// free is how much of a node's cpu and memory would be left with the pod on it (least allocated).
func (c *Controller) free(want demand, node *v1.Node) int64 {
	allocatable := amountsOf(node.Status.Allocatable)
	var sum, n int64
	c.ledger.view(node.Name, func(taken *account) {
		for _, name := range []v1.ResourceName{v1.ResourceCPU, v1.ResourceMemory} {
			capacity := allocatable[name]
			if capacity == 0 {
				continue
			}
			n++
			sum += max(0, capacity-taken.weight[name]-want.weight[name]) * full / capacity
		}
	})
	if n == 0 {
		return 0
	}
	return sum / n
}

// avoided counts the taints that would rather not have the pod.
func avoided(pod *v1.Pod, node *v1.Node) (n int64) {
	for _, taint := range node.Spec.Taints {
		if taint.Effect == v1.TaintEffectPreferNoSchedule && !tolerates(pod, taint) {
			n++
		}
	}
	return n
}

func preferredTerms(pod *v1.Pod) *nodeaffinity.PreferredSchedulingTerms {
	if pod.Spec.Affinity == nil || pod.Spec.Affinity.NodeAffinity == nil {
		return nil
	}
	terms, err := nodeaffinity.NewPreferredSchedulingTerms(pod.Spec.Affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution)
	if err != nil {
		return nil // a preference that cannot be parsed is none
	}
	return terms
}

func milli(n int64) *resource.Quantity { return resource.NewMilliQuantity(n, resource.DecimalSI) }
func bytes(n int64) *resource.Quantity { return resource.NewQuantity(n, resource.BinarySI) }
