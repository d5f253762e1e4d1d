package scheduler

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	corev1helpers "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"
)

// The reasons are upstream's, word for word: people search for them.
const (
	unschedulable = "node(s) were unschedulable"
	otherName     = "node(s) didn't match the requested node name"
	tainted       = "node(s) had untolerated taint(s)"
	otherAffinity = "node(s) didn't match Pod's node affinity/selector"
	portsTaken    = "node(s) didn't have free ports for the requested pod ports"
	tooManyPods   = "Too many pods"
)

// refusal is why one node cannot take a pod; with no reasons it can.
type refusal struct {
	reasons []string
	// final: it could not even if no other pod were there.
	final bool
}

// filter asks one question after the other, in upstream's order; the first that a node fails is its reason.
func (c *Controller) filter(want demand, node *v1.Node) refusal {
	pod := want.pod
	switch {
	case node.Spec.Unschedulable && !tolerates(pod, v1.Taint{Key: v1.TaintNodeUnschedulable, Effect: v1.TaintEffectNoSchedule}):
		return refusal{[]string{unschedulable}, true}
	case pod.Spec.NodeName != "" && pod.Spec.NodeName != node.Name:
		return refusal{[]string{otherName}, true}
	case hasUntoleratedTaint(pod, node):
		return refusal{[]string{tainted}, true}
	case !matchesAffinity(pod, node):
		return refusal{[]string{otherAffinity}, true}
	}
	var r refusal
	c.ledger.view(node.Name, func(taken *account) {
		if taken.conflicts(want.ports) {
			r = refusal{[]string{portsTaken}, false}
			return
		}
		r = taken.fit(want.requests, amountsOf(node.Status.Allocatable))
	})
	return r
}

// tolerates reports whether pod tolerates taint. Comparison operators in tolerations (KEP-5471) are off by default.
func tolerates(pod *v1.Pod, taint v1.Taint) bool {
	return corev1helpers.TolerationsTolerateTaint(klog.Background(), pod.Spec.Tolerations, &taint, false)
}

func hasUntoleratedTaint(pod *v1.Pod, node *v1.Node) bool {
	return slices.ContainsFunc(node.Spec.Taints, func(taint v1.Taint) bool {
		return (taint.Effect == v1.TaintEffectNoSchedule || taint.Effect == v1.TaintEffectNoExecute) && !tolerates(pod, taint)
	})
}

// matchesAffinity: both the pod's nodeSelector and its required node affinity have to match. A term that cannot be
// parsed matches nothing.
func matchesAffinity(pod *v1.Pod, node *v1.Node) bool {
	matches, err := nodeaffinity.GetRequiredNodeAffinity(pod).Match(node)
	return matches && err == nil
}

func (a *account) conflicts(ports []hostPort) bool {
	if len(ports) == 0 {
		return false
	}
	for _, other := range a.pods {
		for _, taken := range other.ports {
			if slices.ContainsFunc(ports, taken.conflicts) {
				return true
			}
		}
	}
	return false
}

// fit compares what is wanted with what is left. All that is missing is told, not only the first.
func (a *account) fit(want, allocatable amounts) refusal {
	var r refusal
	if int64(len(a.pods))+1 > allocatable[v1.ResourcePods] {
		r.reasons = append(r.reasons, tooManyPods)
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		n := want[name]
		if n == 0 || n <= allocatable[name]-a.requests[name] {
			continue
		}
		r.reasons = append(r.reasons, fmt.Sprintf("Insufficient %v", name))
		r.final = r.final || n > allocatable[name]
	}
	return r
}

// explain says why no node can take pod, as upstream says it. The second sentence is about preemption, which this
// scheduler does not do; of the nodes that are only full it says truly that no victims were found.
func explain(pod *v1.Pod, refusals []refusal) string {
	if len(refusals) == 0 {
		return "no nodes available to schedule pods"
	}
	reasons, preemption := map[string]int{}, map[string]int{}
	for _, r := range refusals {
		for _, reason := range r.reasons {
			reasons[reason]++
		}
		if r.final {
			preemption["Preemption is not helpful for scheduling"]++
		} else {
			preemption["No preemption victims found for incoming pod"]++
		}
	}
	first := available(len(refusals), reasons)
	if pod.Spec.PreemptionPolicy != nil && *pod.Spec.PreemptionPolicy == v1.PreemptNever {
		return first + " preemption: not eligible due to preemptionPolicy=Never."
	}
	return first + " preemption: " + available(len(refusals), preemption)
}

func available(nodes int, reasons map[string]int) string {
	var counts []string
	for reason, n := range reasons {
		counts = append(counts, fmt.Sprintf("%d %s", n, reason))
	}
	slices.Sort(counts)
	return fmt.Sprintf("0/%d nodes are available: %s.", nodes, strings.Join(counts, ", "))
}
