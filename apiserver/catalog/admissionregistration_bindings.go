package catalog

import (
	"slices"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func validateValidatingBinding(b *admissionregistrationv1.ValidatingAdmissionPolicyBinding, root *field.Path) errorList {
	s, at := &b.Spec, child(root, "spec")
	errs := required(child(at, "policyName"), s.PolicyName == "")
	if s.PolicyName != "" {
		errs = append(errs, dnsSubdomain(child(at, "policyName"), s.PolicyName)...)
	}
	errs = append(errs, validateParamRef(s.ParamRef, child(at, "paramRef"))...)
	errs = append(errs, validateMatch(s.MatchResources, child(at, "matchResources"))...)
	errs = append(errs, validateActions(s.ValidationActions, child(at, "validationActions"))...)
	return append(errs, validateNotStatic(b.Name, root)...)
}

func validateMutatingBinding(b *admissionregistrationv1.MutatingAdmissionPolicyBinding, root *field.Path) errorList {
	s, at := &b.Spec, child(root, "spec")
	errs := needed(child(at, "policyName"), s.PolicyName)
	if s.PolicyName != "" {
		errs = append(errs, dnsSubdomain(child(at, "policyName"), s.PolicyName)...)
	}
	errs = append(errs, validateParamRef(s.ParamRef, child(at, "paramRef"))...)
	if m := s.MatchResources; m != nil {
		errs = append(errs, validateMatch(m, child(at, "matchResources"))...)
		errs = append(errs, validateMutable(m, child(at, "matchResources"))...)
	}
	return append(errs, validateNotStatic(b.Name, root)...)
}

func validateActions(actions []admissionregistrationv1.ValidationAction, at *field.Path) errorList {
	var errs errorList
	seen := before[admissionregistrationv1.ValidationAction]{}
	for i, action := range actions {
		errs = append(errs, oneOf(nth(at, i), action, admissionregistrationv1.Audit, admissionregistrationv1.Deny, admissionregistrationv1.Warn)...)
		if seen.has(action) {
			errs = append(errs, field.Duplicate(nth(at, i), action))
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
		errs = append(errs, invalidEach(child(at, "name"), r.Name, content.IsPathSegmentName(r.Name))...)
	}
	if both {
		errs = append(errs, field.Forbidden(child(at, "name"), exclusive))
	}
	errs = append(errs, validateLabelSelector(r.Selector, child(at, "selector"))...)
	if both {
		errs = append(errs, field.Forbidden(child(at, "selector"), exclusive))
	}
	if r.Name == "" && r.Selector == nil {
		errs = append(errs, field.Required(at, "one of name or selector must be specified"))
	}
	return append(errs, neededOneOf(child(at, "parameterNotFoundAction"), value(r.ParameterNotFoundAction),
		admissionregistrationv1.DenyAction, admissionregistrationv1.AllowAction)...)
}
