package catalog

import (
	"maps"
	"slices"
	"strings"

	"fmt"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	resourcehelper "k8s.io/component-helpers/resource"
)

// validatePodResources checks what a pod requests for all of its containers together.
func validatePodResources(s *corev1.PodSpec, claims claimNames, path *field.Path) errorList {
	r, at := s.Resources, child(path, "resources")
	if r == nil {
		return nil
	}
	if s.OS != nil && s.OS.Name == corev1.Windows {
		return errorList{field.Forbidden(at, "may not be set for a windows pod")}
	}
	var errs errorList
	if r.Claims != nil {
		errs = append(errs, field.Forbidden(child(at, "claims"), "claims may not be set for Resources at pod-level"))
	}
	errs = append(errs, validateRequirements(r, podResource, claims, at)...)
	pod := &corev1.Pod{Spec: *s}
	for name, sum := range sorted(resourcehelper.AggregateContainerRequests(pod, resourcehelper.PodResourcesOptions{})).each {
		if q, ok := r.Requests[name]; ok && sum.Cmp(q) > 0 {
			errs = append(errs, field.Invalid(keyed(child(at, "requests"), string(name)), q.String(),
				fmt.Sprintf("must be greater than or equal to aggregate container requests of %s", sum.String())))
		}
	}
	for name, sum := range sorted(resourcehelper.AggregateContainerLimits(pod, resourcehelper.PodResourcesOptions{})).each {
		if q, ok := r.Limits[name]; ok && isHugePages(name) && sum.Cmp(q) > 0 {
			errs = append(errs, field.Invalid(keyed(child(at, "limits"), string(name)), q.String(),
				fmt.Sprintf("must be greater than or equal to aggregate container limits of %s", sum.String())))
		}
	}
	for i, c := range s.Containers {
		for name, limit := range sorted(c.Resources.Limits).each {
			if q, ok := r.Limits[name]; ok && limit.Cmp(q) > 0 {
				errs = append(errs, field.Invalid(child(keyed(nth(child(at, "containers"), i), string(name)), "limits"), limit.String(),
					fmt.Sprintf("must be less than or equal to pod limits of %s", q.String())))
			}
		}
	}
	return errs
}

// defaultPodResources completes what a pod requests for all of its containers from what they request themselves.
func defaultPodResources(s *corev1.PodSpec) {
	r := s.Resources
	if r == nil || len(r.Requests) == 0 && len(r.Limits) == 0 {
		return
	}
	pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: s.Containers, InitContainers: s.InitContainers}}
	limits := resourcehelper.AggregateContainerLimits(pod, resourcehelper.PodResourcesOptions{})
	for name, sum := range limits {
		if _, requested := r.Requests[name]; resourcehelper.IsSupportedPodLevelResource(name) && isHugePages(name) && !requested {
			setAmount(&r.Limits, name, sum)
		}
	}
	for name, sum := range resourcehelper.AggregateContainerRequests(pod, resourcehelper.PodResourcesOptions{}) {
		if resourcehelper.IsSupportedPodLevelResource(name) && canOvercommit(name) {
			setAmount(&r.Requests, name, sum)
		}
	}
	for name, limit := range r.Limits {
		if resourcehelper.IsSupportedPodLevelResource(name) {
			setAmount(&r.Requests, name, limit)
		}
	}
	for name, request := range r.Requests {
		if !resourcehelper.IsSupportedPodLevelResource(name) || !allLimited(s, name) {
			continue
		}
		limit, ok := limits[name]
		if !ok {
			continue
		}
		if request.Cmp(limit) > 0 {
			limit = request
		}
		setAmount(&r.Limits, name, limit)
	}
}

// allLimited tells whether all containers of a pod have a limit of a resource.
func allLimited(s *corev1.PodSpec, r corev1.ResourceName) bool {
	for c := range allContainers(s, nowhere).each {
		if _, ok := c.Resources.Limits[r]; !ok {
			return false
		}
	}
	return true
}

// claimNames are the resource claims that containers may use, and what is said of any other: one text for all, as long as it may be.
type claimNames struct {
	known   map[string]bool
	unknown string
}

func claimNamesOf(claims []corev1.PodResourceClaim) claimNames {
	names := claimNames{unknown: "must be one of the names in pod.spec.resourceClaims which is empty"}
	if len(claims) == 0 {
		return names
	}
	names.known = map[string]bool{}
	for _, c := range claims {
		if c.Name != "" {
			names.known[c.Name] = true
		}
	}
	if len(names.known) > 0 {
		names.unknown = "must be one of the names in pod.spec.resourceClaims: " + strings.Join(slices.Sorted(maps.Keys(names.known)), ", ")
	}
	return names
}

// validateResourceClaims checks the devices that a pod claims.
func validateResourceClaims(claims []corev1.PodResourceClaim, meta *metav1.ObjectMeta, path *field.Path) (errs errorList) {
	seen := map[string]bool{}
	for i, c := range claims {
		if meta != nil {
			if _, ok := meta.Annotations[mirrorPod]; ok {
				errs = append(errs, field.Forbidden(field.NewPath(""), "static pods do not support resource claims"))
				continue
			}
		}
		at := nth(path, i)
		switch {
		case c.Name == "":
			errs = append(errs, field.Required(child(at, "name"), ""))
		case seen[c.Name]:
			errs = append(errs, field.Duplicate(child(at, "name"), c.Name))
		default:
			errs = append(errs, dnsLabel(child(at, "name"), c.Name)...)
			seen[c.Name] = true
		}
		if c.ResourceClaimName != nil && c.ResourceClaimTemplateName != nil {
			errs = append(errs, field.Invalid(at, internalForm(c), "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"))
		}
		if c.ResourceClaimName == nil && c.ResourceClaimTemplateName == nil {
			errs = append(errs, field.Invalid(at, internalForm(c), "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"))
		}
		if n := c.ResourceClaimName; n != nil {
			errs = append(errs, objectName(child(at, "resourceClaimName"), *n, apivalidation.NameIsDNSSubdomain)...)
		}
		if n := c.ResourceClaimTemplateName; n != nil {
			errs = append(errs, objectName(child(at, "resourceClaimTemplateName"), *n, apivalidation.NameIsDNSSubdomain)...)
		}
	}
	return errs
}
