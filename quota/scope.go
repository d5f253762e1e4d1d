package quota

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Matches tells whether a quota counts an object: it names something that the object may take, and all its scopes hold.
func Matches(q *corev1.ResourceQuota, gr schema.GroupResource, obj runtime.Object) bool {
	tracked := false
	for name := range q.Spec.Hard {
		tracked = tracked || Tracks(gr, name)
	}
	if !tracked {
		return false
	}
	for _, scope := range q.Spec.Scopes {
		if !inScope(corev1.ScopedResourceSelectorRequirement{ScopeName: scope, Operator: corev1.ScopeSelectorOpExists}, obj) {
			return false
		}
	}
	if q.Spec.ScopeSelector != nil {
		for _, s := range q.Spec.ScopeSelector.MatchExpressions {
			if !inScope(s, obj) {
				return false
			}
		}
	}
	return true
}

// inScope: only pods are in any.
func inScope(s corev1.ScopedResourceSelectorRequirement, obj runtime.Object) bool {
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return false
	}
	ends := pod.Spec.ActiveDeadlineSeconds != nil && *pod.Spec.ActiveDeadlineSeconds >= 0
	switch s.ScopeName {
	case corev1.ResourceQuotaScopeTerminating:
		return ends
	case corev1.ResourceQuotaScopeNotTerminating:
		return !ends
	case corev1.ResourceQuotaScopeBestEffort:
		return isBestEffort(pod)
	case corev1.ResourceQuotaScopeNotBestEffort:
		return !isBestEffort(pod)
	case corev1.ResourceQuotaScopePriorityClass:
		return hasPriority(s, pod)
	case corev1.ResourceQuotaScopeCrossNamespacePodAffinity:
		return looksElsewhere(pod)
	}
	return false
}

func hasPriority(s corev1.ScopedResourceSelectorRequirement, pod *corev1.Pod) bool {
	if s.Operator == corev1.ScopeSelectorOpExists {
		return pod.Spec.PriorityClassName != ""
	}
	operator := map[corev1.ScopeSelectorOperator]metav1.LabelSelectorOperator{
		corev1.ScopeSelectorOpIn: metav1.LabelSelectorOpIn, corev1.ScopeSelectorOpNotIn: metav1.LabelSelectorOpNotIn,
		corev1.ScopeSelectorOpDoesNotExist: metav1.LabelSelectorOpDoesNotExist,
	}[s.Operator]
	key := string(s.ScopeName)
	selector, err := metav1.LabelSelectorAsSelector(&metav1.LabelSelector{
		MatchExpressions: []metav1.LabelSelectorRequirement{{Key: key, Operator: operator, Values: s.Values}},
	})
	set := labels.Set{}
	if pod.Spec.PriorityClassName != "" {
		set[key] = pod.Spec.PriorityClassName
	}
	return err == nil && selector.Matches(set)
}

// isBestEffort: no container asks for processor time or memory.
func isBestEffort(pod *corev1.Pod) bool {
	asks := func(r corev1.ResourceRequirements) bool {
		for _, list := range []corev1.ResourceList{r.Requests, r.Limits} {
			for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
				if q, ok := list[name]; ok && q.Sign() > 0 {
					return true
				}
			}
		}
		return false
	}
	if pod.Spec.Resources != nil && asks(*pod.Spec.Resources) {
		return false
	}
	return !slices.ContainsFunc(slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers), func(c corev1.Container) bool { return asks(c.Resources) })
}

// looksElsewhere: the pod's affinity to other pods, or against them, names other namespaces.
func looksElsewhere(pod *corev1.Pod) bool {
	if pod.Spec.Affinity == nil {
		return false
	}
	var terms []corev1.PodAffinityTerm
	add := func(required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm) {
		terms = append(terms, required...)
		for _, p := range preferred {
			terms = append(terms, p.PodAffinityTerm)
		}
	}
	if a := pod.Spec.Affinity.PodAffinity; a != nil {
		add(a.RequiredDuringSchedulingIgnoredDuringExecution, a.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	if a := pod.Spec.Affinity.PodAntiAffinity; a != nil {
		add(a.RequiredDuringSchedulingIgnoredDuringExecution, a.PreferredDuringSchedulingIgnoredDuringExecution)
	}
	return slices.ContainsFunc(terms, func(t corev1.PodAffinityTerm) bool { return len(t.Namespaces) > 0 || t.NamespaceSelector != nil })
}

// Missing says what a pod has to tell and does not: where a quota counts processor time or memory, each container has to
// say how much it takes. It is "" if nothing is missing.
func Missing(names []corev1.ResourceName, pod *corev1.Pod) string {
	if pod.Spec.Resources != nil && len(pod.Spec.Resources.Requests)+len(pod.Spec.Resources.Limits) > 0 {
		return ""
	}
	var parts []string
	for _, name := range slices.Sorted(slices.Values(names)) {
		switch name {
		case corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory,
			corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory:
		default:
			continue
		}
		var silent []string
		for _, c := range slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers) {
			if _, ok := computeUsage(c.Resources.Requests, c.Resources.Limits)[name]; !ok {
				silent = append(silent, c.Name)
			}
		}
		if len(silent) > 0 {
			slices.Sort(silent)
			parts = append(parts, fmt.Sprintf("%s for: %s", name, strings.Join(silent, ",")))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "must specify " + strings.Join(parts, "; ")
}
