package catalog

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Where a pod wants to run, and beside which others.

func validateAffinity(a *corev1.Affinity, path *field.Path) errorList {
	if a == nil {
		return nil
	}
	const required, preferred = "requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"
	var errs errorList
	if n, at := a.NodeAffinity, child(path, "nodeAffinity"); n != nil {
		if n.RequiredDuringSchedulingIgnoredDuringExecution != nil {
			errs = append(errs, validateNodeSelector(n.RequiredDuringSchedulingIgnoredDuringExecution, child(at, required))...)
		}
		for i, t := range n.PreferredDuringSchedulingIgnoredDuringExecution {
			term := nth(child(at, preferred), i)
			errs = append(errs, validateWeight(t.Weight, term)...)
			errs = append(errs, validateNodeTerm(&t.Preference, preferable, child(term, "preference"))...)
		}
	}
	if p, at := a.PodAffinity, child(path, "podAffinity"); p != nil {
		errs = append(errs, validatePodTerms(p.RequiredDuringSchedulingIgnoredDuringExecution, child(at, required))...)
		errs = append(errs, validateWeightedTerms(p.PreferredDuringSchedulingIgnoredDuringExecution, child(at, preferred))...)
	}
	if p, at := a.PodAntiAffinity, child(path, "podAntiAffinity"); p != nil {
		errs = append(errs, validatePodTerms(p.RequiredDuringSchedulingIgnoredDuringExecution, child(at, required))...)
		errs = append(errs, validateWeightedTerms(p.PreferredDuringSchedulingIgnoredDuringExecution, child(at, preferred))...)
	}
	return errs
}

func validateWeight(weight int32, at *field.Path) errorList {
	if weight <= 0 || weight > 100 {
		return errorList{field.Invalid(child(at, "weight"), weight, "must be in the range 1-100")}
	}
	return nil
}

// validateNodeSelector checks which nodes are demanded.
func validateNodeSelector(s *corev1.NodeSelector, at *field.Path) errorList {
	at = child(at, "nodeSelectorTerms")
	if len(s.NodeSelectorTerms) == 0 {
		return errorList{field.Required(at, "must have at least one node selector term")}
	}
	var errs errorList
	for i := range s.NodeSelectorTerms {
		errs = append(errs, validateNodeTerm(&s.NodeSelectorTerms[i], demanded, nth(at, i))...)
	}
	return errs
}

// strength of a wish about nodes: what is only preferred may name values that no label can have.
type strength int

const (
	demanded strength = iota
	preferable
)

func validateNodeTerm(t *corev1.NodeSelectorTerm, how strength, path *field.Path) errorList {
	var errs errorList
	for i := range t.MatchExpressions {
		errs = append(errs, validateNodeExpression(&t.MatchExpressions[i], how, nth(child(path, "matchExpressions"), i))...)
	}
	for i := range t.MatchFields {
		errs = append(errs, validateNodeField(&t.MatchFields[i], nth(child(path, "matchFields"), i))...)
	}
	return errs
}

func validateNodeExpression(r *corev1.NodeSelectorRequirement, how strength, at *field.Path) errorList {
	var errs errorList
	values := child(at, "values")
	switch r.Operator {
	case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
		if len(r.Values) == 0 {
			errs = append(errs, field.Required(values, "must be specified when `operator` is 'In' or 'NotIn'"))
		}
	case corev1.NodeSelectorOpExists, corev1.NodeSelectorOpDoesNotExist:
		if len(r.Values) > 0 {
			errs = append(errs, field.Forbidden(values, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"))
		}
	case corev1.NodeSelectorOpGt, corev1.NodeSelectorOpLt:
		if len(r.Values) != 1 {
			errs = append(errs, field.Required(values, "must be specified single value when `operator` is 'Lt' or 'Gt'"))
		}
	default:
		errs = append(errs, field.Invalid(child(at, "operator"), r.Operator, "not a valid selector operator"))
	}
	errs = append(errs, validateLabelName(r.Key, child(at, "key"))...)
	if how == demanded {
		for i, v := range r.Values {
			errs = append(errs, invalidEach(nth(values, i), v, isLabelValue(v))...)
		}
	}
	return errs
}

// validateNodeField: of a node's fields only its name can be asked for.
func validateNodeField(r *corev1.NodeSelectorRequirement, at *field.Path) errorList {
	var errs errorList
	switch r.Operator {
	case corev1.NodeSelectorOpIn, corev1.NodeSelectorOpNotIn:
		if len(r.Values) != 1 {
			errs = append(errs, field.Required(child(at, "values"), "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"))
		}
	default:
		errs = append(errs, field.Invalid(child(at, "operator"), r.Operator, "not a valid selector operator"))
	}
	if r.Key != metav1.ObjectNameField {
		return append(errs, field.Invalid(child(at, "key"), r.Key, "not a valid field selector key"))
	}
	for i, v := range r.Values {
		errs = append(errs, objectName(nth(child(at, "values"), i), v, apivalidation.NameIsDNSSubdomain)...)
	}
	return errs
}

func validatePodTerms(terms []corev1.PodAffinityTerm, path *field.Path) errorList {
	var errs errorList
	for i := range terms {
		errs = append(errs, validatePodTerm(&terms[i], nth(path, i))...)
	}
	return errs
}

func validateWeightedTerms(terms []corev1.WeightedPodAffinityTerm, path *field.Path) errorList {
	var errs errorList
	for i := range terms {
		errs = append(errs, validateWeight(terms[i].Weight, nth(path, i))...)
		errs = append(errs, validatePodTerm(&terms[i].PodAffinityTerm, child(nth(path, i), "podAffinityTerm"))...)
	}
	return errs
}

func validatePodTerm(t *corev1.PodAffinityTerm, at *field.Path) errorList {
	options := metav1validation.LabelSelectorValidationOptions{}
	errs := metav1validation.ValidateLabelSelector(t.LabelSelector, options, child(at, "labelSelector"))
	errs = append(errs, metav1validation.ValidateLabelSelector(t.NamespaceSelector, options, child(at, "namespaceSelector"))...)
	for _, name := range t.Namespaces {
		errs = append(errs, objectName(child(at, "namespace"), name, apivalidation.ValidateNamespaceName)...)
	}
	errs = append(errs, validateLabelKeys(t.MatchLabelKeys, t.MismatchLabelKeys, t.LabelSelector, at)...)
	if t.TopologyKey == "" {
		errs = append(errs, field.Required(child(at, "topologyKey"), "can not be empty"))
	}
	return append(errs, validateLabelName(t.TopologyKey, child(at, "topologyKey"))...)
}

// validateLabelKeys checks the keys of which the pod's own values are added to a selector.
func validateLabelKeys(match, mismatch []string, s *metav1.LabelSelector, at *field.Path) errorList {
	var errs errorList
	for _, l := range []struct {
		keys []string
		at   *field.Path
	}{{match, child(at, "matchLabelKeys")}, {mismatch, child(at, "mismatchLabelKeys")}} {
		if len(l.keys) > 0 && s == nil {
			errs = append(errs, field.Forbidden(l.at, "must not be specified when labelSelector is not set"))
			continue
		}
		for i, key := range l.keys {
			errs = append(errs, validateLabelName(key, nth(l.at, i))...)
		}
	}
	if s != nil {
		// A key may be in the selector once, which is what it becomes when the values are added.
		selected := map[string]bool{}
		for key := range s.MatchLabels {
			selected[key] = true
		}
		for _, e := range s.MatchExpressions {
			last := -1
			for i, key := range match {
				if key == e.Key {
					last = i
				}
			}
			if last >= 0 && selected[e.Key] {
				errs = append(errs, field.Invalid(nth(at, last), e.Key, "exists in both matchLabelKeys and labelSelector"))
			}
			selected[e.Key] = true
		}
	}
	for i, key := range match {
		if slices.Contains(mismatch, key) {
			errs = append(errs, field.Invalid(nth(child(at, "matchLabelKeys"), i), key, "exists in both matchLabelKeys and mismatchLabelKeys"))
		}
	}
	return errs
}

func validateSpread(constraints []corev1.TopologySpreadConstraint, path *field.Path) errorList {
	var errs errorList
	for i := range constraints {
		c, at := &constraints[i], nth(path, i)
		errs = append(errs, positive(child(at, "maxSkew"), c.MaxSkew)...)
		if c.TopologyKey == "" {
			errs = append(errs, field.Required(child(at, "topologyKey"), "can not be empty"))
		}
		errs = append(errs, oneOf(child(at, "whenUnsatisfiable"), c.WhenUnsatisfiable, corev1.DoNotSchedule, corev1.ScheduleAnyway)...)
		if slices.ContainsFunc(constraints[i+1:], func(o corev1.TopologySpreadConstraint) bool {
			return o.TopologyKey == c.TopologyKey && o.WhenUnsatisfiable == c.WhenUnsatisfiable
		}) {
			errs = append(errs, field.Duplicate(child(at, "{topologyKey, whenUnsatisfiable}"), fmt.Sprintf("{%v, %v}", c.TopologyKey, c.WhenUnsatisfiable)))
		}
		if n := c.MinDomains; n != nil {
			errs = append(errs, positive(child(at, "minDomains"), *n)...)
			if c.WhenUnsatisfiable != corev1.DoNotSchedule {
				errs = append(errs, field.Invalid(child(at, "minDomains"), *n,
					fmt.Sprintf("can only use minDomains if whenUnsatisfiable=%s, not %s", corev1.DoNotSchedule, c.WhenUnsatisfiable)))
			}
		}
		errs = append(errs, knownIfSet(child(at, "nodeAffinityPolicy"), c.NodeAffinityPolicy, corev1.NodeInclusionPolicyHonor, corev1.NodeInclusionPolicyIgnore)...)
		errs = append(errs, knownIfSet(child(at, "nodeTaintsPolicy"), c.NodeTaintsPolicy, corev1.NodeInclusionPolicyHonor, corev1.NodeInclusionPolicyIgnore)...)
		errs = append(errs, validateLabelKeys(c.MatchLabelKeys, nil, c.LabelSelector, at)...)
		errs = append(errs, metav1validation.ValidateLabelSelector(c.LabelSelector, metav1validation.LabelSelectorValidationOptions{}, child(at, "labelSelector"))...)
	}
	return errs
}

func validateTolerations(tolerations []corev1.Toleration, path *field.Path) errorList {
	var errs errorList
	for i, t := range tolerations {
		at := nth(path, i)
		if t.Key != "" {
			errs = append(errs, validateLabelName(t.Key, child(at, "key"))...)
		}
		if t.Key == "" && t.Operator != corev1.TolerationOpExists {
			errs = append(errs, field.Invalid(child(at, "operator"), t.Operator,
				`operator must be Exists when `+"`key`"+` is empty, which means "match all values and all keys"`))
		}
		if t.TolerationSeconds != nil && t.Effect != corev1.TaintEffectNoExecute {
			errs = append(errs, field.Invalid(child(at, "effect"), t.Effect, "effect must be 'NoExecute' when `tolerationSeconds` is set"))
		}
		switch t.Operator {
		case corev1.TolerationOpEqual, "":
			if texts := isLabelValue(t.Value); len(texts) > 0 {
				errs = append(errs, field.Invalid(child(at, "operator"), t.Value, strings.Join(texts, ";")))
			}
		case corev1.TolerationOpExists:
			if t.Value != "" {
				errs = append(errs, field.Invalid(child(at, "operator"), t.Value, "value must be empty when `operator` is 'Exists'"))
			}
		case corev1.TolerationOpLt, corev1.TolerationOpGt: // known, but off by default
			errs = append(errs, field.NotSupported(child(at, "operator"), t.Operator, []corev1.TolerationOperator{
				corev1.TolerationOpEqual, corev1.TolerationOpExists, corev1.TolerationOpLt, corev1.TolerationOpGt,
			}))
		default:
			errs = append(errs, oneOf(child(at, "operator"), t.Operator, corev1.TolerationOpEqual, corev1.TolerationOpExists)...)
		}
		if t.Effect != "" {
			errs = append(errs, validateTaintEffect(t.Effect, child(at, "effect"))...)
		}
	}
	return errs
}

func validateTaintEffect(e corev1.TaintEffect, at *field.Path) errorList {
	return neededOneOf(at, e, corev1.TaintEffectNoSchedule, corev1.TaintEffectPreferNoSchedule, corev1.TaintEffectNoExecute)
}

func validateSchedulingGates(gates []corev1.PodSchedulingGate, path *field.Path) errorList {
	var errs errorList
	seen := map[string]bool{}
	for i, g := range gates {
		errs = append(errs, qualifiedName(nth(path, i), g.Name)...)
		if seen[g.Name] {
			errs = append(errs, field.Duplicate(nth(path, i), g.Name))
		}
		seen[g.Name] = true
	}
	return errs
}
