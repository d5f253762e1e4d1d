package catalog

import (
	"fmt"
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Which requests a webhook or a policy is asked about.

// staticSuffix ends the names of what is configured by files on the server's disk (KEP-5793), and only by them.
const staticSuffix = ".static.k8s.io"

func validateNotStatic(name string, root *field.Path) errorList {
	if !strings.HasSuffix(name, staticSuffix) {
		return nil
	}
	return errorList{field.Invalid(child(root, "metadata", "name"), name, fmt.Sprintf(
		"names ending with %q are reserved for static manifest-based configurations and cannot be managed via the API", staticSuffix))}
}

func validateMatch(m *admissionregistrationv1.MatchResources, at *field.Path) errorList {
	if m == nil {
		return nil
	}
	errs := knownIfSet(child(at, "matchPolicy"), m.MatchPolicy, admissionregistrationv1.Equivalent, admissionregistrationv1.Exact)
	errs = append(errs, validateLabelSelector(m.NamespaceSelector, child(at, "namespaceSelector"))...)
	errs = append(errs, validateLabelSelector(m.ObjectSelector, child(at, "objectSelector"))...)
	for i := range m.ResourceRules {
		errs = append(errs, validateNamedRule(&m.ResourceRules[i], nth(child(at, "resourceRules"), i))...)
	}
	for i := range m.ExcludeResourceRules {
		errs = append(errs, validateNamedRule(&m.ExcludeResourceRules[i], nth(child(at, "excludeResourceRules"), i))...)
	}
	return errs
}

func validateLabelSelector(s *metav1.LabelSelector, at *field.Path) errorList {
	return metav1validation.ValidateLabelSelector(s, metav1validation.LabelSelectorValidationOptions{}, at)
}

func validateNamedRule(r *admissionregistrationv1.NamedRuleWithOperations, at *field.Path) errorList {
	var errs errorList
	seen := before[string]{}
	for i, name := range r.ResourceNames {
		at := nth(child(at, "resourceNames"), i)
		errs = append(errs, invalidEach(at, name, content.IsPathSegmentName(name))...)
		if seen.has(name) {
			errs = append(errs, field.Duplicate(at, name))
		}
	}
	return append(errs, validateAdmissionRule(&r.RuleWithOperations, at)...)
}

// validateMutable refuses rules about deletions: there is nothing to change then.
func validateMutable(m *admissionregistrationv1.MatchResources, at *field.Path) errorList {
	var errs errorList
	for _, rule := range m.ResourceRules {
		for _, op := range rule.Operations {
			errs = append(errs, oneOf(child(at, "resourceRules", "operations"), op, admissionregistrationv1.OperationAll,
				admissionregistrationv1.Connect, admissionregistrationv1.Create, admissionregistrationv1.Update)...)
		}
	}
	return errs
}

func validateAdmissionRule(r *admissionregistrationv1.RuleWithOperations, at *field.Path) errorList {
	var errs errorList
	if len(r.Operations) == 0 {
		errs = append(errs, field.Required(child(at, "operations"), ""))
	}
	if len(r.Operations) > 1 && slices.Contains(r.Operations, admissionregistrationv1.OperationAll) {
		errs = append(errs, field.Invalid(child(at, "operations"), r.Operations, "if '*' is present, must not specify other operations"))
	}
	for i, op := range r.Operations {
		errs = append(errs, oneOf(nth(child(at, "operations"), i), op, admissionregistrationv1.OperationAll, admissionregistrationv1.Connect,
			admissionregistrationv1.Create, admissionregistrationv1.Delete, admissionregistrationv1.Update)...)
	}
	errs = append(errs, someOrAll(r.APIGroups, "API groups", child(at, "apiGroups"))...)
	errs = append(errs, someOrAll(r.APIVersions, "API versions", child(at, "apiVersions"))...)
	for i, version := range r.APIVersions {
		errs = append(errs, needed(nth(child(at, "apiVersions"), i), version)...)
	}
	errs = append(errs, validateRuleResources(r.Resources, child(at, "resources"))...)
	return append(errs, knownIfSet(child(at, "scope"), r.Scope, admissionregistrationv1.AllScopes,
		admissionregistrationv1.ClusterScope, admissionregistrationv1.NamespacedScope)...)
}

// someOrAll demands names, or * alone.
func someOrAll(names []string, what string, at *field.Path) errorList {
	switch {
	case len(names) == 0:
		return errorList{field.Required(at, "")}
	case len(names) > 1 && slices.Contains(names, "*"):
		return errorList{field.Invalid(at, names, "if '*' is present, must not specify other "+what)}
	}
	return nil
}

// validateRuleResources refuses what a wildcard before it covers: pods/log after pods/*.
func validateRuleResources(resources []string, at *field.Path) errorList {
	if len(resources) == 0 {
		return errorList{field.Required(at, "")}
	}
	var errs errorList
	covered := map[string]bool{}
	whole := false // the last of those without subresource is not *
	for i, text := range resources {
		if text == "" {
			errs = append(errs, field.Required(nth(at, i), ""))
			continue
		}
		resource, sub, has := strings.Cut(text, "/")
		if !has {
			whole = text != "*"
			continue
		}
		for _, wildcard := range []string{resource + "/*", "*/" + sub} {
			if covered[wildcard] {
				errs = append(errs, field.Invalid(nth(at, i), text, fmt.Sprintf("if '%s' is present, must not specify %s", wildcard, text)))
			}
		}
		covered[text] = sub == "*" || resource == "*"
	}
	if len(resources) > 1 && slices.Contains(resources, "*/*") {
		errs = append(errs, field.Invalid(at, resources, "if '*/*' is present, must not specify other resources"))
	}
	if whole && slices.Contains(resources, "*") {
		errs = append(errs, field.Invalid(at, resources, "if '*' is present, must not specify other resources without subresources"))
	}
	return errs
}
