package catalog

import (
	"fmt"
	"math"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"
)

// preparePodStatus keeps what reporters that do not know of it leave out, and drops what features that are off would report.
func preparePodStatus(p, old *corev1.Pod) {
	p.OwnerReferences = old.DeepCopy().OwnerReferences
	now, was := &p.Status, old.Status.DeepCopy()
	setDefaultValue(&now.QOSClass, was.QOSClass)
	if now.ResourceClaimStatuses == nil {
		now.ResourceClaimStatuses = was.ResourceClaimStatuses
	}
	if now.ExtendedResourceClaimStatus == nil {
		now.ExtendedResourceClaimStatus = was.ExtendedResourceClaimStatus
	}
	setDefaultValue(&now.ObservedGeneration, was.ObservedGeneration)
	seen := map[corev1.PodConditionType][]int64{}
	for _, c := range was.Conditions {
		seen[c.Type] = append(seen[c.Type], c.ObservedGeneration)
	}
	for i := range now.Conditions {
		c := &now.Conditions[i]
		if before := seen[c.Type]; len(before) > 0 {
			setDefaultValue(&c.ObservedGeneration, before[0])
			seen[c.Type] = before[1:]
		}
	}
	now.NodeAllocatableResourceClaimStatuses, now.VolumeHealth = nil, nil
	for _, containers := range [][]corev1.ContainerStatus{now.ContainerStatuses, now.InitContainerStatuses, now.EphemeralContainerStatuses} {
		for i := range containers {
			for j := range containers[i].VolumeMounts {
				containers[i].VolumeMounts[j].VolumeStatus = nil
			}
		}
	}
}

// validatePodStatus checks what is reported of a pod.
func validatePodStatus(p, old *corev1.Pod, root *field.Path) errorList {
	at := child(root, "status")
	now, was := &p.Status, &old.Status
	errs := validatePodAnnotationChange(p, old, child(root, "metadata", "annotations"))
	for i, c := range now.Conditions {
		condition := nth(child(at, "conditions"), i)
		errs = append(errs, generationNumber(child(condition, "observedGeneration"), c.ObservedGeneration)...)
		switch c.Type {
		case corev1.PodScheduled, corev1.PodReady, corev1.PodInitialized:
		default:
			errs = append(errs, qualifiedName(child(condition, "Type"), string(c.Type))...)
		}
	}
	if n := now.NominatedNodeName; n != "" && n != was.NominatedNodeName {
		errs = append(errs, objectName(child(at, "nominatedNodeName"), n, apivalidation.NameIsDNSSubdomain)...)
		if old.Spec.NodeName != "" {
			errs = append(errs, field.Forbidden(child(at, "nominatedNodeName"), "may not be set on pods that are already bound to a node"))
		}
	}
	errs = append(errs, generationNumber(child(at, "observedGeneration"), now.ObservedGeneration)...)
	errs = append(errs, unchanged(child(at, "qosClass"), now.QOSClass, was.QOSClass)...)
	errs = append(errs, validateRevival(now.ContainerStatuses, was.ContainerStatuses, old.Spec.Containers, &old.Spec, child(at, "containerStatuses"))...)
	errs = append(errs, validateRevival(now.InitContainerStatuses, was.InitContainerStatuses, old.Spec.InitContainers, &old.Spec, child(at, "initContainerStatuses"))...)
	errs = append(errs, validateRevival(now.EphemeralContainerStatuses, was.EphemeralContainerStatuses, nil, nil, child(at, "ephemeralContainerStatuses"))...)
	errs = append(errs, validateClaimStatuses(p, child(at, "resourceClaimStatuses"))...)
	errs = append(errs, validateExtendedClaim(p, child(at, "extendedResourceClaimStatus"))...)
	errs = append(errs, validatePodIPs(now, child(at, "podIPs"))...)
	errs = append(errs, validateHostIPs(now, child(at, "hostIPs"))...)
	for _, l := range []struct {
		name       string
		statuses   []corev1.ContainerStatus
		containers []corev1.Container
	}{
		{"containerStatuses", now.ContainerStatuses, p.Spec.Containers},
		{"initContainerStatuses", now.InitContainerStatuses, p.Spec.InitContainers},
		{"ephemeralContainerStatuses", now.EphemeralContainerStatuses, nil},
	} {
		for i := range l.statuses {
			errs = append(errs, validateStatusUser(&l.statuses[i], p.Spec.OS, child(nth(child(at, l.name), i), "user", "linux"))...)
		}
	}
	errs = append(errs, validateDeviceHealth(now.ContainerStatuses, p.Spec.Containers, now, child(at, "containerStatuses"))...)
	errs = append(errs, validateDeviceHealth(now.InitContainerStatuses, p.Spec.InitContainers, now, child(at, "initContainerStatuses"))...)
	for i, c := range now.EphemeralContainerStatuses {
		if len(c.AllocatedResourcesStatus) > 0 {
			errs = append(errs, field.Forbidden(child(nth(child(at, "ephemeralContainerStatuses"), i), "allocatedResourcesStatus"), "must not be specified in container status"))
		}
	}
	return errs
}

func generationNumber(at *field.Path, n int64) errorList {
	if n < 0 {
		return errorList{field.Invalid(at, n, "must be a non-negative integer")}
	}
	return nil
}

// validateRevival: a container that has ended runs again only where its restart policy says so. A nil spec: never.
func validateRevival(now, was []corev1.ContainerStatus, containers []corev1.Container, s *corev1.PodSpec, path *field.Path) errorList {
	if s != nil && restartsAll(s) {
		return nil
	}
	var errs errorList
	for i, before := range was {
		ended := before.State.Terminated
		if ended == nil {
			continue
		}
		for _, after := range now {
			if after.Name != before.Name || after.State.Terminated != nil {
				continue
			}
			c := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == before.Name })
			if c < 0 || !restartsAfter(&containers[c], s.RestartPolicy, ended.ExitCode) {
				errs = append(errs, field.Forbidden(child(nth(path, i), "state"), "may not be transitioned to non-terminated state"))
			}
			if s != nil {
				break
			}
		}
	}
	return errs
}

func restartsAll(s *corev1.PodSpec) bool {
	for c := range allContainers(s, nowhere).each {
		for _, r := range c.RestartPolicyRules {
			if r.Action == corev1.ContainerRestartRuleActionRestartAllContainers {
				return true
			}
		}
	}
	return false
}

// restartsAfter tells whether a container runs again that has ended with an exit code.
func restartsAfter(c *corev1.Container, pod corev1.RestartPolicy, code int32) bool {
	policy := string(pod)
	if c.RestartPolicy != nil {
		for _, r := range c.RestartPolicyRules {
			if r.ExitCodes == nil {
				continue
			}
			listed := slices.Contains(r.ExitCodes.Values, code)
			in, notIn := r.ExitCodes.Operator == corev1.ContainerRestartRuleOnExitCodesOpIn, r.ExitCodes.Operator == corev1.ContainerRestartRuleOnExitCodesOpNotIn
			if in && listed || notIn && !listed {
				if r.Action == corev1.ContainerRestartRuleActionRestart {
					return true
				}
				break
			}
		}
		policy = string(*c.RestartPolicy)
	}
	switch policy {
	case string(corev1.RestartPolicyOnFailure):
		return code != 0
	case string(corev1.RestartPolicyNever):
		return false
	}
	return true
}

func validateClaimStatuses(p *corev1.Pod, path *field.Path) errorList {
	var errs errorList
	names := map[string]bool{}
	for i, s := range p.Status.ResourceClaimStatuses {
		at := nth(path, i)
		if !slices.ContainsFunc(p.Spec.ResourceClaims, func(c corev1.PodResourceClaim) bool { return c.Name == s.Name }) {
			errs = append(errs, field.Invalid(child(at, "name"), s.Name, "must match the name of an entry in `spec.resourceClaims`"))
		}
		if names[s.Name] {
			errs = append(errs, field.Duplicate(child(at, "name"), s.Name))
		}
		names[s.Name] = true
		if n := s.ResourceClaimName; n != nil {
			errs = append(errs, objectName(child(at, "resourceClaimName"), *n, apivalidation.NameIsDNSSubdomain)...)
		}
	}
	return errs
}

// validateExtendedClaim checks the claim that was made for extended resources which containers request.
func validateExtendedClaim(p *corev1.Pod, path *field.Path) errorList {
	s := p.Status.ExtendedResourceClaimStatus
	if s == nil {
		return nil
	}
	var errs errorList
	mappings := child(path, "requestMappings")
	if len(s.RequestMappings) == 0 {
		errs = append(errs, field.Required(mappings, "at least one request mapping is required"))
	}
	containers := map[string]*corev1.Container{}
	for i := range p.Spec.InitContainers {
		containers[p.Spec.InitContainers[i].Name] = &p.Spec.InitContainers[i]
	}
	for i := range p.Spec.Containers {
		containers[p.Spec.Containers[i].Name] = &p.Spec.Containers[i]
	}
	seen := map[corev1.ContainerExtendedResourceRequest]bool{}
	for i, m := range s.RequestMappings {
		at := nth(mappings, i)
		if c := containers[m.ContainerName]; c == nil {
			errs = append(errs, field.Invalid(child(at, "containerName"), m.ContainerName, "must match the name of an entry in spec.initContainers.name or spec.containers.name"))
		} else if _, ok := c.Resources.Requests[corev1.ResourceName(m.ResourceName)]; !ok {
			errs = append(errs, field.Invalid(child(at, "resourceName"), m.ResourceName, "must match the extended resource name of an entry in spec.initContainers.resources.requests or spec.containers.resources.requests"))
		}
		errs = append(errs, dnsLabel(child(path, "requestName"), m.RequestName)...)
		if seen[m] {
			errs = append(errs, field.Duplicate(child(at, "containerName"), m.ContainerName), field.Duplicate(child(at, "resourceName"), m.ResourceName),
				field.Duplicate(child(at, "requestName"), m.RequestName))
		}
		seen[m] = true
	}
	if s.ResourceClaimName == "" {
		return append(errs, field.Required(child(path, "resourceClaimName"), ""))
	}
	return append(errs, objectName(child(path, "resourceClaimName"), s.ResourceClaimName, apivalidation.NameIsDNSSubdomain)...)
}

func validatePodIPs(s *corev1.PodStatus, at *field.Path) errorList {
	var errs errorList
	ips := make([]string, len(s.PodIPs))
	for i, ip := range s.PodIPs {
		ips[i] = ip.IP
		errs = append(errs, anIP(nth(at, i), ip.IP)...)
	}
	errs = append(errs, oneOfEachFamily(ips, internalForm(s.PodIPs), at)...)
	switch {
	case (s.PodIP != "") != (len(ips) > 0):
		errs = append(errs, field.Invalid(at, internalForm(s.PodIPs), "podIP and podIPs must either both be set or both be unset"))
	case len(ips) > 0 && s.PodIP != ips[0]:
		errs = append(errs, field.Invalid(child(nth(at, 0), "ip"), ips[0], "must be equal to `podIP`"))
	}
	return errs
}

func validateHostIPs(s *corev1.PodStatus, at *field.Path) errorList {
	if len(s.HostIPs) == 0 {
		return nil
	}
	var errs errorList
	if s.HostIP != s.HostIPs[0].IP {
		errs = append(errs, field.Invalid(child(nth(at, 0), "ip"), s.HostIPs[0].IP, "must be equal to `hostIP`"))
	}
	ips := make([]string, len(s.HostIPs))
	for i, ip := range s.HostIPs {
		ips[i] = ip.IP
		errs = append(errs, anIP(nth(at, i), ip.IP)...)
	}
	return append(errs, oneOfEachFamily(ips, internalForm(s.HostIPs), at)...)
}

func oneOfEachFamily(ips []string, shown any, at *field.Path) errorList {
	if len(ips) < 2 {
		return nil
	}
	var errs errorList
	dual, err := netutils.IsDualStackIPStrings(ips)
	if err != nil {
		errs = append(errs, field.InternalError(at, fmt.Errorf("failed to check for dual stack with error:%v", err)))
	}
	if !dual || len(ips) > 2 {
		errs = append(errs, field.Invalid(at, shown, "may specify no more than one IP for each IP family"))
	}
	return errs
}

func validateStatusUser(c *corev1.ContainerStatus, os *corev1.PodOS, at *field.Path) errorList {
	if c.User == nil || c.User.Linux == nil {
		return nil
	}
	if os != nil && os.Name == corev1.Windows {
		return errorList{field.Forbidden(at, "cannot be set for a windows pod")}
	}
	if os != nil && os.Name != corev1.Linux {
		return nil
	}
	var errs errorList
	u := c.User.Linux
	if u.UID < 0 || u.UID > math.MaxUint32 {
		errs = append(errs, field.Invalid(child(at, "uid"), u.UID, fmt.Sprintf("must be between 0 and %d, inclusive", int64(math.MaxUint32))))
	}
	errs = append(errs, groupID(child(at, "gid"), &u.GID)...)
	for i := range u.SupplementalGroups {
		errs = append(errs, groupID(nth(child(at, "supplementalGroups"), i), &u.SupplementalGroups[i])...)
	}
	return errs
}

// validateDeviceHealth checks what is reported of the devices that containers were given.
func validateDeviceHealth(statuses []corev1.ContainerStatus, containers []corev1.Container, pod *corev1.PodStatus, path *field.Path) errorList {
	var errs errorList
	for i, s := range statuses {
		c := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == s.Name })
		for j, r := range s.AllocatedResourcesStatus {
			at := nth(child(nth(path, i), "allocatedResourcesStatus"), j)
			if c >= 0 {
				errs = append(errs, validateAllocated(r.Name, &containers[c], pod, child(at, "name"))...)
			}
			seen := map[corev1.ResourceID]bool{}
			for k, d := range r.Resources {
				at := nth(child(at, "resources"), k)
				errs = append(errs, oneOf(child(at, "health"), d.Health,
					corev1.ResourceHealthStatusHealthy, corev1.ResourceHealthStatusUnhealthy, corev1.ResourceHealthStatusUnknown)...)
				switch m := d.Message; {
				case m == nil:
				case *m == "":
					errs = append(errs, field.Required(child(at, "message"), "must be non-empty if specified"))
				case len(*m) > corev1.ResourceHealthMessageMaxLength:
					errs = append(errs, field.TooLong(child(at, "message"), *m, corev1.ResourceHealthMessageMaxLength))
				}
				if seen[d.ResourceID] {
					errs = append(errs, field.Duplicate(child(at, "resourceID"), d.ResourceID))
				}
				seen[d.ResourceID] = true
			}
		}
	}
	return errs
}

func validateAllocated(name corev1.ResourceName, c *corev1.Container, pod *corev1.PodStatus, at *field.Path) errorList {
	claim, isClaim := strings.CutPrefix(string(name), "claim:")
	if !isClaim {
		if _, ok := c.Resources.Requests[name]; ok {
			return nil
		}
		return errorList{field.Invalid(at, name, "must match one of the container's resource requests")}
	}
	for _, used := range c.Resources.Claims {
		if claim == used.Name && used.Request == "" || used.Request != "" && claim == used.Name+"/"+used.Request {
			return nil
		}
	}
	claimName, request, _ := strings.Cut(claim, "/")
	if e := pod.ExtendedResourceClaimStatus; e != nil && claimName != "" && request != "" && claimName == e.ResourceClaimName {
		for _, m := range e.RequestMappings {
			q := c.Resources.Requests[corev1.ResourceName(m.ResourceName)]
			if m.ContainerName == c.Name && m.RequestName == request && !q.IsZero() {
				return nil
			}
		}
	}
	return errorList{field.Invalid(at, name, "must match one of the container's resource claims as 'claim:<claimName>/<requestName>' when container.resources.claims[*].request is set or 'claim:<claimName>' when it is empty")}
}
