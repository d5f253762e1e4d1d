package catalog

import (
	"fmt"
	"strings"

	celgo "github.com/google/cel-go/cel"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	admissioncel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/client-go/util/jsonpath"
)

// Source of the sentences: k8s.io/kubernetes/pkg/apis/admissionregistration/validation.

const (
	mostMatchConditions      = 64
	mostAuditAnnotations     = 20
	longestAnnotationInBytes = 5 * 1024
	validationsOrAnnotations = "validations or auditAnnotations must contain at least one item"
)

func (x *expressions) validateValidatingPolicy(p *admissionregistrationv1.ValidatingAdmissionPolicy, root *field.Path) errorList {
	s, at := &p.Spec, child(root, "spec")
	errs := x.validatePolicy(s.FailurePolicy, s.ParamKind, s.MatchConstraints, false, s.MatchConditions, at)
	compiler := x.compiler()
	if len(s.Variables) > 0 {
		known, more := x.withVariables(s.Variables, s.ParamKind != nil, child(at, "variables"))
		compiler, errs = known, append(errs, more...)
	}
	if len(s.Validations) == 0 && len(s.AuditAnnotations) == 0 {
		errs = append(errs, field.Required(child(at, "validations"), validationsOrAnnotations),
			field.Required(child(at, "auditAnnotations"), validationsOrAnnotations))
	}
	for i := range s.Validations {
		errs = append(errs, validateValidation(&s.Validations[i], compiler, s.ParamKind != nil, nth(child(at, "validations"), i))...)
	}
	if len(s.AuditAnnotations) > mostAuditAnnotations {
		errs = append(errs, field.Invalid(child(at, "auditAnnotations"), internalForm(s.AuditAnnotations),
			fmt.Sprintf("must not have more than %d auditAnnotations", mostAuditAnnotations)))
	}
	keys := map[string]bool{}
	for i := range s.AuditAnnotations {
		a, at := &s.AuditAnnotations[i], nth(child(at, "auditAnnotations"), i)
		errs = append(errs, validateAuditAnnotation(p.Name, a, compiler, s.ParamKind != nil, at)...)
		if keys[a.Key] {
			errs = append(errs, field.Duplicate(child(at, "key"), a.Key))
		}
		keys[a.Key] = true
	}
	return append(errs, validateNotStatic(p.Name, root)...)
}

func (x *expressions) validateMutatingPolicy(p *admissionregistrationv1.MutatingAdmissionPolicy, root *field.Path) errorList {
	s, at := &p.Spec, child(root, "spec")
	errs := x.validatePolicy(s.FailurePolicy, s.ParamKind, s.MatchConstraints, true, s.MatchConditions, at)
	compiler, more := x.withVariables(s.Variables, s.ParamKind != nil, child(at, "variables"))
	errs = append(errs, more...)
	if len(s.Mutations) == 0 {
		errs = append(errs, field.Required(child(at, "mutations"), "mutations must contain at least one item"))
	}
	for i := range s.Mutations {
		errs = append(errs, validateMutation(&s.Mutations[i], compiler, s.ParamKind != nil, nth(child(at, "mutations"), i))...)
	}
	errs = append(errs, neededOneOf(child(at, "reinvocationPolicy"), s.ReinvocationPolicy,
		admissionregistrationv1.IfNeededReinvocationPolicy, admissionregistrationv1.NeverReinvocationPolicy)...)
	return append(errs, validateNotStatic(p.Name, root)...)
}

// validatePolicy checks what both kinds of policies have.
func (x *expressions) validatePolicy(failure *admissionregistrationv1.FailurePolicyType, params *admissionregistrationv1.ParamKind,
	match *admissionregistrationv1.MatchResources, mutates bool, conditions []admissionregistrationv1.MatchCondition, at *field.Path,
) errorList {
	errs := knownIfSet(child(at, "failurePolicy"), failure, admissionregistrationv1.Fail, admissionregistrationv1.Ignore)
	if params != nil {
		errs = append(errs, validateParamKind(params, child(at, "paramKind"))...)
	}
	if match == nil {
		errs = append(errs, field.Required(child(at, "matchConstraints"), ""))
	} else {
		errs = append(errs, validateMatch(match, child(at, "matchConstraints"))...)
		if len(match.ResourceRules) == 0 {
			errs = append(errs, field.Required(child(at, "matchConstraints", "resourceRules"), ""))
		}
		if mutates {
			errs = append(errs, validateMutable(match, child(at, "matchConstraints"))...)
		}
	}
	return append(errs, x.validateMatchConditions(conditions, params != nil, child(at, "matchConditions"))...)
}

func (x *expressions) validateMatchConditions(conditions []admissionregistrationv1.MatchCondition, params bool, at *field.Path) errorList {
	var errs errorList
	if len(conditions) > mostMatchConditions {
		errs = append(errs, field.TooMany(at, len(conditions), mostMatchConditions))
	}
	names := map[string]bool{}
	for i, c := range conditions {
		at := nth(at, i)
		if isBlank(c.Expression) {
			errs = append(errs, field.Required(child(at, "expression"), ""))
		} else {
			e := expression{text: strings.TrimSpace(c.Expression), types: []*celgo.Type{celgo.BoolType}}
			errs = append(errs, compile(x.compiler(), e, mayMention{params: params, authorizer: true}, child(at, "expression"))...)
		}
		if c.Name == "" {
			errs = append(errs, field.Required(child(at, "name"), ""))
			continue
		}
		errs = append(errs, qualifiedName(child(at, "name"), c.Name)...)
		if names[c.Name] {
			errs = append(errs, field.Duplicate(child(at, "name"), c.Name))
		}
		names[c.Name] = true
	}
	return errs
}

func validateParamKind(k *admissionregistrationv1.ParamKind, at *field.Path) errorList {
	errs := validateParamVersion(k.APIVersion, child(at, "apiVersion"))
	if k.Kind == "" {
		return append(errs, field.Required(child(at, "kind"), ""))
	}
	if texts := validation.IsDNS1035Label(strings.ToLower(k.Kind)); len(texts) > 0 {
		errs = append(errs, field.Invalid(child(at, "kind"), k.Kind, "may have mixed case, but should otherwise match: "+strings.Join(texts, ",")))
	}
	return errs
}

func validateParamVersion(apiVersion string, at *field.Path) errorList {
	if apiVersion == "" {
		return errorList{field.Required(at, "")}
	}
	group, version, has := strings.Cut(apiVersion, "/")
	if !has {
		group, version = "", apiVersion
	}
	if strings.Contains(version, "/") {
		return errorList{field.Invalid(at, apiVersion, "unexpected GroupVersion string: "+apiVersion)}
	}
	var errs errorList
	if texts := isDNSSubdomain(group); group != "" && len(texts) > 0 {
		errs = append(errs, field.Invalid(at, group, strings.Join(texts, ",")))
	}
	if version == "" {
		return append(errs, field.Invalid(at, apiVersion, "version must be specified"))
	}
	if texts := validation.IsDNS1035Label(version); len(texts) > 0 {
		errs = append(errs, field.Invalid(at, version, strings.Join(texts, ",")))
	}
	return errs
}

func validateValidation(v *admissionregistrationv1.Validation, c admissioncel.Compiler, params bool, at *field.Path) errorList {
	var errs errorList
	if isBlank(v.Expression) {
		errs = append(errs, field.Required(child(at, "expression"), "expression is not specified"))
	} else {
		e := expression{text: v.Expression, types: []*celgo.Type{celgo.BoolType}}
		errs = append(errs, compile(c, e, mayMention{params: params, authorizer: true}, child(at, "expression"))...)
	}
	switch {
	case v.MessageExpression == "":
	case isBlank(v.MessageExpression):
		errs = append(errs, field.Invalid(child(at, "messageExpression"), v.MessageExpression, "must be non-empty if specified"))
	default:
		e := expression{text: v.MessageExpression, types: []*celgo.Type{celgo.StringType}}
		errs = append(errs, compile(c, e, mayMention{params: params}, child(at, "messageExpression"))...)
	}
	switch {
	case v.Message == "":
	case isBlank(v.Message):
		errs = append(errs, field.Invalid(child(at, "message"), v.Message, "must be non-empty if specified"))
	case strings.ContainsAny(strings.TrimSpace(v.Message), "\n\r"):
		errs = append(errs, field.Invalid(child(at, "message"), v.Message, "must not contain line breaks"))
	}
	return append(errs, knownIfSet(child(at, "reason"), v.Reason,
		metav1.StatusReasonForbidden, metav1.StatusReasonInvalid, metav1.StatusReasonRequestEntityTooLarge)...)
}

// validateAuditAnnotation checks what is written to the audit log, under the policy's name and the annotation's key.
func validateAuditAnnotation(policy string, a *admissionregistrationv1.AuditAnnotation, c admissioncel.Compiler, params bool, at *field.Path) errorList {
	var errs errorList
	if policy == "" {
		errs = append(errs, field.Invalid(child(at, "key"), a.Key, "requires metadata.name be non-empty"))
	} else {
		errs = append(errs, qualifiedName(child(at, "key"), policy+"/"+a.Key)...)
	}
	at = child(at, "valueExpression")
	text := strings.TrimSpace(a.ValueExpression)
	switch {
	case text == "":
		return append(errs, field.Required(at, "valueExpression is not specified"))
	case len(text) > longestAnnotationInBytes:
		return append(errs, field.Required(at, fmt.Sprintf("must not exceed %d bytes in length", longestAnnotationInBytes)))
	}
	e := expression{text: text, types: []*celgo.Type{celgo.StringType, celgo.NullType}}
	return append(errs, compile(c, e, mayMention{params: params, authorizer: true}, at)...)
}

func validateMutation(m *admissionregistrationv1.Mutation, c admissioncel.Compiler, params bool, at *field.Path) errorList {
	var errs errorList
	mention := mayMention{params: params, authorizer: true, patches: true}
	switch m.PatchType {
	case "":
		return errorList{field.Required(child(at, "patchType"), "")}
	case admissionregistrationv1.PatchTypeJSONPatch:
		if m.JSONPatch == nil {
			errs = append(errs, field.Required(child(at, "jsonPatch"), "must be specified when patchType is JSONPatch"))
		} else {
			e := expression{text: m.JSONPatch.Expression, types: []*celgo.Type{celgo.ListType(celgo.ObjectType("JSONPatch"))}}
			errs = append(errs, compilePatch(c, e, mention, child(at, "jsonPatch", "expression"))...)
		}
		if m.ApplyConfiguration != nil {
			errs = append(errs, field.Invalid(child(at, "applyConfiguration"), "{applyConfiguration}", "must not be specified when patchType is JSONPatch"))
		}
	case admissionregistrationv1.PatchTypeApplyConfiguration:
		if m.ApplyConfiguration == nil {
			errs = append(errs, field.Required(child(at, "applyConfiguration"), "must be specified when patchType is ApplyConfiguration"))
		} else {
			e := expression{text: m.ApplyConfiguration.Expression, types: []*celgo.Type{celgo.ObjectType("Object")}}
			errs = append(errs, compilePatch(c, e, mention, child(at, "applyConfiguration", "expression"))...)
		}
		if m.JSONPatch != nil {
			errs = append(errs, field.Invalid(child(at, "jsonPatch"), "{jsonPatch}", "must not be specified when patchType is ApplyConfiguration"))
		}
	default:
		return oneOf(child(at, "patchType"), m.PatchType, admissionregistrationv1.PatchTypeApplyConfiguration, admissionregistrationv1.PatchTypeJSONPatch)
	}
	return errs
}

func compilePatch(c admissioncel.Compiler, e expression, m mayMention, at *field.Path) errorList {
	if e.text = strings.TrimSpace(e.text); e.text == "" {
		return errorList{field.Required(at, "")}
	}
	return compile(c, e, m, at)
}

// validateValidatingPolicyStatus checks what the controller found that checks the types of expressions.
func validateValidatingPolicyStatus(p, _ *admissionregistrationv1.ValidatingAdmissionPolicy, root *field.Path) errorList {
	at := child(root, "status")
	var errs errorList
	if t := p.Status.TypeChecking; t != nil {
		for i, w := range t.ExpressionWarnings {
			at := nth(child(at, "typeChecking", "expressionWarnings"), i)
			errs = append(errs, needed(child(at, "warning"), w.Warning)...)
			errs = append(errs, validateFieldReference(w.FieldRef, child(at, "fieldRef"))...)
		}
	}
	return append(errs, metav1validation.ValidateConditions(p.Status.Conditions, child(at, "conditions"))...)
}

func validateFieldReference(ref string, at *field.Path) errorList {
	if ref = strings.TrimSpace(ref); ref == "" {
		return errorList{field.Required(at, "")}
	}
	if err := jsonpath.New("spec").Parse("{" + ref + "}"); err != nil {
		return errorList{field.Invalid(at, ref, "invalid JSONPath: "+err.Error())}
	}
	return nil
}

func isBlank(s string) bool { return strings.TrimSpace(s) == "" }
