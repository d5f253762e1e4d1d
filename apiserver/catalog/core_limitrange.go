package catalog

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func limitRangeKind() *Kind {
	return row[corev1.LimitRange, corev1.LimitRangeList](corev1.SchemeGroupVersion, Kind{
		Resource:   "limitranges",
		ShortNames: []string{"limits"},
		Namespaced: true,
		Strategy: Strategy{
			Default: on(defaultLimitRange),
			PrepareForCreate: on(func(l *corev1.LimitRange) {
				if l.Name == "" {
					l.Name = uuid.NewString()
				}
			}),
			Validate:            check(validateLimitRange),
			AllowCreateOnUpdate: true,
		},
	})
}

func defaultLimitRange(l *corev1.LimitRange) {
	for i := range l.Spec.Limits {
		item := &l.Spec.Limits[i]
		if item.Type == corev1.LimitTypeContainer {
			fill(&item.Default, item.Max)
			fill(&item.DefaultRequest, item.Default)
			fill(&item.DefaultRequest, item.Min)
		}
		for _, list := range []corev1.ResourceList{item.Max, item.Min, item.Default, item.DefaultRequest, item.MaxLimitRequestRatio} {
			roundUp(list)
		}
	}
}

// fill adds what a list lacks of another.
func fill(l *corev1.ResourceList, from corev1.ResourceList) {
	for name, q := range from {
		setAmount(l, name, q)
	}
}

func validateLimitRange(l *corev1.LimitRange, root *field.Path) errorList {
	var errs errorList
	seen := map[corev1.LimitType]bool{}
	for i := range l.Spec.Limits {
		item, at := &l.Spec.Limits[i], nth(child(root, "spec", "limits"), i)
		errs = append(errs, validateLimitType(item.Type, child(at, "type"))...)
		if seen[item.Type] {
			errs = append(errs, field.Duplicate(child(at, "type"), item.Type))
		}
		seen[item.Type] = true
		errs = append(errs, validateLimitItem(item, at)...)
	}
	return errs
}

func validateLimitType(t corev1.LimitType, at *field.Path) errorList {
	if errs := invalidEach(at, t, isQualifiedName(string(t))); len(errs) > 0 {
		return errs
	}
	switch t {
	case corev1.LimitTypePod, corev1.LimitTypeContainer, corev1.LimitTypePersistentVolumeClaim:
		return nil
	}
	if strings.Contains(string(t), "/") {
		return nil
	}
	return errorList{field.Invalid(at, t, "must be a standard limit type or fully qualified")}
}

func validateLimitItem(item *corev1.LimitRangeItem, at *field.Path) errorList {
	var errs errorList
	name := anyResource
	if item.Type == corev1.LimitTypePod || item.Type == corev1.LimitTypeContainer {
		name = containerResource
	}
	names := map[corev1.ResourceName]bool{}
	list := func(l corev1.ResourceList, path *field.Path) {
		for r := range sorted(l).each {
			errs = append(errs, name(r, keyed(path, string(r)))...)
			names[r] = true
		}
	}
	list(item.Max, child(at, "max"))
	list(item.Min, child(at, "min"))
	defaults, requests := item.Default, item.DefaultRequest
	if item.Type == corev1.LimitTypePod {
		if len(defaults) > 0 {
			errs = append(errs, field.Forbidden(child(at, "default"), "may not be specified when `type` is 'Pod'"))
		}
		if len(requests) > 0 {
			errs = append(errs, field.Forbidden(child(at, "defaultRequest"), "may not be specified when `type` is 'Pod'"))
		}
		defaults, requests = nil, nil
	}
	list(defaults, child(at, "default"))
	list(requests, child(at, "defaultRequest"))
	if item.Type == corev1.LimitTypePersistentVolumeClaim {
		_, least := item.Min[corev1.ResourceStorage]
		if _, most := item.Max[corev1.ResourceStorage]; !least && !most {
			errs = append(errs, field.Required(child(at, "limits"), "either minimum or maximum storage value is required, but neither was provided"))
		}
	}
	list(item.MaxLimitRequestRatio, child(at, "maxLimitRequestRatio"))
	for r := range sorted(names).each {
		errs = append(errs, validateLimits(r, item, defaults, requests, at)...)
	}
	return errs
}

// validateLimits checks the order of what is said of one resource: at least, requested, limited, at most.
func validateLimits(r corev1.ResourceName, item *corev1.LimitRangeItem, defaults, requests corev1.ResourceList, at *field.Path) errorList {
	var errs errorList
	key := string(r)
	least, hasLeast := item.Min[r]
	most, hasMost := item.Max[r]
	limit, hasLimit := defaults[r]
	request, hasRequest := requests[r]
	ratio, hasRatio := item.MaxLimitRequestRatio[r]
	order := func(low, high resource.Quantity, list string, shown resource.Quantity, format string) {
		if low.Cmp(high) > 0 {
			errs = append(errs, field.Invalid(keyed(child(at, list), key), shown, fmt.Sprintf(format, low.String(), high.String())))
		}
	}
	if hasLeast && hasMost {
		order(least, most, "min", least, "min value %s is greater than max value %s")
	}
	if hasRequest && hasLeast {
		order(least, request, "defaultRequest", request, "min value %s is greater than default request value %s")
	}
	if hasRequest && hasMost {
		order(request, most, "defaultRequest", request, "default request value %s is greater than max value %s")
	}
	if hasRequest && hasLimit {
		order(request, limit, "defaultRequest", request, "default request value %s is greater than default limit value %s")
	}
	if hasLimit && hasLeast {
		order(least, limit, "default", least, "min value %s is greater than default value %s")
	}
	if hasLimit && hasMost {
		order(limit, most, "default", most, "default value %s is greater than max value %s")
	}
	if hasRatio && ratio.CmpInt64(1) < 0 {
		errs = append(errs, field.Invalid(keyed(child(at, "maxLimitRequestRatio"), key), ratio, fmt.Sprintf("ratio %s is less than 1", ratio.String())))
	}
	if hasRatio && hasLeast && hasMost {
		if asked, possible := ratios(ratio, least, most); asked > possible {
			errs = append(errs, field.Invalid(keyed(child(at, "maxLimitRequestRatio"), key), ratio,
				fmt.Sprintf("ratio %s is greater than max/min = %f", ratio.String(), possible)))
		}
	}
	if hasLimit && hasRequest && !canOvercommit(r) && limit.Cmp(request) != 0 {
		errs = append(errs, field.Invalid(keyed(child(at, "defaultRequest"), key), request,
			fmt.Sprintf("default value %s must equal to defaultRequest value %s in %s", limit.String(), request.String(), r)))
	}
	return errs
}

// ratios are the ratio of limit to request that is allowed, and the greatest that there can be; in thousandths where
// the numbers are small enough.
func ratios(ratio, least, most resource.Quantity) (asked, possible float64) {
	asked = float64(ratio.Value())
	low, high := least.Value(), most.Value()
	if ratio.Value() < resource.MaxMilliValue && low < resource.MaxMilliValue && high < resource.MaxMilliValue {
		asked = float64(ratio.MilliValue()) / 1000
		low, high = least.MilliValue(), most.MilliValue()
	}
	return asked, float64(high) / float64(low)
}
