package catalog

import (
	"fmt"
	"math"
	"slices"
	"strings"

	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Source of the sentences and limits: k8s.io/kubernetes/pkg/apis/flowcontrol/validation.

func validateFlowSchema(f *flowcontrolv1.FlowSchema, root *field.Path) errorList {
	s, path := &f.Spec, child(root, "spec")
	var errs errorList
	at := child(path, "matchingPrecedence")
	if s.MatchingPrecedence <= 0 {
		errs = append(errs, field.Invalid(at, s.MatchingPrecedence, "must be a positive value"))
	}
	if s.MatchingPrecedence > flowcontrolv1.FlowSchemaMaxMatchingPrecedence {
		errs = append(errs, field.Invalid(at, s.MatchingPrecedence, fmt.Sprintf("must not be greater than %v", flowcontrolv1.FlowSchemaMaxMatchingPrecedence)))
	}
	if s.MatchingPrecedence == 1 && f.Name != flowcontrolv1.FlowSchemaNameExempt {
		errs = append(errs, field.Invalid(at, s.MatchingPrecedence, "only the schema named 'exempt' may have matchingPrecedence 1"))
	}
	methods := []flowcontrolv1.FlowDistinguisherMethodType{flowcontrolv1.FlowDistinguisherMethodByNamespaceType, flowcontrolv1.FlowDistinguisherMethodByUserType}
	if m := s.DistinguisherMethod; m != nil && !slices.Contains(methods, m.Type) {
		errs = append(errs, field.NotSupported(child(path, "distinguisherMethod", "type"), internalForm(m), methods))
	}
	at = child(path, "priorityLevelConfiguration", "name")
	if name := s.PriorityLevelConfiguration.Name; name == "" {
		errs = append(errs, field.Required(at, "must reference a priority level"))
	} else {
		errs = append(errs, invalidEach(at, name, apivalidation.NameIsDNSSubdomain(name, false))...)
	}
	for i := range s.Rules {
		errs = append(errs, validateFlowRule(&s.Rules[i], nth(child(path, "rules"), i))...)
	}
	return errs
}

func validateFlowRule(r *flowcontrolv1.PolicyRulesWithSubjects, path *field.Path) errorList {
	var errs errorList
	for i := range r.Subjects {
		errs = append(errs, validateFlowSubject(&r.Subjects[i], nth(child(path, "subjects"), i))...)
	}
	if len(r.Subjects) == 0 {
		errs = append(errs, field.Required(child(path, "subjects"), "subjects must contain at least one value"))
	}
	if len(r.ResourceRules) == 0 && len(r.NonResourceRules) == 0 {
		errs = append(errs, field.Required(path, "at least one of resourceRules and nonResourceRules has to be non-empty"))
	}
	for i := range r.ResourceRules {
		errs = append(errs, validateResourceRule(&r.ResourceRules[i], nth(child(path, "resourceRules"), i))...)
	}
	for i := range r.NonResourceRules {
		errs = append(errs, validateNonResourceRule(&r.NonResourceRules[i], nth(child(path, "nonResourceRules"), i))...)
	}
	return errs
}

func validateFlowSubject(s *flowcontrolv1.Subject, path *field.Path) errorList {
	known := []flowcontrolv1.SubjectKind{flowcontrolv1.SubjectKindGroup, flowcontrolv1.SubjectKindServiceAccount, flowcontrolv1.SubjectKindUser}
	if !slices.Contains(known, s.Kind) {
		return errorList{field.NotSupported(child(path, "kind"), s.Kind, known)}
	}
	var errs errorList
	for _, member := range []struct {
		kind  flowcontrolv1.SubjectKind
		name  string
		set   bool
		check func(at *field.Path) errorList
	}{
		{flowcontrolv1.SubjectKindServiceAccount, "serviceAccount", s.ServiceAccount != nil, func(at *field.Path) errorList { return validateFlowAccount(s.ServiceAccount, at) }},
		{flowcontrolv1.SubjectKindUser, "user", s.User != nil, func(at *field.Path) errorList { return named(at, s.User.Name) }},
		{flowcontrolv1.SubjectKindGroup, "group", s.Group != nil, func(at *field.Path) errorList { return named(at, s.Group.Name) }},
	} {
		at := child(path, member.name)
		switch wanted := member.kind == s.Kind; {
		case wanted && !member.set:
			errs = append(errs, field.Required(at, fmt.Sprintf("%s is required when subject kind is '%s'", member.name, member.kind)))
		case wanted:
			errs = append(errs, member.check(at)...)
		case member.set:
			errs = append(errs, field.Forbidden(at, fmt.Sprintf("%s is forbidden when subject kind is not '%s'", member.name, member.kind)))
		}
	}
	return errs
}

func named(path *field.Path, name string) errorList {
	if name != "" {
		return nil
	}
	return errorList{field.Required(child(path, "name"), "")}
}

func validateFlowAccount(a *flowcontrolv1.ServiceAccountSubject, path *field.Path) errorList {
	errs := named(path, a.Name)
	if a.Name != "" && a.Name != flowcontrolv1.NameAll {
		errs = append(errs, invalidEach(child(path, "name"), a.Name, apivalidation.ValidateServiceAccountName(a.Name, false))...)
	}
	if a.Namespace == "" {
		return append(errs, field.Required(child(path, "namespace"), "must specify namespace for service account"))
	}
	return append(errs, invalidEach(child(path, "namespace"), a.Namespace, apivalidation.ValidateNamespaceName(a.Namespace, false))...)
}

// validateWildcard checks a list of which '*' must be the only member.
func validateWildcard(path *field.Path, list []string, empty, others string) errorList {
	switch {
	case len(list) == 0:
		return errorList{field.Required(path, empty)}
	case len(list) > 1 && slices.Contains(list, "*"):
		return errorList{field.Invalid(path, list, "if '*' is present, must not specify other "+others)}
	}
	return nil
}

func validateVerbs(path *field.Path, verbs []string) errorList {
	known := []string{"create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"}
	errs := validateWildcard(path, verbs, "verbs must contain at least one value", "verbs")
	unknown := func(v string) bool { return !slices.Contains(known, v) }
	if !slices.Contains(verbs, "*") && slices.ContainsFunc(verbs, unknown) {
		errs = append(errs, field.NotSupported(path, verbs, known))
	}
	return errs
}

func validateResourceRule(r *flowcontrolv1.ResourcePolicyRule, path *field.Path) errorList {
	errs := validateVerbs(child(path, "verbs"), r.Verbs)
	errs = append(errs, validateWildcard(child(path, "apiGroups"), r.APIGroups, "resource rules must supply at least one api group", "api groups")...)
	errs = append(errs, validateWildcard(child(path, "resources"), r.Resources, "resource rules must supply at least one resource", "resources")...)
	at := child(path, "namespaces")
	if len(r.Namespaces) == 0 && r.ClusterScope {
		return errs
	}
	errs = append(errs, validateWildcard(at, r.Namespaces, "resource rules that are not cluster scoped must supply at least one namespace", "namespaces")...)
	if slices.Contains(r.Namespaces, "*") {
		return errs
	}
	for i, ns := range r.Namespaces {
		for _, text := range apivalidation.ValidateNamespaceName(ns, false) {
			errs = append(errs, field.Invalid(nth(at, i), ns, "each member of this list must be '*' or a DNS-1123 label; "+text))
		}
	}
	return errs
}

func validateNonResourceRule(r *flowcontrolv1.NonResourcePolicyRule, path *field.Path) errorList {
	at := child(path, "nonResourceURLs")
	errs := validateVerbs(child(path, "verbs"), r.Verbs)
	errs = append(errs, validateWildcard(at, r.NonResourceURLs, "nonResourceURLs must contain at least one value", "non-resource URLs")...)
	if slices.Contains(r.NonResourceURLs, "*") {
		return errs
	}
	for i, url := range r.NonResourceURLs {
		if text := badURLPath(url); text != "" {
			errs = append(errs, field.Invalid(nth(at, i), url, text))
		}
	}
	return errs
}

func badURLPath(path string) string {
	wildcards := strings.Count(path, "*")
	switch {
	case path == "":
		return "must not be empty"
	case path == "/":
	case !strings.HasPrefix(path, "/"):
		return "must start with slash"
	case strings.Contains(path, " "):
		return "must not contain white-space"
	case strings.Contains(path, "//"):
		return "must not contain double slash"
	case wildcards > 1 || wildcards == 1 && !strings.HasSuffix(path, "/*"):
		return "wildcard can only do suffix matching"
	}
	return ""
}

func validateFlowSchemaStatus(f, _ *flowcontrolv1.FlowSchema, root *field.Path) errorList {
	var types []string
	for _, c := range f.Status.Conditions {
		types = append(types, string(c.Type))
	}
	return validateConditionTypes(types, root)
}

func validatePriorityLevelStatus(p, _ *flowcontrolv1.PriorityLevelConfiguration, root *field.Path) errorList {
	var types []string
	for _, c := range p.Status.Conditions {
		types = append(types, string(c.Type))
	}
	return validateConditionTypes(types, root)
}

func validateConditionTypes(types []string, root *field.Path) errorList {
	var errs errorList
	seen := before[string]{}
	for i, t := range types {
		at := child(nth(child(root, "status", "conditions"), i), "type")
		if seen.has(t) {
			errs = append(errs, field.Duplicate(at, t))
		}
		if t == "" {
			errs = append(errs, field.Required(at, ""))
		}
	}
	return errs
}

func validatePriorityLevel(p *flowcontrolv1.PriorityLevelConfiguration, root *field.Path) errorList {
	s, path := &p.Spec, child(root, "spec")
	var errs errorList
	exempt := s.Type == flowcontrolv1.PriorityLevelEnablementExempt
	if exempt != (p.Name == flowcontrolv1.PriorityLevelConfigurationNameExempt) {
		errs = append(errs, field.Invalid(child(path, "type"), s.Type, "must be 'Exempt' if and only if `name` is 'exempt'"))
	}
	known := []flowcontrolv1.PriorityLevelEnablement{flowcontrolv1.PriorityLevelEnablementExempt, flowcontrolv1.PriorityLevelEnablementLimited}
	limited := s.Type == flowcontrolv1.PriorityLevelEnablementLimited
	if s.Type != "" && !slices.Contains(known, s.Type) {
		errs = append(errs, field.NotSupported(child(path, "type"), s.Type, known))
	}
	if exempt && s.Exempt != nil {
		errs = append(errs, validateShares(value(s.Exempt.NominalConcurrencyShares), s.Exempt.LendablePercent, child(path, "exempt"))...)
	}
	if limited && s.Limited != nil {
		errs = append(errs, validateLimited(s.Limited, child(path, "limited"))...)
	}
	if s.Exempt != nil && !exempt {
		errs = append(errs, declared(field.Forbidden(child(path, "exempt"), ""))...)
	}
	switch {
	case s.Limited != nil && !limited:
		errs = append(errs, declared(field.Forbidden(child(path, "limited"), ""))...)
	case s.Limited == nil && limited:
		errs = append(errs, required(child(path, "limited"), true)...)
	}
	return append(errs, required(child(path, "type"), s.Type == "")...)
}

func validateShares(shares int32, lendable *int32, path *field.Path) errorList {
	var errs errorList
	if shares < 0 {
		errs = append(errs, field.Invalid(child(path, "nominalConcurrencyShares"), shares, "must be a non-negative integer"))
	}
	return append(errs, validatePercent(lendable, child(path, "lendablePercent"))...)
}

func validatePercent(n *int32, path *field.Path) errorList {
	if n == nil || *n >= 0 && *n <= 100 {
		return nil
	}
	return errorList{field.Invalid(path, *n, "must be between 0 and 100, inclusive")}
}

func validateLimited(l *flowcontrolv1.LimitedPriorityLevelConfiguration, path *field.Path) errorList {
	var errs errorList
	if n := value(l.NominalConcurrencyShares); n < 0 {
		errs = append(errs, field.Invalid(child(path, "nominalConcurrencyShares"), n, "must be a non-negative integer"))
	}
	errs = append(errs, validateLimitResponse(&l.LimitResponse, child(path, "limitResponse"))...)
	errs = append(errs, validatePercent(l.LendablePercent, child(path, "lendablePercent"))...)
	if n := l.BorrowingLimitPercent; n != nil && *n < 0 {
		errs = append(errs, field.Invalid(child(path, "borrowingLimitPercent"), *n, "if specified, must be a non-negative integer"))
	}
	return errs
}

func validateLimitResponse(r *flowcontrolv1.LimitResponse, path *field.Path) errorList {
	known := []flowcontrolv1.LimitResponseType{flowcontrolv1.LimitResponseTypeQueue, flowcontrolv1.LimitResponseTypeReject}
	var errs errorList
	if r.Type != "" && !slices.Contains(known, r.Type) {
		errs = append(errs, field.NotSupported(child(path, "type"), r.Type, known))
	}
	switch queues := r.Type == flowcontrolv1.LimitResponseTypeQueue; {
	case queues && r.Queuing == nil:
		errs = append(errs, required(child(path, "queuing"), true)...)
	case queues:
		errs = append(errs, validateQueuing(r.Queuing, child(path, "queuing"))...)
	case r.Queuing != nil:
		errs = append(errs, declared(field.Forbidden(child(path, "queuing"), ""))...)
	}
	return append(errs, required(child(path, "type"), r.Type == "")...)
}

func validateQueuing(q *flowcontrolv1.QueuingConfiguration, path *field.Path) errorList {
	const mostQueues, mostBits = 10_000_000, 60
	var errs errorList
	if q.QueueLengthLimit <= 0 {
		errs = append(errs, field.Invalid(child(path, "queueLengthLimit"), q.QueueLengthLimit, "must be positive"))
	}
	switch {
	case q.Queues <= 0:
		errs = append(errs, field.Invalid(child(path, "queues"), q.Queues, "must be positive"))
	case q.Queues > mostQueues:
		errs = append(errs, field.Invalid(child(path, "queues"), q.Queues, fmt.Sprintf("must not be greater than %d", mostQueues)))
	}
	at := child(path, "handSize")
	switch bits := int(math.Ceil(math.Log2(float64(q.Queues)) * float64(q.HandSize))); {
	case q.HandSize <= 0:
		errs = append(errs, field.Invalid(at, q.HandSize, "must be positive"))
	case q.HandSize > q.Queues:
		errs = append(errs, field.Invalid(at, q.HandSize, fmt.Sprintf("should not be greater than queues (%d)", q.Queues)))
	case bits > mostBits:
		errs = append(errs, field.Invalid(at, q.HandSize,
			fmt.Sprintf("required entropy bits of deckSize %d and handSize %d should not be greater than %d", q.Queues, q.HandSize, mostBits)))
	}
	return errs
}
