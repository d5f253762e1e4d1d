package catalog

import (
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func validateValidatingBinding(b *admissionregistrationv1.ValidatingAdmissionPolicyBinding) errorList {
	s, at := &b.Spec, field.NewPath("spec")
	errs := required(at.Child("policyName"), s.PolicyName == "")
	if s.PolicyName != "" {
		errs = append(errs, dnsSubdomain(at.Child("policyName"), s.PolicyName)...)
	}
	errs = append(errs, validateParamRef(s.ParamRef, at.Child("paramRef"))...)
	errs = append(errs, validateMatch(s.MatchResources, at.Child("matchResources"))...)
	errs = append(errs, validateActions(s.ValidationActions, at.Child("validationActions"))...)
	return append(errs, validateNotStatic(b.Name)...)
}

func validateMutatingBinding(b *admissionregistrationv1.MutatingAdmissionPolicyBinding) errorList {
	s, at := &b.Spec, field.NewPath("spec")
	errs := needed(at.Child("policyName"), s.PolicyName)
	if s.PolicyName != "" {
		errs = append(errs, dnsSubdomain(at.Child("policyName"), s.PolicyName)...)
	}
	errs = append(errs, validateParamRef(s.ParamRef, at.Child("paramRef"))...)
	if m := s.MatchResources; m != nil {
		errs = append(errs, validateMatch(m, at.Child("matchResources"))...)
		errs = append(errs, validateMutable(m, at.Child("matchResources"))...)
	}
	return append(errs, validateNotStatic(b.Name)...)
}

func validateActions(actions []admissionregistrationv1.ValidationAction, at *field.Path) errorList {
	var errs errorList
	seen := before[admissionregistrationv1.ValidationAction]{}
	for i, action := range actions {
		errs = append(errs, oneOf(at.Index(i), action, admissionregistrationv1.Audit, admissionregistrationv1.Deny, admissionregistrationv1.Warn)...)
		if seen.has(action) {
			errs = append(errs, field.Duplicate(at.Index(i), action))
		}
	}
	if slices.Contains(actions, admissionregistrationv1.Deny) && slices.Contains(actions, admissionregistrationv1.Warn) {
		errs = append(errs, field.Invalid(at, actions, "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)"))
	}
	return append(errs, required(at, len(actions) == 0)...)
}

func validateParamRef(r *admissionregistrationv1.ParamRef, at *field.Path) errorList {
	if r == nil {
		return nil
	}
	const exclusive = "name and selector are mutually exclusive"
	var errs errorList
	both := r.Name != "" && r.Selector != nil
	if r.Name != "" {
		errs = append(errs, invalidEach(at.Child("name"), r.Name, content.IsPathSegmentName(r.Name))...)
	}
	if both {
		errs = append(errs, field.Forbidden(at.Child("name"), exclusive))
	}
	errs = append(errs, validateLabelSelector(r.Selector, at.Child("selector"))...)
	if both {
		errs = append(errs, field.Forbidden(at.Child("selector"), exclusive))
	}
	if r.Name == "" && r.Selector == nil {
		errs = append(errs, field.Required(at, "one of name or selector must be specified"))
	}
	return append(errs, neededOneOf(at.Child("parameterNotFoundAction"), value(r.ParameterNotFoundAction),
		admissionregistrationv1.DenyAction, admissionregistrationv1.AllowAction)...)
}
