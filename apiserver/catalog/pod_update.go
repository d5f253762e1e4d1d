package catalog

import (
	"fmt"
	"math"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/diff"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"coracle/apiserver/part"
)

// updatable is what Kubernetes says can be changed of a pod that exists. Its service account cannot: else whoever may
// update pods could have the token of any account of the namespace put into one.
const updatable = "`spec.containers[*].image`," +
	"`spec.initContainers[*].image`," +
	"`spec.activeDeadlineSeconds`," +
	"`spec.tolerations` (only additions to existing tolerations)," +
	"`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"

// validatePodUpdate checks a pod's new state by itself and against the old one.
func validatePodUpdate(p, old *corev1.Pod, root *field.Path) errorList {
	spec := child(root, "spec")
	errs := validateAnyPod(p, root)
	errs = append(errs, validatePodAnnotationChange(p, old, child(root, "metadata", "annotations"))...)
	containerErrs, comparable := validateImageChange(p.Spec.Containers, old.Spec.Containers, child(spec, "containers"))
	errs = append(errs, containerErrs...)
	if !comparable {
		return errs
	}
	containerErrs, comparable = validateImageChange(p.Spec.InitContainers, old.Spec.InitContainers, child(spec, "initContainers"))
	errs = append(errs, containerErrs...)
	if !comparable {
		return errs
	}
	switch now, was, at := p.Spec.ActiveDeadlineSeconds, old.Spec.ActiveDeadlineSeconds, child(spec, "activeDeadlineSeconds"); {
	case now == nil && was != nil:
		errs = append(errs, field.Invalid(at, now, "must not update from a positive integer to nil value"))
	case now != nil && (*now < 0 || *now > math.MaxInt32):
		return append(errs, field.Invalid(at, *now, validation.InclusiveRangeError(0, math.MaxInt32)))
	case now != nil && was != nil && *was < *now:
		return append(errs, field.Invalid(at, *now, "must be less than or equal to previous value"))
	}
	errs = append(errs, validateTolerationChange(p.Spec.Tolerations, old.Spec.Tolerations, child(spec, "tolerations"))...)
	errs = append(errs, validateGateChange(p.Spec.SchedulingGates, old.Spec.SchedulingGates, child(spec, "schedulingGates"))...)
	if part.Equal(&p.Spec, &old.Spec) {
		return errs
	}
	rest, restErrs := withoutUpdates(p, old, root)
	errs = append(errs, restErrs...)
	if !part.Equal(rest, &old.Spec) && !equality.Semantic.DeepEqual(*rest, old.Spec) {
		errs = append(errs, field.Forbidden(spec, fmt.Sprintf("pod updates may not change fields other than %s\n%v",
			updatable, diff.Diff(internalForm(old.Spec), internalForm(rest)))))
	}
	return errs
}

// validateImageChange checks the containers' images, and tells whether old and new containers correspond.
func validateImageChange(now, was []corev1.Container, path *field.Path) (errs errorList, comparable bool) {
	if len(now) != len(was) {
		return errorList{field.Forbidden(path, "pod updates may not add or remove containers")}, false
	}
	for i := range now {
		errs = append(errs, needed(child(nth(path, i), "image"), now[i].Image)...)
		errs = append(errs, imagePadding(&now[i], nth(path, i))...)
	}
	return errs, true
}

// withoutUpdates is a pod's new spec with all undone that may be updated, and what is wrong with changes that may be
// made while the pod is not scheduled yet.
func withoutUpdates(p, old *corev1.Pod, root *field.Path) (*corev1.PodSpec, errorList) {
	s, was := new(p.Spec), &old.Spec // which share what is not replaced here
	s.Containers = withImages(s.Containers, was.Containers)
	s.InitContainers = withImages(s.InitContainers, was.InitContainers)
	s.ActiveDeadlineSeconds, s.SchedulingGates, s.Tolerations = was.ActiveDeadlineSeconds, was.SchedulingGates, was.Tolerations
	if g := was.TerminationGracePeriodSeconds; g != nil && *g < 0 && value(s.TerminationGracePeriodSeconds) == 1 {
		s.TerminationGracePeriodSeconds = g
	}
	if len(was.SchedulingGates) == 0 {
		return s, nil
	}
	var errs errorList
	spec := child(root, "spec")
	if !equality.Semantic.DeepEqual(s.NodeSelector, was.NodeSelector) {
		for k, v := range sorted(was.NodeSelector).each {
			if now, ok := s.NodeSelector[k]; !ok || now != v {
				errs = append(errs, field.Invalid(child(spec, "nodeSelector"), s.NodeSelector,
					"only additions to spec.nodeSelector are allowed (no mutations or deletions)"))
			}
		}
		s.NodeSelector = was.NodeSelector
	}
	var now, before *corev1.NodeAffinity
	if s.Affinity != nil {
		now = s.Affinity.NodeAffinity
	}
	if was.Affinity != nil {
		before = was.Affinity.NodeAffinity
	}
	if equality.Semantic.DeepEqual(now, before) {
		return s, errs
	}
	errs = append(errs, validateNodeAffinityChange(now, before, child(spec, "affinity", "nodeAffinity"))...)
	switch {
	case s.Affinity == nil:
		s.Affinity = &corev1.Affinity{NodeAffinity: before}
	case was.Affinity == nil && s.Affinity.PodAntiAffinity == nil && s.Affinity.PodAffinity == nil:
		s.Affinity = nil
	default:
		affinity := *s.Affinity
		affinity.NodeAffinity = before
		s.Affinity = &affinity
	}
	return s, errs
}

func withImages(now, was []corev1.Container) []corev1.Container {
	if len(now) == 0 {
		return nil
	}
	now = slices.Clone(now)
	for i := range now {
		now[i].Image = was[i].Image
	}
	return now
}

// validateTolerationChange: a pod may come to tolerate more, not less.
func validateTolerationChange(now, was []corev1.Toleration, at *field.Path) errorList {
	var errs errorList
	for _, t := range was {
		found := false
		for _, n := range now {
			t.TolerationSeconds = n.TolerationSeconds
			found = found || part.Equal(&t, &n)
		}
		if !found {
			errs = append(errs, field.Forbidden(at, "existing toleration can not be modified except its tolerationSeconds"))
		}
	}
	return append(errs, validateTolerations(now, at)...)
}

func validateGateChange(now, was []corev1.PodSchedulingGate, path *field.Path) errorList {
	added := map[string]int{}
	for i, g := range now {
		added[g.Name] = i
	}
	for _, g := range was {
		delete(added, g.Name)
	}
	var errs errorList
	for name, i := range sorted(added).each {
		errs = append(errs, field.Forbidden(child(nth(path, i), "name"), fmt.Sprintf("only deletion is allowed, but found new scheduling gate '%s'", name)))
	}
	return errs
}

// validateNodeAffinityChange: what is demanded of nodes can only be narrowed.
func validateNodeAffinityChange(now, was *corev1.NodeAffinity, path *field.Path) errorList {
	if was == nil || was.RequiredDuringSchedulingIgnoredDuringExecution == nil {
		return nil
	}
	oldTerms := was.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	var terms []corev1.NodeSelectorTerm
	if now != nil && now.RequiredDuringSchedulingIgnoredDuringExecution != nil {
		terms = now.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms
	}
	at := child(path, "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms")
	if len(oldTerms) > 0 && len(oldTerms) != len(terms) {
		return errorList{field.Invalid(at, internalForm(terms), "no additions/deletions to non-empty NodeSelectorTerms list are allowed")}
	}
	var errs errorList
	for i, t := range oldTerms {
		narrowed := startsWith(terms[i].MatchExpressions, t.MatchExpressions) && startsWith(terms[i].MatchFields, t.MatchFields)
		matchedNothing := len(t.MatchExpressions) == 0 && len(t.MatchFields) == 0
		if !narrowed || matchedNothing && len(terms[i].MatchExpressions)+len(terms[i].MatchFields) > 0 {
			errs = append(errs, field.Invalid(nth(at, i), internalForm(terms[i]), "only additions are allowed (no mutations or deletions)"))
		}
	}
	return errs
}

func startsWith(now, was []corev1.NodeSelectorRequirement) bool {
	return len(now) >= len(was) && equality.Semantic.DeepEqual(now[:len(was)], was)
}

// prepareEphemeral lets an update through pods/ephemeralcontainers change nothing else.
func prepareEphemeral(p, old *corev1.Pod) {
	added := p.Spec.EphemeralContainers
	keepMetadata(p, old)
	kept := old.DeepCopy()
	p.Spec, p.Status = kept.Spec, kept.Status
	p.Spec.EphemeralContainers = added
}

// validateEphemeralChange: ephemeral containers can be added, and stay as they are.
func validateEphemeralChange(p, old *corev1.Pod, root *field.Path) errorList {
	if _, ok := old.Annotations[mirrorPod]; ok {
		return errorList{field.Forbidden(child(root, ""), "static pods do not support ephemeral containers")}
	}
	errs := validateAnyPod(p, root)
	errs = append(errs, validatePodAnnotationChange(p, old, child(root, "metadata", "annotations"))...)
	now := map[string]*corev1.EphemeralContainer{}
	for i := range p.Spec.EphemeralContainers {
		now[p.Spec.EphemeralContainers[i].Name] = &p.Spec.EphemeralContainers[i]
	}
	at := child(root, "spec", "ephemeralContainers")
	for _, c := range old.Spec.EphemeralContainers {
		switch n := now[c.Name]; {
		case n == nil:
			errs = append(errs, field.Forbidden(at, fmt.Sprintf("existing ephemeral containers %q may not be removed\n", c.Name)))
		case !equality.Semantic.DeepEqual(c, *n):
			errs = append(errs, field.Forbidden(at, fmt.Sprintf("existing ephemeral containers %q may not be changed\n%v",
				c.Name, diff.Diff(internalForm(c), internalForm(n)))))
		}
	}
	return errs
}
