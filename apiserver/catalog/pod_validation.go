package catalog

import (
	"fmt"
	"math"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Source of the rules and their sentences: k8s.io/kubernetes/pkg/apis/core/validation/validation.go.
// Paths are given as Kubernetes gives them, slips included: people search the web for them.

// validatePod checks a new pod.
func validatePod(p *corev1.Pod, root *field.Path) errorList {
	spec := child(root, "spec")
	errs := validateAnyPod(p, root)
	if len(p.Spec.EphemeralContainers) > 0 {
		errs = append(errs, field.Forbidden(child(spec, "ephemeralContainers"), "cannot be set on create"))
	}
	if p.Spec.NodeName != "" && len(p.Spec.SchedulingGates) > 0 {
		errs = append(errs, field.Forbidden(child(spec, "nodeName"), "cannot be set until all schedulingGates have been cleared"))
	}
	return append(errs, validateAnnotationsAgree(p.Annotations, &p.Spec, spec)...)
}

// validateAnyPod checks what must hold of a pod at all times.
func validateAnyPod(p *corev1.Pod, root *field.Path) errorList {
	spec := child(root, "spec")
	errs := validatePodAnnotations(p.Annotations, &p.Spec, child(root, "metadata", "annotations"))
	errs = append(errs, validatePodSpec(&p.Spec, &p.ObjectMeta, spec)...)
	if p.Spec.ServiceAccountName == "" { // whose token would it be?
		for i, v := range p.Spec.Volumes {
			if v.Projected == nil {
				continue
			}
			for j, s := range v.Projected.Sources {
				if s.ServiceAccountToken != nil {
					errs = append(errs, field.Forbidden(child(nth(child(nth(child(spec, "volumes"), i), "projected", "sources"), j), "serviceAccountToken"),
						"must not be specified when serviceAccountName is not set"))
				}
			}
		}
	}
	if g := p.Spec.TerminationGracePeriodSeconds; g != nil {
		errs = append(errs, nonNegative(child(spec, "terminationGracePeriodSeconds"), *g)...)
	}
	for i := range p.Spec.Containers {
		errs = append(errs, imagePadding(&p.Spec.Containers[i], nth(child(spec, "containers"), i))...)
	}
	for i := range p.Spec.InitContainers {
		errs = append(errs, imagePadding(&p.Spec.InitContainers[i], nth(child(spec, "initContainers"), i))...)
	}
	return errs
}

// validatePodTemplateSpec checks the pods-to-be of a workload.
func validatePodTemplateSpec(t *corev1.PodTemplateSpec, path *field.Path) errorList {
	spec := child(path, "spec")
	errs := validateLabels(t.Labels, child(path, "labels"))
	errs = append(errs, validateAnnotations(t.Annotations, child(path, "annotations"))...)
	errs = append(errs, validatePodAnnotations(t.Annotations, &t.Spec, child(path, "annotations"))...)
	errs = append(errs, validatePodSpec(&t.Spec, nil, spec)...)
	errs = append(errs, validateAnnotationsAgree(t.Annotations, &t.Spec, spec)...)
	if len(t.Spec.EphemeralContainers) > 0 {
		errs = append(errs, field.Forbidden(child(spec, "ephemeralContainers"), "ephemeral containers not allowed in pod template"))
	}
	return errs
}

// validatePodSpec checks a pod's spec; meta is the pod's, nil for a template.
func validatePodSpec(s *corev1.PodSpec, meta *metav1.ObjectMeta, path *field.Path) errorList {
	var errs errorList
	if s.TerminationGracePeriodSeconds == nil {
		errs = append(errs, field.Required(child(path, "terminationGracePeriodSeconds"), ""))
	}
	volumes := volumesByName{}
	errs = append(errs, validateVolumes(s.Volumes, meta, volumes, child(path, "volumes"))...)
	errs = append(errs, validateResourceClaims(s.ResourceClaims, meta, child(path, "resourceClaims"))...)
	claims := claimNamesOf(s.ResourceClaims)
	k := &containerCheck{spec: s, volumes: volumes, claims: claims}
	errs = append(errs, k.containers(child(path, "containers"))...)
	errs = append(errs, k.initContainers(child(path, "initContainers"))...)
	errs = append(errs, k.ephemeralContainers(child(path, "ephemeralContainers"))...)
	errs = append(errs, validatePodResources(s, claims, path)...)
	errs = append(errs, validateHostNetworkPorts(s, meta != nil, child(path, "containers"))...)
	errs = append(errs, neededOneOf(child(path, "restartPolicy"), s.RestartPolicy,
		corev1.RestartPolicyAlways, corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever)...)
	errs = append(errs, neededOneOf(child(path, "dnsPolicy"), s.DNSPolicy,
		corev1.DNSClusterFirstWithHostNet, corev1.DNSClusterFirst, corev1.DNSDefault, corev1.DNSNone)...)
	errs = append(errs, validateLabels(s.NodeSelector, child(path, "nodeSelector"))...)
	errs = append(errs, validatePodSecurity(s, child(path, "securityContext"))...)
	if value(s.ShareProcessNamespace) && s.HostPID {
		errs = append(errs, field.Invalid(child(path, "shareProcessNamespace"), true, "ShareProcessNamespace and HostPID cannot both be enabled"))
	}
	errs = append(errs, validateAffinity(s.Affinity, child(path, "affinity"))...)
	errs = append(errs, validateDNSConfig(s, child(path, "dnsConfig"))...)
	for i, g := range s.ReadinessGates {
		errs = append(errs, qualifiedName(child(nth(child(path, "readinessGates"), i), "conditionType"), string(g.ConditionType))...)
	}
	errs = append(errs, validateSchedulingGates(s.SchedulingGates, child(path, "schedulingGates"))...)
	errs = append(errs, validateSpread(s.TopologySpreadConstraints, child(path, "topologySpreadConstraints"))...)
	errs = append(errs, validateHostProcess(s, path)...)
	errs = append(errs, validateHostUsers(s, path)...)
	errs = append(errs, validateHostNames(s, path)...)
	errs = append(errs, validatePodNames(s, path)...)
	if s.Overhead != nil {
		errs = append(errs, validateRequirements(&corev1.ResourceRequirements{Limits: s.Overhead}, containerResource, claimNames{}, child(path, "overhead"))...)
	}
	errs = append(errs, validateOS(s, path)...)
	return append(errs, validateFileKeyVolumes(s, path)...)
}

// validatePodNames checks the names that a pod's spec mentions, and some numbers among them.
func validatePodNames(s *corev1.PodSpec, path *field.Path) errorList {
	var errs errorList
	if s.ServiceAccountName != "" {
		errs = append(errs, objectName(child(path, "serviceAccountName"), s.ServiceAccountName, apivalidation.ValidateServiceAccountName)...)
	}
	if s.DeprecatedServiceAccount != s.ServiceAccountName {
		errs = append(errs, field.Invalid(child(path, "deprecatedServiceAccount"), s.DeprecatedServiceAccount,
			fmt.Sprintf("must be the same as serviceAccountName: %q", s.ServiceAccountName)))
	}
	if s.NodeName != "" {
		errs = append(errs, objectName(child(path, "nodeName"), s.NodeName, apivalidation.NameIsDNSSubdomain)...)
	}
	if d := s.ActiveDeadlineSeconds; d != nil {
		errs = append(errs, within(child(path, "activeDeadlineSeconds"), *d, 1, math.MaxInt32)...)
	}
	if s.Hostname != "" {
		errs = append(errs, dnsLabel(child(path, "hostname"), s.Hostname)...)
	}
	if s.Subdomain != "" {
		errs = append(errs, dnsLabel(child(path, "subdomain"), s.Subdomain)...)
	}
	errs = append(errs, validateTolerations(s.Tolerations, child(path, "tolerations"))...)
	for i, a := range s.HostAliases {
		at := nth(child(path, "hostAliases"), i)
		errs = append(errs, anIP(child(at, "ip"), a.IP)...)
		for j, name := range a.Hostnames {
			errs = append(errs, dnsSubdomain(nth(child(at, "hostnames"), j), name)...)
		}
	}
	if s.PriorityClassName != "" {
		errs = append(errs, objectName(child(path, "priorityClassName"), s.PriorityClassName, apivalidation.NameIsDNSSubdomain)...)
	}
	if n := s.RuntimeClassName; n != nil {
		errs = append(errs, objectName(child(path, "runtimeClassName"), *n, apivalidation.NameIsDNSSubdomain)...)
	}
	if p := s.PreemptionPolicy; p != nil {
		errs = append(errs, neededOneOf(child(path, "preemptionPolicy"), *p, corev1.PreemptLowerPriority, corev1.PreemptNever)...)
	}
	return errs
}

// validateHostNetworkPorts: on the node's network a container's port is the node's. Templates may leave that open.
func validateHostNetworkPorts(s *corev1.PodSpec, always bool, path *field.Path) errorList {
	if !s.HostNetwork {
		return nil
	}
	var errs errorList
	for i, c := range s.Containers {
		for j, p := range c.Ports {
			if p.HostPort != p.ContainerPort && (always || p.HostPort != 0) {
				errs = append(errs, field.Invalid(child(nth(child(nth(path, i), "ports"), j), "hostPort"), p.HostPort,
					"must match `containerPort` when `hostNetwork` is true"))
			}
		}
	}
	return errs
}

func validateDNSConfig(s *corev1.PodSpec, at *field.Path) errorList {
	const mostNameservers, mostSearches, mostCharacters = 3, 32, 2048
	c := s.DNSConfig
	if s.DNSPolicy == corev1.DNSNone && c == nil {
		return errorList{field.Required(at, "must provide `dnsConfig` when `dnsPolicy` is None")}
	}
	if c == nil {
		return nil
	}
	if s.DNSPolicy == corev1.DNSNone && len(c.Nameservers) == 0 {
		return errorList{field.Required(child(at, "nameservers"), "must provide at least one DNS nameserver when `dnsPolicy` is None")}
	}
	var errs errorList
	if len(c.Nameservers) > mostNameservers {
		errs = append(errs, field.Invalid(child(at, "nameservers"), c.Nameservers, fmt.Sprintf("must not have more than %v nameservers", mostNameservers)))
	}
	for i, ip := range c.Nameservers {
		errs = append(errs, anIP(nth(child(at, "nameservers"), i), ip)...)
	}
	searches := child(at, "searches")
	if len(c.Searches) > mostSearches {
		errs = append(errs, field.Invalid(searches, c.Searches, fmt.Sprintf("must not have more than %v search paths", mostSearches)))
	}
	if len(strings.Join(c.Searches, " ")) > mostCharacters {
		errs = append(errs, field.Invalid(searches, c.Searches, fmt.Sprintf("must not have more than %v characters (including spaces) in the search list", mostCharacters)))
	}
	for i, search := range c.Searches {
		if search == "." {
			continue
		}
		search = strings.TrimSuffix(search, ".")
		errs = append(errs, invalidEach(nth(searches, i), search, validation.IsDNS1123SubdomainWithUnderscore(search))...)
	}
	for i, o := range c.Options {
		if o.Name == "" {
			errs = append(errs, field.Required(nth(child(at, "options"), i), "must not be empty"))
		}
	}
	return errs
}
