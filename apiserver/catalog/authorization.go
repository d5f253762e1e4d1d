package catalog

import (
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// The reviews are answered, never stored; Validate checks all of a review, its metadata included.
func authorizationKinds() []*Kind {
	gv := authorizationv1.SchemeGroupVersion
	return []*Kind{
		review[authorizationv1.LocalSubjectAccessReview](gv, Kind{
			Resource:   "localsubjectaccessreviews",
			Namespaced: true,
			Strategy:   Strategy{Validate: check(validateLocalSubjectAccessReview)},
		}),
		review[authorizationv1.SelfSubjectAccessReview](gv, Kind{
			Resource: "selfsubjectaccessreviews",
			Strategy: Strategy{Validate: check(validateSelfSubjectAccessReview)},
		}),
		review[authorizationv1.SelfSubjectRulesReview](gv, Kind{
			Resource: "selfsubjectrulesreviews",
		}),
		review[authorizationv1.SubjectAccessReview](gv, Kind{
			Resource: "subjectaccessreviews",
			Strategy: Strategy{Validate: check(validateSubjectAccessReview)},
		}),
	}
}

// Source of the sentences: k8s.io/kubernetes/pkg/apis/authorization/validation.

func validateSubjectAccessReview(r *authorizationv1.SubjectAccessReview) errorList {
	return append(validateAccessSpec(r.Spec), emptyMetadata(r.ObjectMeta, "must be empty")...)
}

func validateSelfSubjectAccessReview(r *authorizationv1.SelfSubjectAccessReview) errorList {
	errs := validateAttributes(r.Spec.ResourceAttributes, r.Spec.NonResourceAttributes)
	errs = append(errs, validateSelectors(r.Spec.ResourceAttributes)...)
	return append(errs, emptyMetadata(r.ObjectMeta, "must be empty")...)
}

func validateLocalSubjectAccessReview(r *authorizationv1.LocalSubjectAccessReview) errorList {
	errs := validateAccessSpec(r.Spec)
	m := *r.ObjectMeta.DeepCopy()
	m.Namespace = ""
	errs = append(errs, emptyMetadata(m, "must be empty except for namespace")...)
	if a := r.Spec.ResourceAttributes; a != nil && a.Namespace != r.Namespace {
		errs = append(errs, field.Invalid(field.NewPath("spec.resourceAttributes.namespace"), a.Namespace, "must match metadata.namespace"))
	}
	if a := r.Spec.NonResourceAttributes; a != nil {
		errs = append(errs, field.Invalid(field.NewPath("spec.nonResourceAttributes"), internalForm(a), "disallowed on this kind of request"))
	}
	return errs
}

func emptyMetadata(m metav1.ObjectMeta, text string) errorList {
	m.ManagedFields = nil
	if equality.Semantic.DeepEqual(metav1.ObjectMeta{}, m) {
		return nil
	}
	return errorList{field.Invalid(field.NewPath("metadata"), m, text)}
}

func validateAccessSpec(s authorizationv1.SubjectAccessReviewSpec) errorList {
	errs := validateAttributes(s.ResourceAttributes, s.NonResourceAttributes)
	if s.User == "" && len(s.Groups) == 0 {
		errs = append(errs, field.Invalid(field.NewPath("spec", "user"), s.User, "at least one of user or group must be specified"))
	}
	return append(errs, validateSelectors(s.ResourceAttributes)...)
}

func validateAttributes(resource *authorizationv1.ResourceAttributes, other *authorizationv1.NonResourceAttributes) errorList {
	if (resource == nil) != (other == nil) {
		return nil
	}
	return errorList{field.Invalid(field.NewPath("spec"), internalForm(other), "exactly one of nonResourceAttributes or resourceAttributes must be specified")}
}

func validateSelectors(a *authorizationv1.ResourceAttributes) errorList {
	if a == nil {
		return nil
	}
	var errs errorList
	path := field.NewPath("spec.resourceAttributes")
	if s := a.FieldSelector; s != nil {
		at := path.Child("fieldSelector")
		errs = append(errs, oneSelector(at, s.RawSelector, len(s.Requirements))...)
		for i, r := range s.Requirements {
			errs = append(errs, metav1validation.ValidateFieldSelectorRequirement(r,
				metav1validation.FieldSelectorValidationOptions{AllowUnknownOperatorInRequirement: true}, at.Child("requirements").Index(i))...)
		}
	}
	if s := a.LabelSelector; s != nil {
		at := path.Child("labelSelector")
		errs = append(errs, oneSelector(at, s.RawSelector, len(s.Requirements))...)
		for i, r := range s.Requirements {
			errs = append(errs, metav1validation.ValidateLabelSelectorRequirement(r,
				metav1validation.LabelSelectorValidationOptions{AllowUnknownOperatorInRequirement: true}, at.Child("requirements").Index(i))...)
		}
	}
	return errs
}

func oneSelector(path *field.Path, raw string, requirements int) errorList {
	switch {
	case raw != "" && requirements > 0:
		return errorList{field.Invalid(path.Child("rawSelector"), raw, "may not specified at the same time as requirements")}
	case raw == "" && requirements == 0:
		return errorList{field.Required(path.Child("requirements"), fmt.Sprintf("when %s is specified, requirements or rawSelector is required", path))}
	}
	return nil
}
