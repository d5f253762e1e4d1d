package catalog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// What a Job's owner decides about its pods' failure and its own success.

func validateFailurePolicy(s *batchv1.JobSpec, path *field.Path) errorList {
	const most = 20
	var errs errorList
	rules := s.PodFailurePolicy.Rules
	if len(rules) > most {
		errs = append(errs, field.TooMany(path, len(rules), most))
	}
	for i := range rules {
		errs = append(errs, validateFailureRule(s, &rules[i], nth(path, i))...)
	}
	return errs
}

func validateFailureRule(s *batchv1.JobSpec, r *batchv1.PodFailurePolicyRule, path *field.Path) errorList {
	known := []batchv1.PodFailurePolicyAction{
		batchv1.PodFailurePolicyActionCount, batchv1.PodFailurePolicyActionFailIndex,
		batchv1.PodFailurePolicyActionFailJob, batchv1.PodFailurePolicyActionIgnore,
	}
	var errs errorList
	switch at := child(path, "action"); {
	case r.Action == "":
		errs = append(errs, field.Required(at, fmt.Sprintf("valid values: %q", known)))
	case r.Action == batchv1.PodFailurePolicyActionFailIndex && s.BackoffLimitPerIndex == nil:
		errs = append(errs, field.Invalid(at, r.Action, "requires the backoffLimitPerIndex to be set"))
	case !slices.Contains(known, r.Action):
		errs = append(errs, field.NotSupported(at, r.Action, known))
	}
	if r.OnExitCodes != nil {
		errs = append(errs, validateOnExitCodes(s, r.OnExitCodes, child(path, "onExitCodes"))...)
	}
	if len(r.OnPodConditions) > 0 {
		errs = append(errs, validateOnPodConditions(r.OnPodConditions, child(path, "onPodConditions"))...)
	}
	switch {
	case r.OnExitCodes != nil && len(r.OnPodConditions) > 0:
		errs = append(errs, field.Invalid(path, field.OmitValueType{}, "specifying both OnExitCodes and OnPodConditions is not supported"))
	case r.OnExitCodes == nil && len(r.OnPodConditions) == 0:
		errs = append(errs, field.Invalid(path, field.OmitValueType{}, "specifying one of OnExitCodes and OnPodConditions is required"))
	}
	return errs
}

func validateOnPodConditions(patterns []batchv1.PodFailurePolicyOnPodConditionsPattern, path *field.Path) errorList {
	const most = 20
	known := []corev1.ConditionStatus{corev1.ConditionFalse, corev1.ConditionTrue, corev1.ConditionUnknown}
	var errs errorList
	if len(patterns) > most {
		errs = append(errs, field.TooMany(path, len(patterns), most))
	}
	for i, p := range patterns {
		errs = append(errs, invalidEach(child(nth(path, i), "type"), string(p.Type), isQualifiedName(string(p.Type)))...)
		if !slices.Contains(known, p.Status) {
			errs = append(errs, field.NotSupported(child(nth(path, i), "status"), p.Status, known))
		}
	}
	return errs
}

func validateOnExitCodes(s *batchv1.JobSpec, r *batchv1.PodFailurePolicyOnExitCodesRequirement, path *field.Path) errorList {
	const most = 255
	known := []batchv1.PodFailurePolicyOnExitCodesOperator{batchv1.PodFailurePolicyOnExitCodesOpIn, batchv1.PodFailurePolicyOnExitCodesOpNotIn}
	var errs errorList
	switch at := child(path, "operator"); {
	case r.Operator == "":
		errs = append(errs, field.Required(at, fmt.Sprintf("valid values: %q", known)))
	case !slices.Contains(known, r.Operator):
		errs = append(errs, field.NotSupported(at, r.Operator, known))
	}
	if name := r.ContainerName; name != nil {
		named := func(c corev1.Container) bool { return c.Name == *name }
		if !slices.ContainsFunc(s.Template.Spec.Containers, named) && !slices.ContainsFunc(s.Template.Spec.InitContainers, named) {
			errs = append(errs, field.Invalid(child(path, "containerName"), *name, "must be one of the container or initContainer names in the pod template"))
		}
	}
	at := child(path, "values")
	switch {
	case len(r.Values) == 0:
		errs = append(errs, field.Invalid(at, r.Values, "at least one value is required"))
	case len(r.Values) > most:
		errs = append(errs, field.TooMany(at, len(r.Values), most))
	}
	seen := before[int32]{}
	for i, v := range r.Values {
		if r.Operator == batchv1.PodFailurePolicyOnExitCodesOpIn && v == 0 {
			errs = append(errs, field.Invalid(nth(at, i), v, "must not be 0 for the In operator"))
		}
		if seen.has(v) {
			errs = append(errs, field.Duplicate(nth(at, i), v))
		}
	}
	if !slices.IsSorted(r.Values) {
		errs = append(errs, field.Invalid(at, r.Values, "must be ordered"))
	}
	return errs
}

func validateSuccessPolicy(s *batchv1.JobSpec, path *field.Path) errorList {
	const most = 20
	rules := s.SuccessPolicy.Rules
	var errs errorList
	if len(rules) == 0 {
		errs = append(errs, field.Required(path, "at least one rules must be specified when the successPolicy is specified"))
	}
	if len(rules) > most {
		errs = append(errs, field.TooMany(path, len(rules), most))
	}
	for i := range rules {
		errs = append(errs, validateSuccessRule(&rules[i], value(s.Completions), nth(path, i))...)
	}
	return errs
}

func validateSuccessRule(r *batchv1.SuccessPolicyRule, completions int32, path *field.Path) errorList {
	const longest = 64 * 1024
	var errs errorList
	if r.SucceededCount == nil && r.SucceededIndexes == nil {
		errs = append(errs, field.Required(path, "at least one of succeededCount or succeededIndexes must be specified"))
	}
	var total int32
	if text := r.SucceededIndexes; text != nil {
		at := child(path, "succeededIndexes")
		if len(*text) > longest {
			errs = append(errs, field.TooLong(at, "", longest))
		}
		intervals, err := parseIndexes(*text, completions)
		if err != nil {
			errs = append(errs, field.Invalid(at, *text, "error parsing succeededIndexes: "+err.Error()))
		}
		for _, i := range intervals {
			total += i.last - i.first + 1
		}
	}
	if n := r.SucceededCount; n != nil {
		at := child(path, "succeededCount")
		errs = append(errs, nonNegative(at, *n)...)
		if *n > completions {
			errs = append(errs, field.Invalid(at, *n, fmt.Sprintf("must be less than or equal to %d (the number of specified completions)", completions)))
		}
		if r.SucceededIndexes != nil && *n > total {
			errs = append(errs, field.Invalid(at, *n, fmt.Sprintf("must be less than or equal to %d (the number of indexes in the specified succeededIndexes field)", total)))
		}
	}
	return errs
}

// indexes are some of an indexed Job's pods, both ends included.
type indexes struct{ first, last int32 }

// parseIndexes reads "1,3-5,7".
func parseIndexes(text string, completions int32) ([]indexes, error) {
	if text == "" {
		return nil, nil
	}
	var all []indexes
	for part := range strings.SplitSeq(text, ",") {
		i, err := parseInterval(part, completions)
		if err != nil {
			return nil, err
		}
		if n := len(all); n > 0 && all[n-1].last >= i.first {
			return nil, fmt.Errorf("non-increasing order, previous: %d, current: %d", all[n-1].last, i.first)
		}
		all = append(all, i)
	}
	return all, nil
}

func parseInterval(text string, completions int32) (indexes, error) {
	parts := strings.Split(text, "-")
	if len(parts) > 2 {
		return indexes{}, fmt.Errorf("the fragment %q violates the requirement that an index interval can have at most two parts separated by '-'", text)
	}
	var ends [2]int
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil {
			return indexes{}, fmt.Errorf("cannot convert string to integer for index: %q", part)
		}
		if n >= int(completions) {
			return indexes{}, fmt.Errorf("too large index: %q", part)
		}
		ends[i] = n
	}
	if len(parts) == 1 {
		ends[1] = ends[0]
	} else if ends[0] >= ends[1] {
		return indexes{}, fmt.Errorf("non-increasing order, previous: %d, current: %d", ends[0], ends[1])
	}
	return indexes{int32(ends[0]), int32(ends[1])}, nil
}

// overlap finds the first index that is in both.
func overlap(completed, failed string, completions int32) (int32, bool) {
	for c := range strings.SplitSeq(completed, ",") {
		one, err := parseInterval(c, completions)
		if err != nil {
			continue // reported where the format is checked
		}
		for f := range strings.SplitSeq(failed, ",") {
			if other, err := parseInterval(f, completions); err == nil && one.first <= other.last && other.first <= one.last {
				return max(one.first, other.first), true
			}
		}
	}
	return 0, false
}
