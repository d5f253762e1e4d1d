package catalog

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"
)

// Source of the rules and their sentences: k8s.io/kubernetes/pkg/apis/core/validation/validation.go.

func validateService(s *corev1.Service, root *field.Path) errorList {
	spec, at := &s.Spec, child(root, "spec")
	var errs errorList
	hints, hinted := s.Annotations[corev1.DeprecatedAnnotationTopologyAwareHints]
	if mode, ok := s.Annotations[corev1.AnnotationTopologyMode]; ok && hinted && mode != hints {
		errs = append(errs, field.Invalid(keyed(child(root, "metadata", "annotations"), corev1.AnnotationTopologyMode), mode,
			fmt.Sprintf("must match annotations[%s] when both are specified", corev1.DeprecatedAnnotationTopologyAwareHints)))
	}
	if len(spec.Ports) == 0 && !isHeadless(s) && spec.Type != corev1.ServiceTypeExternalName {
		errs = append(errs, field.Required(child(at, "ports"), ""))
	}
	switch spec.Type {
	case corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeNodePort:
		if isHeadless(s) {
			errs = append(errs, field.Invalid(nth(child(at, "clusterIPs"), 0), spec.ClusterIPs[0],
				fmt.Sprintf("may not be set to 'None' for %s services", spec.Type)))
		}
	case corev1.ServiceTypeExternalName:
		errs = append(errs, validateExternalName(spec, at)...)
	}
	errs = append(errs, validateServicePorts(s, child(at, "ports"))...)
	if spec.Selector != nil {
		errs = append(errs, validateLabels(spec.Selector, child(at, "selector"))...)
	}
	errs = append(errs, validateSessionAffinity(spec, at)...)
	errs = append(errs, ValidateClusterIPs(s, at)...)
	for i, ip := range spec.ExternalIPs {
		wrong := anIP(nth(child(at, "externalIPs"), i), ip)
		if len(wrong) == 0 {
			wrong = reachable(nth(child(at, "externalIPs"), i), ip)
		}
		errs = append(errs, wrong...)
	}
	errs = append(errs, neededOneOf(child(at, "type"), spec.Type, corev1.ServiceTypeClusterIP, corev1.ServiceTypeExternalName,
		corev1.ServiceTypeLoadBalancer, corev1.ServiceTypeNodePort)...)
	errs = append(errs, validatePortClashes(spec, child(at, "ports"))...)
	errs = append(errs, validateLoadBalancer(s, at, root)...)
	return append(errs, validateTraffic(s, at)...)
}

func validateExternalName(spec *corev1.ServiceSpec, at *field.Path) errorList {
	const text = "may not be set for ExternalName services"
	var errs errorList
	if len(spec.ClusterIPs) > 0 {
		errs = append(errs, field.Forbidden(child(at, "clusterIPs"), text))
	}
	if len(spec.IPFamilies) > 0 {
		errs = append(errs, field.Forbidden(child(at, "ipFamilies"), text))
	}
	if spec.IPFamilyPolicy != nil {
		errs = append(errs, field.Forbidden(child(at, "ipFamilyPolicy"), text))
	}
	name := strings.TrimSuffix(spec.ExternalName, ".")
	if name == "" {
		return append(errs, field.Required(child(at, "externalName"), ""))
	}
	return append(errs, dnsSubdomain(child(at, "externalName"), name)...)
}

func validateServicePorts(s *corev1.Service, path *field.Path) errorList {
	var errs errorList
	names := map[string]bool{}
	for i, p := range s.Spec.Ports {
		at := nth(path, i)
		if p.Name == "" && len(s.Spec.Ports) > 1 {
			errs = append(errs, field.Required(child(at, "name"), ""))
		} else if p.Name != "" {
			errs = append(errs, dnsLabel(child(at, "name"), p.Name)...)
			if names[p.Name] {
				errs = append(errs, field.Duplicate(child(at, "name"), p.Name))
			}
			names[p.Name] = true
		}
		errs = append(errs, portNumber(child(at, "port"), p.Port)...)
		errs = append(errs, validateProtocol(p.Protocol, child(at, "protocol"))...)
		errs = append(errs, portNumberOrName(child(at, "targetPort"), p.TargetPort)...)
		if p.AppProtocol != nil {
			errs = append(errs, qualifiedName(child(at, "appProtocol"), *p.AppProtocol)...)
		}
	}
	return errs
}

// validatePortClashes: a port, and a node's port, is one port's of a service alone.
func validatePortClashes(spec *corev1.ServiceSpec, path *field.Path) errorList {
	type key struct {
		protocol corev1.Protocol
		port     int32
	}
	var errs errorList
	for i, p := range spec.Ports {
		if spec.Type == corev1.ServiceTypeClusterIP && p.NodePort != 0 {
			errs = append(errs, field.Forbidden(child(nth(path, i), "nodePort"), "may not be used when `type` is 'ClusterIP'"))
		}
	}
	onNodes := map[key]bool{}
	for i, p := range spec.Ports {
		k := key{p.Protocol, p.NodePort}
		if p.NodePort != 0 && onNodes[k] {
			errs = append(errs, field.Duplicate(child(nth(path, i), "nodePort"), p.NodePort))
		}
		onNodes[k] = true
	}
	ports := map[key]bool{}
	for i, p := range spec.Ports {
		k := key{p.Protocol, p.Port}
		if ports[k] {
			errs = append(errs, field.Duplicate(nth(path, i), internalForm(corev1.ServicePort{Protocol: p.Protocol, Port: p.Port})))
		}
		ports[k] = true
	}
	return errs
}

func validateSessionAffinity(spec *corev1.ServiceSpec, at *field.Path) errorList {
	const longest = 86400
	errs := neededOneOf(child(at, "sessionAffinity"), spec.SessionAffinity, corev1.ServiceAffinityClientIP, corev1.ServiceAffinityNone)
	c, at := spec.SessionAffinityConfig, child(at, "sessionAffinityConfig")
	switch spec.SessionAffinity {
	case corev1.ServiceAffinityClientIP:
		const text = "when session affinity type is ClientIP"
		switch timeout := child(at, "clientIP", "timeoutSeconds"); {
		case c == nil:
			errs = append(errs, field.Required(at, text))
		case c.ClientIP == nil:
			errs = append(errs, field.Required(child(at, "clientIP"), text))
		case c.ClientIP.TimeoutSeconds == nil:
			errs = append(errs, field.Required(timeout, text))
		case *c.ClientIP.TimeoutSeconds <= 0 || *c.ClientIP.TimeoutSeconds > longest:
			errs = append(errs, field.Invalid(timeout, *c.ClientIP.TimeoutSeconds, fmt.Sprintf("must be greater than 0 and less than %d", longest)))
		}
	case corev1.ServiceAffinityNone:
		if c != nil {
			errs = append(errs, field.Forbidden(at, "must not be set when session affinity is None"))
		}
	}
	return errs
}

func validateLoadBalancer(s *corev1.Service, at *field.Path, root *field.Path) errorList {
	const text = "may only be used when `type` is 'LoadBalancer'"
	var errs errorList
	spec, balanced := &s.Spec, s.Spec.Type == corev1.ServiceTypeLoadBalancer
	annotation, annotated := s.Annotations[corev1.AnnotationLoadBalancerSourceRangesKey]
	switch ranges := child(at, "LoadBalancerSourceRanges"); {
	case len(spec.LoadBalancerSourceRanges) > 0:
		if !balanced {
			errs = append(errs, field.Forbidden(ranges, text))
		}
		for i, cidr := range spec.LoadBalancerSourceRanges {
			errs = append(errs, aCIDR(nth(ranges, i), strings.TrimSpace(cidr))...)
		}
	case annotated:
		ranges = keyed(child(root, "metadata", "annotations"), corev1.AnnotationLoadBalancerSourceRangesKey)
		if !balanced {
			errs = append(errs, field.Forbidden(ranges, text))
		}
		if annotation = strings.TrimSpace(annotation); annotation == "" {
			break
		}
		for cidr := range strings.SplitSeq(annotation, ",") {
			errs = append(errs, aCIDR(ranges, strings.TrimSpace(cidr))...)
		}
	}
	if spec.AllocateLoadBalancerNodePorts != nil && !balanced {
		errs = append(errs, field.Forbidden(child(at, "allocateLoadBalancerNodePorts"), text))
	}
	if spec.AllocateLoadBalancerNodePorts == nil && balanced {
		errs = append(errs, field.Required(child(root, "allocateLoadBalancerNodePorts"), ""))
	}
	switch class := spec.LoadBalancerClass; {
	case class == nil:
	case balanced:
		errs = append(errs, qualifiedName(child(at, "loadBalancerClass"), *class)...)
	default:
		errs = append(errs, field.Forbidden(child(at, "loadBalancerClass"), text))
	}
	return errs
}

// validateTraffic checks to which of its pods a service sends what comes in.
func validateTraffic(s *corev1.Service, at *field.Path) errorList {
	var errs errorList
	spec := &s.Spec
	if isExposed(s) {
		errs = append(errs, neededOneOf(child(at, "externalTrafficPolicy"), spec.ExternalTrafficPolicy,
			corev1.ServiceExternalTrafficPolicyCluster, corev1.ServiceExternalTrafficPolicyLocal)...)
	} else if spec.ExternalTrafficPolicy != "" {
		errs = append(errs, field.Invalid(child(at, "externalTrafficPolicy"), spec.ExternalTrafficPolicy, "may only be set for externally-accessible services"))
	}
	switch port := child(at, "healthCheckNodePort"); {
	case checksHealth(s) && spec.HealthCheckNodePort == 0:
		errs = append(errs, field.Required(port, ""))
	case checksHealth(s):
		errs = append(errs, portNumber(port, spec.HealthCheckNodePort)...)
	case spec.HealthCheckNodePort != 0:
		errs = append(errs, field.Invalid(port, spec.HealthCheckNodePort, "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"))
	}
	if spec.InternalTrafficPolicy == nil && (onNodePorts(s) || spec.Type == corev1.ServiceTypeClusterIP) {
		errs = append(errs, field.Required(child(at, "internalTrafficPolicy"), ""))
	}
	errs = append(errs, knownIfSet(child(at, "internalTrafficPolicy"), spec.InternalTrafficPolicy,
		corev1.ServiceInternalTrafficPolicyCluster, corev1.ServiceInternalTrafficPolicyLocal)...)
	return append(errs, knownIfSet(child(at, "trafficDistribution"), spec.TrafficDistribution, corev1.ServiceTrafficDistributionPreferClose,
		corev1.ServiceTrafficDistributionPreferSameZone, corev1.ServiceTrafficDistributionPreferSameNode)...)
}

// ValidateClusterIPs checks the addresses that a service has in the cluster: one of each family at most.
func ValidateClusterIPs(s *corev1.Service, at *field.Path) field.ErrorList {
	spec := &s.Spec
	if spec.Type == corev1.ServiceTypeExternalName {
		return nil
	}
	var errs errorList
	ips, families := child(at, "clusterIPs"), child(at, "ipFamilies")
	switch {
	case spec.ClusterIP != "" && len(spec.ClusterIPs) == 0:
		errs = append(errs, field.Required(ips, ""))
	case spec.ClusterIP != "" && spec.ClusterIPs[0] != spec.ClusterIP:
		errs = append(errs, field.Invalid(ips, spec.ClusterIPs, "first value must match `clusterIP`"))
	case spec.ClusterIP == "" && len(spec.ClusterIPs) > 0:
		errs = append(errs, field.Invalid(ips, spec.ClusterIPs, "must be empty when `clusterIP` is not specified"))
	}
	seen := map[corev1.IPFamily]bool{}
	for i, f := range spec.IPFamilies {
		errs = append(errs, oneOf(nth(families, i), f, corev1.IPv4Protocol, corev1.IPv6Protocol)...)
		if seen[f] {
			errs = append(errs, field.Duplicate(nth(families, i), f))
		}
		seen[f] = true
	}
	errs = append(errs, knownIfSet(child(at, "ipFamilyPolicy"), spec.IPFamilyPolicy,
		corev1.IPFamilyPolicyPreferDualStack, corev1.IPFamilyPolicyRequireDualStack, corev1.IPFamilyPolicySingleStack)...)
	valid := true
	for i, ip := range spec.ClusterIPs {
		var wrong errorList
		if i > 0 || ip != corev1.ClusterIPNone {
			wrong = anIP(nth(ips, i), ip)
		} else if len(spec.ClusterIPs) > 1 {
			wrong = errorList{field.Invalid(ips, spec.ClusterIPs, "'None' must be the first and only value")}
		}
		valid = valid && len(wrong) == 0
		errs = append(errs, wrong...)
	}
	if len(spec.ClusterIPs) > 2 {
		errs = append(errs, field.Invalid(ips, spec.ClusterIPs, "may only hold up to 2 values"))
	}
	if !valid {
		return errs
	}
	if len(spec.ClusterIPs) > 1 {
		if dual, err := netutils.IsDualStackIPStrings(spec.ClusterIPs); err != nil || !dual {
			errs = append(errs, field.Invalid(ips, spec.ClusterIPs, "may specify no more than one IP for each IP family"))
		}
	}
	if isHeadless(s) {
		return errs
	}
	for i := range min(len(spec.ClusterIPs), len(spec.IPFamilies)) {
		ip, f := spec.ClusterIPs[i], spec.IPFamilies[i]
		if is6 := netutils.IsIPv6String(ip); f == corev1.IPv4Protocol && is6 || f == corev1.IPv6Protocol && !is6 {
			errs = append(errs, field.Invalid(nth(ips, i), ip, fmt.Sprintf("expected an %s value as indicated by `ipFamilies[%v]`", f, i)))
		}
	}
	return errs
}

func validateServiceChange(s, old *corev1.Service, root *field.Path) errorList {
	at := child(root, "spec")
	var errs errorList
	if s.Spec.Type != corev1.ServiceTypeExternalName && old.Spec.Type != corev1.ServiceTypeExternalName {
		if !isHeadless(s) || !isHeadless(old) {
			errs = append(errs, validateIPChange(s, old, at)...)
		}
		if !isHeadless(s) && !isHeadless(old) {
			errs = append(errs, validateFamilyChange(s, old, at)...)
		}
	}
	balanced := s.Spec.Type == corev1.ServiceTypeLoadBalancer
	if a, b := s.Spec.LoadBalancerClass, old.Spec.LoadBalancerClass; balanced && old.Spec.Type == corev1.ServiceTypeLoadBalancer &&
		((a == nil) != (b == nil) || value(a) != value(b)) {
		errs = append(errs, field.Invalid(child(at, "loadBalancerClass"), a, "may not change once set"))
	}
	switch class := s.Spec.LoadBalancerClass; { // checked twice, as Kubernetes does
	case class == nil:
	case balanced:
		errs = append(errs, qualifiedName(child(at, "loadBalancerClass"), *class)...)
	default:
		errs = append(errs, field.Forbidden(child(at, "loadBalancerClass"), "may only be used when `type` is 'LoadBalancer'"))
	}
	if checksHealth(s) && checksHealth(old) && s.Spec.HealthCheckNodePort != old.Spec.HealthCheckNodePort {
		errs = append(errs, field.Forbidden(child(at, "healthCheckNodePort"), "field is immutable"))
	}
	return append(errs, validateService(s, root)...)
}

// validateIPChange: a service keeps its first address; a second may come and go.
func validateIPChange(s, old *corev1.Service, at *field.Path) errorList {
	const fixed = "may not change once set"
	var errs errorList
	now, was, ips := s.Spec.ClusterIPs, old.Spec.ClusterIPs, child(at, "clusterIPs")
	if len(now) == len(was) {
		for i := range was {
			if now[i] != was[i] {
				errs = append(errs, field.Invalid(nth(ips, i), now, fixed))
			}
		}
		return errs
	}
	if len(now) == 0 {
		errs = append(errs, field.Invalid(nth(ips, 0), now, "primary clusterIP can not be unset"))
	}
	if len(now) > 0 && len(was) > 0 && now[0] != was[0] {
		errs = append(errs, field.Invalid(nth(ips, 0), now, fixed))
	}
	if len(now) == 1 && len(was) > 1 && value(s.Spec.IPFamilyPolicy) != corev1.IPFamilyPolicySingleStack {
		errs = append(errs, field.Invalid(child(at, "ipFamilyPolicy"), s.Spec.IPFamilyPolicy, "must be set to 'SingleStack' when releasing the secondary clusterIP"))
	}
	return errs
}

func validateFamilyChange(s, old *corev1.Service, at *field.Path) errorList {
	const fixed = "may not change once set"
	var errs errorList
	now, was, first := s.Spec.IPFamilies, old.Spec.IPFamilies, nth(child(at, "ipFamilies"), 0)
	if len(now) == len(was) {
		for i := range was {
			if now[i] != was[i] {
				errs = append(errs, field.Invalid(first, now, fixed))
			}
		}
		return errs
	}
	if len(was) > len(now) && len(s.Spec.ClusterIPs) == 0 {
		errs = append(errs, field.Invalid(first, now, "primary ipFamily can not be unset"))
	}
	if len(now) > 0 && len(was) > 0 && now[0] != was[0] {
		errs = append(errs, field.Invalid(first, s.Spec.ClusterIPs, fixed))
	}
	if len(now) == 1 && len(was) > 1 && value(s.Spec.IPFamilyPolicy) != corev1.IPFamilyPolicySingleStack {
		errs = append(errs, field.Invalid(child(at, "ipFamilyPolicy"), s.Spec.IPFamilyPolicy, "must be set to 'SingleStack' when releasing the secondary ipFamily"))
	}
	return errs
}

// validateServiceStatus checks the addresses that a load balancer reports.
func validateServiceStatus(s, _ *corev1.Service, root *field.Path) errorList {
	ingress := child(root, "status", "loadBalancer", "ingress")
	all := s.Status.LoadBalancer.Ingress
	if s.Spec.Type != corev1.ServiceTypeLoadBalancer && len(all) > 0 {
		return errorList{field.Forbidden(ingress, "may only be used when `spec.type` is 'LoadBalancer'")}
	}
	var errs errorList
	for i, in := range all {
		at := nth(ingress, i)
		if in.IP != "" {
			errs = append(errs, anIP(child(at, "ip"), in.IP)...)
		}
		switch mode := child(at, "ipMode"); {
		case in.IPMode == nil && in.IP != "":
			errs = append(errs, field.Required(mode, "must be specified when `ip` is set"))
		case in.IPMode != nil && in.IP == "":
			errs = append(errs, field.Forbidden(mode, "may not be specified when `ip` is not set"))
		default:
			errs = append(errs, knownIfSet(mode, in.IPMode, corev1.LoadBalancerIPModeProxy, corev1.LoadBalancerIPModeVIP)...)
		}
		if in.Hostname != "" {
			errs = append(errs, dnsSubdomain(child(at, "hostname"), in.Hostname)...)
			if netutils.ParseIPSloppy(in.Hostname) != nil {
				errs = append(errs, field.Invalid(child(at, "hostname"), in.Hostname, "must be a DNS name, not an IP address"))
			}
		}
	}
	return errs
}

func serviceWarnings(s, _ *corev1.Service, root *field.Path) []string {
	spec, at := &s.Spec, child(root, "spec")
	var out []string
	if _, ok := s.Annotations[corev1.DeprecatedAnnotationTopologyAwareHints]; ok {
		out = append(out, fmt.Sprintf("annotation %s is deprecated, please use %s instead", corev1.DeprecatedAnnotationTopologyAwareHints, corev1.AnnotationTopologyMode))
	}
	if spec.ClusterIP != "" && spec.ClusterIP != corev1.ClusterIPNone {
		for i, ip := range spec.ClusterIPs {
			out = append(out, validation.GetWarningsForIP(nth(child(at, "clusterIPs"), i), ip)...)
		}
	}
	headless := spec.Type == corev1.ServiceTypeClusterIP && spec.ClusterIP == corev1.ClusterIPNone
	if headless {
		if spec.LoadBalancerIP != "" {
			out = append(out, "spec.loadBalancerIP is ignored for headless services")
		}
		if len(spec.ExternalIPs) > 0 {
			out = append(out, "spec.externalIPs is ignored for headless services")
		}
		if spec.SessionAffinity != corev1.ServiceAffinityNone {
			out = append(out, "spec.SessionAffinity is ignored for headless services")
		}
	}
	for i, ip := range spec.ExternalIPs {
		out = append(out, validation.GetWarningsForIP(nth(child(at, "externalIPs"), i), ip)...)
	}
	if len(spec.ExternalIPs) > 0 && !headless && spec.Type != corev1.ServiceTypeExternalName {
		out = append(out, "spec.externalIPs is deprecated and may no longer be implemented in some clusters")
	}
	if spec.LoadBalancerIP != "" {
		out = append(out, validation.GetWarningsForIP(child(at, "loadBalancerIP"), spec.LoadBalancerIP)...)
	}
	for i, cidr := range spec.LoadBalancerSourceRanges {
		out = append(out, validation.GetWarningsForCIDR(nth(child(at, "loadBalancerSourceRanges"), i), cidr)...)
	}
	if spec.Type == corev1.ServiceTypeExternalName && len(spec.ExternalIPs) > 0 {
		out = append(out, `spec.externalIPs is ignored when spec.type is "ExternalName"`)
	}
	if spec.Type != corev1.ServiceTypeExternalName && spec.ExternalName != "" {
		out = append(out, `spec.externalName is ignored when spec.type is not "ExternalName"`)
	}
	if value(spec.TrafficDistribution) == corev1.ServiceTrafficDistributionPreferClose {
		out = append(out, fmt.Sprintf("spec.trafficDistribution: %q is deprecated; use %q", corev1.ServiceTrafficDistributionPreferClose, corev1.ServiceTrafficDistributionPreferSameZone))
	}
	return slices.Clip(out)
}
