package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"
	resourcehelper "k8s.io/component-helpers/resource"
)

// Names and amounts of resources: what containers request, nodes offer, and quotas count.
// Source: k8s.io/kubernetes/pkg/apis/core/helper and validation.

func isHugePages(r corev1.ResourceName) bool {
	return strings.HasPrefix(string(r), corev1.ResourceHugePagesPrefix)
}

// isNative tells whether Kubernetes itself knows a resource.
func isNative(r corev1.ResourceName) bool {
	return !strings.Contains(string(r), "/") || strings.Contains(string(r), corev1.ResourceDefaultNamespacePrefix)
}

// isExtended tells whether a resource is somebody else's, such as example.com/gpu.
func isExtended(r corev1.ResourceName) bool {
	if isNative(r) || strings.HasPrefix(string(r), corev1.DefaultResourceRequestsPrefix) {
		return false
	}
	return len(isQualifiedName(corev1.DefaultResourceRequestsPrefix+string(r))) == 0
}

// canOvercommit tells whether more of a resource may be allowed than there is.
func canOvercommit(r corev1.ResourceName) bool { return isNative(r) && !isHugePages(r) }

// isCountedObject tells whether a resource is a number of objects, which is whole.
func isCountedObject(r corev1.ResourceName) bool {
	switch r {
	case corev1.ResourcePods, corev1.ResourceQuotas, corev1.ResourceServices, corev1.ResourceReplicationControllers,
		corev1.ResourceSecrets, corev1.ResourceConfigMaps, corev1.ResourcePersistentVolumeClaims,
		corev1.ResourceServicesNodePorts, corev1.ResourceServicesLoadBalancers:
		return true
	}
	return false
}

// isQuotaResource tells whether a quota can count a resource by this name, besides counts of objects of any kind.
func isQuotaResource(r corev1.ResourceName) bool {
	switch r {
	case corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage,
		corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory, corev1.ResourceRequestsStorage, corev1.ResourceRequestsEphemeralStorage,
		corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory, corev1.ResourceLimitsEphemeralStorage:
		return true
	}
	return isCountedObject(r) || isHugePages(r) || strings.HasPrefix(string(r), corev1.ResourceRequestsHugePagesPrefix)
}

// anyResource checks a resource's name.
func anyResource(r corev1.ResourceName, at *field.Path) errorList {
	if errs := invalidEach(at, r, isQualifiedName(string(r))); len(errs) > 0 {
		return errs
	}
	if !strings.Contains(string(r), "/") && !isQuotaResource(r) && r != corev1.ResourceStorage {
		return errorList{field.Invalid(at, r, "must be a standard resource type or fully qualified")}
	}
	return nil
}

// containerResource checks the name of a resource that a container requests.
func containerResource(r corev1.ResourceName, at *field.Path) errorList {
	errs := anyResource(r, at)
	if !strings.Contains(string(r), "/") {
		if r != corev1.ResourceCPU && r != corev1.ResourceMemory && r != corev1.ResourceEphemeralStorage && !isHugePages(r) {
			errs = append(errs, field.Invalid(at, r, "must be a standard resource for containers"))
		}
	} else if !isNative(r) && !isExtended(r) {
		errs = append(errs, field.Invalid(at, r, "doesn't follow extended resource name standard"))
	}
	return errs
}

// podResource checks the name of a resource that a pod requests for all its containers.
func podResource(r corev1.ResourceName, at *field.Path) errorList {
	if errs := anyResource(r, at); len(errs) > 0 {
		return errs
	}
	if !resourcehelper.IsSupportedPodLevelResource(r) {
		return errorList{field.NotSupported(at, r, slices.Sorted(maps.Keys(resourcehelper.SupportedPodLevelResources())))}
	}
	return nil
}

// quotaResource checks the name of a resource that a quota counts.
func quotaResource(r corev1.ResourceName, at *field.Path) errorList {
	errs := anyResource(r, at)
	if !strings.Contains(string(r), "/") && !isQuotaResource(r) {
		errs = append(errs, field.Invalid(at, r, "must be a standard resource for quota"))
	}
	return errs
}

// amount checks how much of a resource there is.
func amount(r corev1.ResourceName, q resource.Quantity, at *field.Path) errorList {
	var errs errorList
	if q.Sign() < 0 {
		errs = append(errs, field.Invalid(at, q.String(), "must be greater than or equal to 0"))
	}
	if (isCountedObject(r) || isExtended(r)) && q.MilliValue()%1000 != 0 {
		errs = append(errs, field.Invalid(at, q, "must be an integer"))
	}
	return errs
}

// aQuantity checks an amount of which only the sign matters.
func aQuantity(q resource.Quantity, at *field.Path) errorList {
	if q.Value() < 0 {
		return errorList{field.Invalid(at, q.Value(), "must be a valid resource quantity")}
	}
	return nil
}

func positiveQuantity(q resource.Quantity, at *field.Path) errorList {
	if q.Sign() <= 0 {
		return errorList{field.Invalid(at, q.String(), "must be greater than zero")}
	}
	return nil
}

// validateRequirements checks what is requested and allowed; name checks the names of resources.
func validateRequirements(r *corev1.ResourceRequirements, name func(corev1.ResourceName, *field.Path) errorList, claims claimNames, path *field.Path) errorList {
	var errs errorList
	limits, requests := child(path, "limits"), child(path, "requests")
	hugePages, compute := false, false
	one := func(r corev1.ResourceName, q resource.Quantity, at *field.Path) {
		errs = append(errs, name(r, at)...)
		errs = append(errs, amount(r, q, at)...)
		compute = compute || r == corev1.ResourceCPU || r == corev1.ResourceMemory
	}
	pages := func(r corev1.ResourceName, q resource.Quantity, at *field.Path) {
		if isHugePages(r) {
			hugePages = true
			errs = append(errs, wholePages(r, q, at)...)
		}
	}
	for name, q := range sorted(r.Limits).each {
		at := keyed(limits, string(name))
		one(name, q, at)
		pages(name, q, at)
	}
	for name, q := range sorted(r.Requests).each {
		at := keyed(requests, string(name))
		one(name, q, at)
		limit, limited := r.Limits[name]
		switch {
		case limited && q.Cmp(limit) != 0 && !canOvercommit(name):
			errs = append(errs, field.Invalid(requests, q.String(), fmt.Sprintf("must be equal to %s limit of %s", name, limit.String())))
		case limited && q.Cmp(limit) > 0:
			errs = append(errs, field.Invalid(requests, q.String(), fmt.Sprintf("must be less than or equal to %s limit of %s", name, limit.String())))
		case !limited && !canOvercommit(name):
			errs = append(errs, field.Required(limits, "Limit must be set for non overcommitable resources"))
		}
		pages(name, q, at)
	}
	if hugePages && !compute {
		errs = append(errs, field.Forbidden(path, "HugePages require cpu or memory"))
	}
	return append(errs, validateClaimNames(r.Claims, claims, child(path, "claims"))...)
}

// wholePages: of huge pages one cannot have a part.
func wholePages(r corev1.ResourceName, q resource.Quantity, at *field.Path) errorList {
	size, err := resource.ParseQuantity(strings.TrimPrefix(string(r), corev1.ResourceHugePagesPrefix))
	if err == nil && size.Sign() > 0 && size.MilliValue()%1000 == 0 && q.Value()%size.Value() == 0 {
		return nil
	}
	return errorList{field.Invalid(at, q.String(), fmt.Sprintf("%s is not positive integer multiple of %s", q.String(), r))}
}

// validateClaimNames checks which of the pod's resource claims a container uses: all of one, or a request of it.
func validateClaimNames(used []corev1.ResourceClaim, claims claimNames, path *field.Path) errorList {
	var errs errorList
	seen, requests := map[string]bool{}, map[string]int{} // of each claim
	for i, c := range used {
		at := nth(path, i)
		if c.Name == "" {
			errs = append(errs, field.Required(at, ""))
			continue
		}
		if seen[c.Name] {
			errs = append(errs, field.Duplicate(at, c.Name))
		} else {
			key := c.Name
			if c.Request != "" {
				errs = append(errs, dnsLabel(child(at, "request"), c.Request)...)
				key += "/" + c.Request
			}
			if seen[key] {
				errs = append(errs, field.Duplicate(at, key))
			} else if c.Request == "" {
				for range requests[c.Name] {
					errs = append(errs, field.Duplicate(at, c.Name))
				}
			}
			if name, _, ok := strings.Cut(key, "/"); ok && !seen[key] {
				requests[name]++
			}
			seen[key] = true
		}
		if !claims.known[c.Name] {
			err := field.NotFound(at, c.Name)
			err.Detail = claims.unknown
			errs = append(errs, err)
		}
	}
	return errs
}
