package catalog

import (
	"slices"
	"time"

	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/validation/path"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

type disruptionBudget = policyv1.PodDisruptionBudget

func policyKinds() []*Kind {
	gv := policyv1.SchemeGroupVersion
	return []*Kind{
		row[disruptionBudget, policyv1.PodDisruptionBudgetList](gv, Kind{
			Resource:     "poddisruptionbudgets",
			ShortNames:   []string{"pdb"},
			Namespaced:   true,
			Subresources: onlyStatus(),
			Strategy: Strategy{
				PrepareForCreate:     on(func(b *disruptionBudget) { b.Status = policyv1.PodDisruptionBudgetStatus{} }),
				ChecksMetadata:       true,
				ValidateName:         path.ValidatePathSegmentName,
				Validate:             check(validateBudget),
				ValidateStatusUpdate: checkChange(validateBudgetStatus),
				Generation:           true,
				RequireVersion:       true,
			},
			Table: table(func(b *disruptionBudget, now time.Time) []any {
				available, unavailable := "N/A", "N/A"
				if n := b.Spec.MinAvailable; n != nil {
					available = n.String()
				}
				if n := b.Spec.MaxUnavailable; n != nil {
					unavailable = n.String()
				}
				return []any{b.Name, available, unavailable, count(b.Status.DisruptionsAllowed), Age(b.CreationTimestamp, now)}
			},
				nameColumn(),
				column("Min Available", "string", "The minimum number of pods that must be available."),
				column("Max Unavailable", "string", "The maximum number of pods that may be unavailable."),
				column("Allowed Disruptions", "integer", "Calculated number of pods that may be disrupted at this time."),
				ageColumn(),
			),
		}),
	}
}

// Source of the sentences: k8s.io/kubernetes/pkg/apis/policy/validation.

func validateBudget(b *disruptionBudget, root *field.Path) errorList {
	s, path := &b.Spec, child(root, "spec")
	var errs errorList
	if s.MinAvailable != nil && s.MaxUnavailable != nil {
		errs = append(errs, field.Invalid(path, internalForm(s), "minAvailable and maxUnavailable cannot be both set"))
	}
	if n := s.MinAvailable; n != nil {
		errs = append(errs, validateIntOrPercent(*n, child(path, "minAvailable"))...)
		errs = append(errs, atMost100Percent(*n, child(path, "minAvailable"))...)
	}
	if n := s.MaxUnavailable; n != nil {
		errs = append(errs, validateIntOrPercent(*n, child(path, "maxUnavailable"))...)
		errs = append(errs, atMost100Percent(*n, child(path, "maxUnavailable"))...)
	}
	errs = append(errs, metav1validation.ValidateLabelSelector(s.Selector, metav1validation.LabelSelectorValidationOptions{}, child(path, "selector"))...)
	known := []policyv1.UnhealthyPodEvictionPolicyType{policyv1.AlwaysAllow, policyv1.IfHealthyBudget}
	if p := s.UnhealthyPodEvictionPolicy; p != nil && !slices.Contains(known, *p) {
		errs = append(errs, field.NotSupported(child(path, "unhealthyPodEvictionPolicy"), *p, known))
	}
	return errs
}

func validateBudgetStatus(b, _ *disruptionBudget, root *field.Path) errorList {
	s, path := b.Status, child(root, "status")
	errs := metav1validation.ValidateConditions(s.Conditions, child(path, "conditions"))
	errs = append(errs, nonNegative(child(path, "disruptionsAllowed"), s.DisruptionsAllowed)...)
	errs = append(errs, nonNegative(child(path, "currentHealthy"), s.CurrentHealthy)...)
	errs = append(errs, nonNegative(child(path, "desiredHealthy"), s.DesiredHealthy)...)
	return append(errs, nonNegative(child(path, "expectedPods"), s.ExpectedPods)...)
}
