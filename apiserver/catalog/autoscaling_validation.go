package catalog

import (
	"errors"
	"fmt"
	"slices"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Source of the sentences and limits: k8s.io/kubernetes/pkg/apis/autoscaling/validation.

// validateHPA checks an autoscaler; old is nil at creation.
func validateHPA(h, old *hpaV2, root *field.Path) errorList {
	s, path := &h.Spec, child(root, "spec")
	var errs errorList
	if n := s.MinReplicas; n != nil && *n < 0 {
		errs = append(errs, declared(field.Invalid(child(path, "minReplicas"), *n, "must be greater than or equal to 0"))...)
	}
	switch {
	case s.MaxReplicas == 0:
		errs = append(errs, required(child(path, "maxReplicas"), true)...)
	case s.MaxReplicas < 0:
		errs = append(errs, declared(field.Invalid(child(path, "maxReplicas"), s.MaxReplicas, "must be greater than or equal to 1"))...)
	}
	if s.MinReplicas != nil && s.MaxReplicas < *s.MinReplicas {
		errs = append(errs, field.Invalid(child(path, "maxReplicas"), s.MaxReplicas, "must be greater than or equal to `minReplicas`"))
	}
	version := refVersion{needsGroup: s.ScaleTargetRef.Kind != "ReplicationController"}
	if old != nil && old.Spec.ScaleTargetRef.APIVersion == s.ScaleTargetRef.APIVersion && old.Spec.ScaleTargetRef.Kind == s.ScaleTargetRef.Kind {
		version.any = true
	}
	errs = append(errs, validateRef(s.ScaleTargetRef, version, child(path, "scaleTargetRef"))...)
	errs = append(errs, validateMetrics(s, refVersion{any: hadBadRef(old)}, child(path, "metrics"))...)
	if s.Behavior != nil {
		errs = append(errs, validateScalingRules(s.Behavior.ScaleUp, child(path, "behavior", "scaleUp"))...)
		errs = append(errs, validateScalingRules(s.Behavior.ScaleDown, child(path, "behavior", "scaleDown"))...)
	}
	return errs
}

// refVersion says which apiVersions a reference may have.
type refVersion struct {
	any        bool // it was there before it was checked
	needsGroup bool
}

// hadBadRef tells whether the stored object already refers to something impossible.
func hadBadRef(old *hpaV2) bool {
	return old != nil && slices.ContainsFunc(old.Spec.Metrics, func(m autoscalingv2.MetricSpec) bool {
		return m.Type == autoscalingv2.ObjectMetricSourceType && m.Object != nil && refVersion{}.check(m.Object.DescribedObject.APIVersion) != nil
	})
}

func (v refVersion) check(apiVersion string) error {
	if v.any {
		return nil
	}
	gv, err := schema.ParseGroupVersion(apiVersion)
	if err == nil && v.needsGroup && gv.Group == "" {
		err = errors.New("apiVersion must specify API group")
	}
	return err
}

func validateRef(ref autoscalingv2.CrossVersionObjectReference, version refVersion, path *field.Path) errorList {
	errs := pathSegment(child(path, "kind"), ref.Kind)
	errs = append(errs, pathSegment(child(path, "name"), ref.Name)...)
	if err := version.check(ref.APIVersion); err != nil {
		errs = append(errs, field.Invalid(child(path, "apiVersion"), ref.APIVersion, err.Error()))
	}
	return errs
}

func pathSegment(path *field.Path, text string) errorList {
	if text == "" {
		return errorList{field.Required(path, "")}
	}
	return invalidEach(path, text, content.IsPathSegmentName(text))
}

func validateScalingRules(r *autoscalingv2.HPAScalingRules, path *field.Path) errorList {
	const longestWindow = 3600
	if r == nil {
		return nil
	}
	var errs errorList
	if w := r.StabilizationWindowSeconds; w != nil {
		at := child(path, "stabilizationWindowSeconds")
		if *w < 0 {
			errs = append(errs, field.Invalid(at, *w, "must be greater than or equal to zero"))
		}
		if *w > longestWindow {
			errs = append(errs, field.Invalid(at, *w, fmt.Sprintf("must be less than or equal to %v", longestWindow)))
		}
	}
	known := []autoscalingv2.ScalingPolicySelect{
		autoscalingv2.DisabledPolicySelect, autoscalingv2.MaxChangePolicySelect, autoscalingv2.MinChangePolicySelect,
	}
	if p := r.SelectPolicy; p != nil && !slices.Contains(known, *p) {
		errs = append(errs, field.NotSupported(child(path, "selectPolicy"), *p, known))
	}
	if len(r.Policies) == 0 {
		errs = append(errs, field.Required(child(path, "policies"), "must specify at least one Policy"))
	}
	for i, p := range r.Policies {
		errs = append(errs, validateScalingPolicy(p, nth(child(path, "policies"), i))...)
	}
	if r.Tolerance != nil && r.Tolerance.Sign() < 0 {
		errs = append(errs, field.Invalid(child(path, "tolerance"), r.Tolerance.String(), "must be greater than or equal to 0"))
	}
	return errs
}

func validateScalingPolicy(p autoscalingv2.HPAScalingPolicy, path *field.Path) errorList {
	const longestPeriod = 1800
	var errs errorList
	if known := []autoscalingv2.HPAScalingPolicyType{autoscalingv2.PercentScalingPolicy, autoscalingv2.PodsScalingPolicy}; !slices.Contains(known, p.Type) {
		errs = append(errs, field.NotSupported(child(path, "type"), p.Type, known))
	}
	if p.Value <= 0 {
		errs = append(errs, field.Invalid(child(path, "value"), p.Value, "must be greater than zero"))
	}
	if p.PeriodSeconds <= 0 {
		errs = append(errs, field.Invalid(child(path, "periodSeconds"), p.PeriodSeconds, "must be greater than zero"))
	}
	if p.PeriodSeconds > longestPeriod {
		errs = append(errs, field.Invalid(child(path, "periodSeconds"), p.PeriodSeconds, fmt.Sprintf("must be less than or equal to %v", longestPeriod)))
	}
	return errs
}

func validateHPAStatus(h, _ *hpaV2, root *field.Path) errorList {
	path := child(root, "status")
	var errs errorList
	for i, c := range h.Status.Conditions {
		errs = append(errs, nonNegative(child(nth(child(path, "conditions"), i), "observedGeneration"), value(c.ObservedGeneration))...)
	}
	errs = append(errs, nonNegative(child(path, "currentReplicas"), h.Status.CurrentReplicas)...)
	return append(errs, nonNegative(child(path, "desiredReplicas"), h.Status.DesiredReplicas)...)
}
