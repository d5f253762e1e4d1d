package apiserver

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/apiserver/catalog"
	"coracle/rbac"
)

// shownPath is authorizationv1.NonResourceAttributes as Kubernetes prints it in an error: by its own type, without JSON's names.
type shownPath struct{ Path, Verb string }

// checkReview refuses a question that is not well put. A review is not stored, so there is nothing to say about it in
// its metadata.
// Source: pkg/apis/authorization/validation.
func (c *call) checkReview(m *metav1.ObjectMeta, errs field.ErrorList) error {
	if err := c.matchNamespace(m); err != nil {
		return err
	}
	bare := *m
	bare.ManagedFields, bare.Namespace = nil, ""
	if !equality.Semantic.DeepEqual(bare, metav1.ObjectMeta{}) {
		detail := "must be empty"
		if c.info.Namespace != "" {
			detail = "must be empty except for namespace"
		}
		errs = append(errs, field.Invalid(field.NewPath("metadata"), *m, detail))
	}
	if len(errs) == 0 {
		return nil
	}
	return apierrors.NewInvalid(schema.GroupKind{Group: c.kind.Group}, "", catalog.Told(errs)) // Kubernetes forgets the kind here
}

func validateReview(spec authorizationv1.SubjectAccessReviewSpec) field.ErrorList {
	errs := validateQuestion(spec)
	if spec.User == "" && len(spec.Groups) == 0 {
		who := field.Invalid(field.NewPath("spec.user"), spec.User, "at least one of user or group must be specified")
		at := 0 // before what is wrong with selectors
		for at < len(errs) && errs[at].Field == "spec" {
			at++
		}
		errs = slices.Insert(errs, at, who)
	}
	return errs
}

func validateQuestion(spec authorizationv1.SubjectAccessReviewSpec) field.ErrorList {
	var errs field.ErrorList
	r, n := spec.ResourceAttributes, spec.NonResourceAttributes
	if (r == nil) == (n == nil) {
		errs = append(errs, field.Invalid(field.NewPath("spec"), (*shownPath)(n), "exactly one of nonResourceAttributes or resourceAttributes must be specified"))
	}
	if r == nil {
		return errs
	}
	at := field.NewPath("spec.resourceAttributes")
	if s := r.FieldSelector; s != nil {
		errs = append(errs, validateSelector(s.RawSelector, len(s.Requirements), at.Child("fieldSelector"))...)
		for i, q := range s.Requirements {
			errs = append(errs, metav1validation.ValidateFieldSelectorRequirement(q,
				metav1validation.FieldSelectorValidationOptions{AllowUnknownOperatorInRequirement: true},
				at.Child("fieldSelector", "requirements").Index(i))...)
		}
	}
	if s := r.LabelSelector; s != nil {
		errs = append(errs, validateSelector(s.RawSelector, len(s.Requirements), at.Child("labelSelector"))...)
		for i, q := range s.Requirements {
			errs = append(errs, metav1validation.ValidateLabelSelectorRequirement(q,
				metav1validation.LabelSelectorValidationOptions{AllowUnknownOperatorInRequirement: true},
				at.Child("labelSelector", "requirements").Index(i))...)
		}
	}
	return errs
}

func validateSelector(raw string, requirements int, at *field.Path) field.ErrorList {
	switch {
	case raw != "" && requirements > 0:
		return field.ErrorList{field.Invalid(at.Child("rawSelector"), raw, "may not specified at the same time as requirements")}
	case raw == "" && requirements == 0:
		return field.ErrorList{field.Required(at.Child("requirements"), fmt.Sprintf("when %s is specified, requirements or rawSelector is required", at))}
	}
	return nil
}

// question is what a review asks, as authorizers look at it, and what of its selectors could not be understood. What
// cannot be understood is left out, which asks for more rather than less.
type question struct {
	rbac.Attributes
	fieldSelectorErr, labelSelectorErr error
}

// evaluationError is what the answer says of errors.
// Source: pkg/registry/authorization/util.BuildEvaluationError.
func (q question) evaluationError(err error) string {
	var all []string
	if err != nil {
		all = append(all, err.Error())
	}
	ignored := func(name string, err error, understood int) {
		switch {
		case err == nil:
		case understood > 0:
			all = append(all, "spec.resourceAttributes."+name+" partially ignored due to parse error")
		default:
			all = append(all, "spec.resourceAttributes."+name+" ignored due to parse error")
		}
	}
	ignored("fieldSelector", q.fieldSelectorErr, len(q.FieldSelector))
	ignored("labelSelector", q.labelSelectorErr, len(q.LabelSelector))
	return strings.Join(all, "; ")
}

func reviewed(spec authorizationv1.SubjectAccessReviewSpec) question {
	u := &user.DefaultInfo{Name: spec.User, UID: spec.UID, Groups: spec.Groups}
	for k, v := range spec.Extra {
		if u.Extra == nil {
			u.Extra = map[string][]string{}
		}
		u.Extra[k] = slices.Clone(v)
	}
	q := question{Attributes: rbac.Attributes{User: u}}
	if r := spec.ResourceAttributes; r != nil {
		q.ResourceRequest = true
		q.Verb, q.APIGroup, q.APIVersion = r.Verb, r.Group, r.Version
		if q.APIVersion == "" {
			q.APIVersion = "*"
		}
		q.Resource, q.Subresource = r.Resource, r.Subresource
		q.Namespace, q.Name = r.Namespace, r.Name
		q.FieldSelector, q.fieldSelectorErr = fieldRequirements(r.FieldSelector)
		q.LabelSelector, q.labelSelectorErr = labelRequirements(r.LabelSelector)
		return q
	}
	if n := spec.NonResourceAttributes; n != nil {
		q.Verb, q.Path = n.Verb, n.Path
	}
	return q
}

func fieldRequirements(s *authorizationv1.FieldSelectorAttributes) (fields.Requirements, error) {
	if s == nil {
		return nil, nil
	}
	if s.RawSelector != "" {
		sel, err := parseFields(s.RawSelector)
		if err != nil {
			return nil, err
		}
		return sel.Requirements(), nil
	}
	var out fields.Requirements
	var errs []error
	for _, q := range s.Requirements {
		op := map[metav1.FieldSelectorOperator]selection.Operator{
			metav1.FieldSelectorOpIn: selection.Equals, metav1.FieldSelectorOpNotIn: selection.NotEquals,
		}[q.Operator]
		if op == "" || len(q.Values) != 1 {
			errs = append(errs, fmt.Errorf("a field cannot be selected by %s %v", q.Operator, q.Values))
			continue
		}
		out = append(out, fields.Requirement{Field: q.Key, Operator: op, Value: q.Values[0]})
	}
	return out, errors.Join(errs...)
}

func labelRequirements(s *authorizationv1.LabelSelectorAttributes) (labels.Requirements, error) {
	if s == nil {
		return nil, nil
	}
	if s.RawSelector != "" {
		sel, err := parseLabels(s.RawSelector)
		if err != nil {
			return nil, err
		}
		out, _ := sel.Requirements()
		return out, nil
	}
	var out labels.Requirements
	var errs []error
	for _, q := range s.Requirements {
		sel, err := metav1.LabelSelectorAsSelector(&metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{q}})
		if err != nil {
			errs = append(errs, err)
			continue
		}
		one, _ := sel.Requirements()
		out = append(out, one...)
	}
	return out, errors.Join(errs...)
}
