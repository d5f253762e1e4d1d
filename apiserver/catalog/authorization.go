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

func validateSubjectAccessReview(r *authorizationv1.SubjectAccessReview, root *field.Path) errorList {
	return append(validateAccessSpec(r.Spec, root), emptyMetadata(r.ObjectMeta, "must be empty", root)...)
}

func validateSelfSubjectAccessReview(r *authorizationv1.SelfSubjectAccessReview, root *field.Path) errorList {
	errs := validateAttributes(r.Spec.ResourceAttributes, r.Spec.NonResourceAttributes, root)
	errs = append(errs, validateSelectors(r.Spec.ResourceAttributes, root)...)
	return append(errs, emptyMetadata(r.ObjectMeta, "must be empty", root)...)
}

func validateLocalSubjectAccessReview(r *authorizationv1.LocalSubjectAccessReview, root *field.Path) errorList {
	errs := validateAccessSpec(r.Spec, root)
	m := *r.ObjectMeta.DeepCopy()
	m.Namespace = ""
	errs = append(errs, emptyMetadata(m, "must be empty except for namespace", root)...)
	if a := r.Spec.ResourceAttributes; a != nil && a.Namespace != r.Namespace {
		errs = append(errs, field.Invalid(child(root, "spec.resourceAttributes.namespace"), a.Namespace, "must match metadata.namespace"))
	}
	if a := r.Spec.NonResourceAttributes; a != nil {
		errs = append(errs, field.Invalid(child(root, "spec.nonResourceAttributes"), internalForm(a), "disallowed on this kind of request"))
	}
	return errs
}

func emptyMetadata(m metav1.ObjectMeta, text string, root *field.Path) errorList {
	m.ManagedFields = nil
	if equality.Semantic.DeepEqual(metav1.ObjectMeta{}, m) {
		return nil
	}
	return errorList{field.Invalid(child(root, "metadata"), m, text)}
}

func validateAccessSpec(s authorizationv1.SubjectAccessReviewSpec, root *field.Path) errorList {
	errs := validateAttributes(s.ResourceAttributes, s.NonResourceAttributes, root)
	if s.User == "" && len(s.Groups) == 0 {
		errs = append(errs, field.Invalid(child(root, "spec", "user"), s.User, "at least one of user or group must be specified"))
	}
	return append(errs, validateSelectors(s.ResourceAttributes, root)...)
}

func validateAttributes(resource *authorizationv1.ResourceAttributes, other *authorizationv1.NonResourceAttributes, root *field.Path) errorList {
	if (resource == nil) != (other == nil) {
		return nil
	}
	return errorList{field.Invalid(child(root, "spec"), internalForm(other), "exactly one of nonResourceAttributes or resourceAttributes must be specified")}
}

func validateSelectors(a *authorizationv1.ResourceAttributes, root *field.Path) errorList {
	if a == nil {
		return nil
	}
	var errs errorList
	path := child(root, "spec.resourceAttributes")
	if s := a.FieldSelector; s != nil {
		at := child(path, "fieldSelector")
		errs = append(errs, oneSelector(at, s.RawSelector, len(s.Requirements))...)
		for i, r := range s.Requirements {
			errs = append(errs, metav1validation.ValidateFieldSelectorRequirement(r,
				metav1validation.FieldSelectorValidationOptions{AllowUnknownOperatorInRequirement: true}, nth(child(at, "requirements"), i))...)
		}
	}
	if s := a.LabelSelector; s != nil {
		at := child(path, "labelSelector")
		errs = append(errs, oneSelector(at, s.RawSelector, len(s.Requirements))...)
		for i, r := range s.Requirements {
			errs = append(errs, metav1validation.ValidateLabelSelectorRequirement(r,
				metav1validation.LabelSelectorValidationOptions{AllowUnknownOperatorInRequirement: true}, nth(child(at, "requirements"), i))...)
		}
	}
	return errs
}

func oneSelector(path *field.Path, raw string, requirements int) errorList {
	switch {
	case raw != "" && requirements > 0:
		return errorList{field.Invalid(child(path, "rawSelector"), raw, "may not specified at the same time as requirements")}
	case raw == "" && requirements == 0:
		return errorList{field.Required(child(path, "requirements"), fmt.Sprintf("when %s is specified, requirements or rawSelector is required", path))}
	}
	return nil
}
