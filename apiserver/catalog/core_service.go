package catalog

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func serviceKind() *Kind {
	proxy := corev1.SchemeGroupVersion.WithKind("ServiceProxyOptions")
	return row[corev1.Service, corev1.ServiceList](corev1.SchemeGroupVersion, Kind{
		Resource:      "services",
		ShortNames:    []string{"svc"},
		Categories:    inAll(),
		Namespaced:    true,
		ReturnDeleted: true,
		Subresources: []Subresource{
			{Name: "proxy", Verbs: proxied(), Kind: proxy, New: maker[corev1.ServiceProxyOptions](proxy)},
			{Name: "status"},
		},
		Strategy: Strategy{
			Default:              on(defaultService),
			PrepareForCreate:     on(func(s *corev1.Service) { s.Status = corev1.ServiceStatus{} }),
			PrepareForUpdate:     onChange(prepareService),
			Validate:             check(validateService),
			Revalidate:           checkChange(validateServiceChange),
			ValidateStatusUpdate: checkChange(validateServiceStatus),
			ValidateName:         validation.NameIsDNSLabel,
			Warnings:             warnings(serviceWarnings),
			AllowCreateOnUpdate:  true,
		},
		Table:      serviceTable(),
		FieldNames: []string{"spec.clusterIP", "spec.type"},
		Fields: fieldsOf(func(s *corev1.Service) fields.Set {
			return fields.Set{"spec.clusterIP": s.Spec.ClusterIP, "spec.type": string(s.Spec.Type)}
		}),
	})
}

func isHeadless(s *corev1.Service) bool {
	return len(s.Spec.ClusterIPs) == 1 && s.Spec.ClusterIPs[0] == corev1.ClusterIPNone
}

// isExposed tells whether a service can be reached from outside of the cluster.
func isExposed(s *corev1.Service) bool {
	return onNodePorts(s) || s.Spec.Type == corev1.ServiceTypeClusterIP && len(s.Spec.ExternalIPs) > 0
}

func onNodePorts(s *corev1.Service) bool {
	return s.Spec.Type == corev1.ServiceTypeNodePort || s.Spec.Type == corev1.ServiceTypeLoadBalancer
}

// checksHealth tells whether a load balancer must ask each node whether it has a pod of the service.
func checksHealth(s *corev1.Service) bool {
	return s.Spec.Type == corev1.ServiceTypeLoadBalancer && s.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal
}

func defaultService(s *corev1.Service) {
	spec := &s.Spec
	setDefaultValue(&spec.SessionAffinity, corev1.ServiceAffinityNone)
	switch c := spec.SessionAffinityConfig; {
	case spec.SessionAffinity == corev1.ServiceAffinityNone:
		spec.SessionAffinityConfig = nil
	case spec.SessionAffinity == corev1.ServiceAffinityClientIP && (c == nil || c.ClientIP == nil || c.ClientIP.TimeoutSeconds == nil):
		spec.SessionAffinityConfig = &corev1.SessionAffinityConfig{
			ClientIP: &corev1.ClientIPConfig{TimeoutSeconds: new(corev1.DefaultClientIPServiceAffinitySeconds)},
		}
	}
	setDefaultValue(&spec.Type, corev1.ServiceTypeClusterIP)
	for i := range spec.Ports {
		p := &spec.Ports[i]
		setDefaultValue(&p.Protocol, corev1.ProtocolTCP)
		if p.TargetPort == intstr.FromInt32(0) || p.TargetPort == intstr.FromString("") {
			p.TargetPort = intstr.FromInt32(p.Port)
		}
	}
	if isExposed(s) {
		setDefaultValue(&spec.ExternalTrafficPolicy, corev1.ServiceExternalTrafficPolicyCluster)
	}
	if onNodePorts(s) || spec.Type == corev1.ServiceTypeClusterIP {
		setDefault(&spec.InternalTrafficPolicy, corev1.ServiceInternalTrafficPolicyCluster)
	}
	if spec.Type != corev1.ServiceTypeLoadBalancer {
		return
	}
	setDefault(&spec.AllocateLoadBalancerNodePorts, true)
	for i := range s.Status.LoadBalancer.Ingress {
		if in := &s.Status.LoadBalancer.Ingress[i]; in.IP != "" {
			setDefault(&in.IPMode, corev1.LoadBalancerIPModeVIP)
		}
	}
}

// prepareService lets go of what a service had as another type, unless the client changed that as well.
// Source: dropTypeDependentFields in k8s.io/kubernetes/pkg/registry/core/service/strategy.go.
func prepareService(s, old *corev1.Service) {
	now, was := &s.Spec, &old.Spec
	if was.Type != corev1.ServiceTypeExternalName && now.Type == corev1.ServiceTypeExternalName {
		if now.ClusterIP == was.ClusterIP && slices.Equal(now.ClusterIPs, was.ClusterIPs) {
			now.ClusterIP, now.ClusterIPs = "", nil
		}
		if slices.Equal(now.IPFamilies, was.IPFamilies) {
			now.IPFamilies = nil
		}
		if value(now.IPFamilyPolicy) == value(was.IPFamilyPolicy) {
			now.IPFamilyPolicy = nil
		}
	}
	if onNodePorts(old) && !onNodePorts(s) && nodePortsWithin(now.Ports, was.Ports) {
		for i := range now.Ports {
			now.Ports[i].NodePort = 0
		}
	}
	if checksHealth(old) && !checksHealth(s) && now.HealthCheckNodePort == was.HealthCheckNodePort {
		now.HealthCheckNodePort = 0
	}
	if was.Type == corev1.ServiceTypeLoadBalancer && now.Type != corev1.ServiceTypeLoadBalancer {
		if a, b := now.AllocateLoadBalancerNodePorts, was.AllocateLoadBalancerNodePorts; a != nil && b != nil && *a == *b {
			now.AllocateLoadBalancerNodePorts = nil
		}
		if a, b := now.LoadBalancerClass, was.LoadBalancerClass; (a == nil) == (b == nil) && value(a) == value(b) {
			now.LoadBalancerClass = nil
		}
	}
	if isExposed(old) && !isExposed(s) && now.ExternalTrafficPolicy == was.ExternalTrafficPolicy {
		now.ExternalTrafficPolicy = ""
	}
	if now.Type != corev1.ServiceTypeLoadBalancer {
		s.Status.LoadBalancer = corev1.LoadBalancerStatus{}
	}
}

func nodePortsWithin(now, was []corev1.ServicePort) bool {
	for _, p := range now {
		if p.NodePort != 0 && !slices.ContainsFunc(was, func(o corev1.ServicePort) bool { return o.NodePort == p.NodePort }) {
			return false
		}
	}
	return true
}

func serviceTable() Table {
	docs := corev1.ServiceSpec{}.SwaggerDoc()
	return table(func(s *corev1.Service, now time.Time) []any {
		ip := "<none>"
		if len(s.Spec.ClusterIPs) > 0 {
			ip = s.Spec.ClusterIPs[0]
		}
		return []any{
			s.Name, string(s.Spec.Type), ip, externalIP(s), orNone(servicePorts(s.Spec.Ports)),
			Age(s.CreationTimestamp, now), labels.FormatLabels(s.Spec.Selector),
		}
	},
		nameColumn(),
		column("Type", "string", docs["type"]),
		column("Cluster-IP", "string", docs["clusterIP"]),
		column("External-IP", "string", docs["externalIPs"]),
		column("Port(s)", "string", docs["ports"]),
		ageColumn(),
		wide("Selector", "string", docs["selector"]),
	)
}

func externalIP(s *corev1.Service) string {
	switch s.Spec.Type {
	case corev1.ServiceTypeExternalName:
		return s.Spec.ExternalName
	case corev1.ServiceTypeLoadBalancer:
		var ips []string
		for _, i := range s.Status.LoadBalancer.Ingress {
			if i.IP != "" {
				ips = append(ips, i.IP)
			} else if i.Hostname != "" {
				ips = append(ips, i.Hostname)
			}
		}
		slices.Sort(ips)
		ips = append(slices.Compact(ips), s.Spec.ExternalIPs...)
		if len(ips) == 0 {
			return "<pending>"
		}
		return strings.Join(ips, ",")
	case corev1.ServiceTypeClusterIP, corev1.ServiceTypeNodePort:
		if len(s.Spec.ExternalIPs) == 0 {
			return "<none>"
		}
		return strings.Join(s.Spec.ExternalIPs, ",")
	}
	return "<unknown>"
}

func servicePorts(ports []corev1.ServicePort) string {
	out := make([]string, len(ports))
	for i, p := range ports {
		out[i] = fmt.Sprintf("%d/%s", p.Port, p.Protocol)
		if p.NodePort > 0 {
			out[i] = fmt.Sprintf("%d:%d/%s", p.Port, p.NodePort, p.Protocol)
		}
	}
	return strings.Join(out, ",")
}
