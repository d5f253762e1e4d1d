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
func validateHPA(h, old *hpaV2) errorList {
	s, path := &h.Spec, field.NewPath("spec")
	var errs errorList
	if n := s.MinReplicas; n != nil && *n < 0 {
		errs = append(errs, declared(field.Invalid(path.Child("minReplicas"), *n, "must be greater than or equal to 0"))...)
	}
	switch {
	case s.MaxReplicas == 0:
		errs = append(errs, required(path.Child("maxReplicas"), true)...)
	case s.MaxReplicas < 0:
		errs = append(errs, declared(field.Invalid(path.Child("maxReplicas"), s.MaxReplicas, "must be greater than or equal to 1"))...)
	}
	if s.MinReplicas != nil && s.MaxReplicas < *s.MinReplicas {
		errs = append(errs, field.Invalid(path.Child("maxReplicas"), s.MaxReplicas, "must be greater than or equal to `minReplicas`"))
	}
	version := refVersion{needsGroup: s.ScaleTargetRef.Kind != "ReplicationController"}
	if old != nil && old.Spec.ScaleTargetRef.APIVersion == s.ScaleTargetRef.APIVersion && old.Spec.ScaleTargetRef.Kind == s.ScaleTargetRef.Kind {
		version.any = true
	}
	errs = append(errs, validateRef(s.ScaleTargetRef, version, path.Child("scaleTargetRef"))...)
	errs = append(errs, validateMetrics(s, refVersion{any: hadBadRef(old)}, path.Child("metrics"))...)
	if s.Behavior != nil {
		errs = append(errs, validateScalingRules(s.Behavior.ScaleUp, path.Child("behavior", "scaleUp"))...)
		errs = append(errs, validateScalingRules(s.Behavior.ScaleDown, path.Child("behavior", "scaleDown"))...)
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
	errs := pathSegment(path.Child("kind"), ref.Kind)
	errs = append(errs, pathSegment(path.Child("name"), ref.Name)...)
	if err := version.check(ref.APIVersion); err != nil {
		errs = append(errs, field.Invalid(path.Child("apiVersion"), ref.APIVersion, err.Error()))
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
		at := path.Child("stabilizationWindowSeconds")
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
		errs = append(errs, field.NotSupported(path.Child("selectPolicy"), *p, known))
	}
	if len(r.Policies) == 0 {
		errs = append(errs, field.Required(path.Child("policies"), "must specify at least one Policy"))
	}
	for i, p := range r.Policies {
		errs = append(errs, validateScalingPolicy(p, path.Child("policies").Index(i))...)
	}
	if r.Tolerance != nil && r.Tolerance.Sign() < 0 {
		errs = append(errs, field.Invalid(path.Child("tolerance"), r.Tolerance.String(), "must be greater than or equal to 0"))
	}
	return errs
}

func validateScalingPolicy(p autoscalingv2.HPAScalingPolicy, path *field.Path) errorList {
	const longestPeriod = 1800
	var errs errorList
	if known := []autoscalingv2.HPAScalingPolicyType{autoscalingv2.PercentScalingPolicy, autoscalingv2.PodsScalingPolicy}; !slices.Contains(known, p.Type) {
		errs = append(errs, field.NotSupported(path.Child("type"), p.Type, known))
	}
	if p.Value <= 0 {
		errs = append(errs, field.Invalid(path.Child("value"), p.Value, "must be greater than zero"))
	}
	if p.PeriodSeconds <= 0 {
		errs = append(errs, field.Invalid(path.Child("periodSeconds"), p.PeriodSeconds, "must be greater than zero"))
	}
	if p.PeriodSeconds > longestPeriod {
		errs = append(errs, field.Invalid(path.Child("periodSeconds"), p.PeriodSeconds, fmt.Sprintf("must be less than or equal to %v", longestPeriod)))
	}
	return errs
}

func validateHPAStatus(h, _ *hpaV2) errorList {
	path := field.NewPath("status")
	var errs errorList
	for i, c := range h.Status.Conditions {
		errs = append(errs, nonNegative(path.Child("conditions").Index(i).Child("observedGeneration"), value(c.ObservedGeneration))...)
	}
	errs = append(errs, nonNegative(path.Child("currentReplicas"), h.Status.CurrentReplicas)...)
	return append(errs, nonNegative(path.Child("desiredReplicas"), h.Status.DesiredReplicas)...)
}
