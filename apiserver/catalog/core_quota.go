package catalog

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func resourceQuotaKind() *Kind {
	return row[corev1.ResourceQuota, corev1.ResourceQuotaList](corev1.SchemeGroupVersion, Kind{
		Resource:      "resourcequotas",
		ShortNames:    []string{"quota"},
		Namespaced:    true,
		Subresources:  onlyStatus(),
		ReturnDeleted: true,
		Strategy: Strategy{
			Default:              on(defaultQuota),
			PrepareForCreate:     on(func(q *corev1.ResourceQuota) { q.Status = corev1.ResourceQuotaStatus{} }),
			Validate:             check(validateQuota),
			Revalidate:           checkChange(validateQuotaChange),
			ValidateStatusUpdate: checkChange(validateQuotaStatus),
			Warnings:             warnings(quotaWarnings),
		},
		Table: table(quotaCells,
			nameColumn(),
			column("Request", "string", "Request represents a minimum amount of cpu/memory that a container may consume."),
			column("Limit", "string", "Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node."),
			ageColumn(),
		),
	})
}

func defaultQuota(q *corev1.ResourceQuota) {
	roundUp(q.Spec.Hard)
	roundUp(q.Status.Hard)
	roundUp(q.Status.Used)
}

func validateQuota(q *corev1.ResourceQuota, root *field.Path) errorList {
	return append(validateQuotaSpec(&q.Spec, child(root, "spec")), validateQuotaAmounts(&q.Status, root)...)
}

func validateQuotaSpec(s *corev1.ResourceQuotaSpec, path *field.Path) errorList {
	errs := validateQuotaList(s.Hard, child(path, "hard"))
	errs = append(errs, validateScopes(s, child(path, "scopes"))...)
	if s.ScopeSelector != nil {
		errs = append(errs, validateScopeSelector(s, child(path, "scopeSelector", "matchExpressions"))...)
	}
	return errs
}

func validateQuotaList(l corev1.ResourceList, path *field.Path) errorList {
	var errs errorList
	for name, q := range sorted(l).each {
		at := keyed(path, string(name))
		errs = append(errs, quotaResource(name, at)...)
		errs = append(errs, amount(name, q, at)...)
	}
	return errs
}

func validateQuotaAmounts(s *corev1.ResourceQuotaStatus, root *field.Path) errorList {
	return append(validateQuotaList(s.Hard, child(root, "status", "hard")), validateQuotaList(s.Used, child(root, "status", "used"))...)
}

func validateQuotaStatus(q, _ *corev1.ResourceQuota, root *field.Path) errorList {
	return append(needed(child(root, "resourceVersion"), q.ResourceVersion), validateQuotaAmounts(&q.Status, root)...)
}

func isScope(s corev1.ResourceQuotaScope) bool {
	switch s {
	case corev1.ResourceQuotaScopeTerminating, corev1.ResourceQuotaScopeNotTerminating, corev1.ResourceQuotaScopeBestEffort,
		corev1.ResourceQuotaScopeNotBestEffort, corev1.ResourceQuotaScopePriorityClass, corev1.ResourceQuotaScopeVolumeAttributesClass,
		corev1.ResourceQuotaScopeCrossNamespacePodAffinity:
		return true
	}
	return false
}

// scopeFits tells whether a scope says anything about a resource: most scopes are of pods.
func scopeFits(s corev1.ResourceQuotaScope, r corev1.ResourceName) bool {
	compute := []corev1.ResourceName{
		corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory,
		corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory,
	}
	switch {
	case s == corev1.ResourceQuotaScopeBestEffort:
		return r == corev1.ResourcePods
	case s == corev1.ResourceQuotaScopeVolumeAttributesClass:
		return r == corev1.ResourcePersistentVolumeClaims || r == corev1.ResourceRequestsStorage
	case isScope(s):
		return r == corev1.ResourcePods || slices.Contains(compute, r)
	}
	return true
}

// misfits counts the resources of which a scope cannot be.
func misfits(s corev1.ResourceQuotaScope, hard corev1.ResourceList) int {
	n := 0
	for name := range hard {
		if isQuotaResource(name) && !scopeFits(s, name) {
			n++
		}
	}
	return n
}

func validateScopes(s *corev1.ResourceQuotaSpec, at *field.Path) errorList {
	var errs errorList
	for _, scope := range s.Scopes {
		if !isScope(scope) {
			errs = append(errs, field.Invalid(at, s.Scopes, "unsupported scope"))
		}
		for range misfits(scope, s.Hard) {
			errs = append(errs, field.Invalid(at, s.Scopes, "unsupported scope applied to resource"))
		}
	}
	for range conflicts(s.Scopes) {
		errs = append(errs, field.Invalid(at, s.Scopes, "conflicting scopes"))
	}
	return errs
}

// conflicts counts the pairs of scopes that nothing can be in.
func conflicts(scopes []corev1.ResourceQuotaScope) int {
	n := 0
	for _, pair := range [][2]corev1.ResourceQuotaScope{
		{corev1.ResourceQuotaScopeBestEffort, corev1.ResourceQuotaScopeNotBestEffort},
		{corev1.ResourceQuotaScopeTerminating, corev1.ResourceQuotaScopeNotTerminating},
	} {
		if slices.Contains(scopes, pair[0]) && slices.Contains(scopes, pair[1]) {
			n++
		}
	}
	return n
}

func validateScopeSelector(s *corev1.ResourceQuotaSpec, at *field.Path) errorList {
	var errs errorList
	var scopes []corev1.ResourceQuotaScope
	for _, r := range s.ScopeSelector.MatchExpressions {
		scopes = append(scopes, r.ScopeName)
		if !isScope(r.ScopeName) {
			errs = append(errs, field.Invalid(child(at, "scopeName"), r.ScopeName, "unsupported scope"))
		}
		for range misfits(r.ScopeName, s.Hard) {
			errs = append(errs, field.Invalid(at, internalForm(s.ScopeSelector), "unsupported scope applied to resource"))
		}
		switch r.ScopeName {
		case corev1.ResourceQuotaScopeBestEffort, corev1.ResourceQuotaScopeNotBestEffort, corev1.ResourceQuotaScopeTerminating,
			corev1.ResourceQuotaScopeNotTerminating, corev1.ResourceQuotaScopeCrossNamespacePodAffinity:
			if r.Operator != corev1.ScopeSelectorOpExists {
				errs = append(errs, field.Invalid(child(at, "operator"), r.Operator,
					"must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"))
			}
		}
		switch r.Operator {
		case corev1.ScopeSelectorOpIn, corev1.ScopeSelectorOpNotIn:
			if len(r.Values) == 0 {
				errs = append(errs, field.Required(child(at, "values"), "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"))
			}
		case corev1.ScopeSelectorOpExists, corev1.ScopeSelectorOpDoesNotExist:
			if len(r.Values) != 0 {
				errs = append(errs, field.Invalid(child(at, "values"), r.Values, "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"))
			}
		default:
			errs = append(errs, field.Invalid(child(at, "operator"), r.Operator, "not a valid selector operator"))
		}
	}
	for range conflicts(scopes) {
		errs = append(errs, field.Invalid(at, s.Scopes, "conflicting scopes"))
	}
	return errs
}

// validateQuotaChange: what a quota counts stays; how much may change.
func validateQuotaChange(q, old *corev1.ResourceQuota, root *field.Path) errorList {
	errs := validateQuotaSpec(&q.Spec, child(root, "spec"))
	set := func(scopes []corev1.ResourceQuotaScope) []corev1.ResourceQuotaScope {
		return slices.Compact(slices.Sorted(slices.Values(scopes)))
	}
	if !slices.Equal(set(q.Spec.Scopes), set(old.Spec.Scopes)) {
		errs = append(errs, field.Invalid(child(root, "spec", "scopes"), q.Spec.Scopes, validation.FieldImmutableErrorMsg))
	}
	return errs
}

func quotaWarnings(q, old *corev1.ResourceQuota, _ *field.Path) []string {
	if old != nil {
		return nil
	}
	var out []string
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceStorage, corev1.ResourceEphemeralStorage} {
		requests, limits := "requests."+name, "limits."+name
		request, requested := q.Spec.Hard[requests]
		if !requested && (name == corev1.ResourceCPU || name == corev1.ResourceMemory) {
			if request, requested = q.Spec.Hard[name]; requested {
				requests = name
			}
		}
		if limit, limited := q.Spec.Hard[limits]; requested && limited && request.Cmp(limit) > 0 {
			out = append(out, fmt.Sprintf("ResourceQuota %s (%s) should be less than %s (%s)", requests, request.String(), limits, limit.String()))
		}
	}
	return out
}

func quotaCells(q *corev1.ResourceQuota, now time.Time) []any {
	var requests, limits []string
	for name, hard := range sorted(q.Status.Hard).each {
		used := q.Status.Used[name]
		text := fmt.Sprintf("%s: %s/%s", name, used.String(), hard.String())
		if strings.HasPrefix(string(name), "limits.") {
			limits = append(limits, text)
		} else {
			requests = append(requests, text)
		}
	}
	return []any{q.Name, strings.Join(requests, ", "), strings.Join(limits, ", "), Age(q.CreationTimestamp, now)}
}
