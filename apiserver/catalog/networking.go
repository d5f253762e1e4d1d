package catalog

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func networkingKinds() []*Kind {
	gv := networkingv1.SchemeGroupVersion
	return []*Kind{
		row[networkingv1.IngressClass, networkingv1.IngressClassList](gv, Kind{
			Resource: "ingressclasses",
			Strategy: Strategy{
				Default:    on(defaultIngressClass),
				Validate:   check(validateIngressClass),
				Revalidate: checkChange(validateIngressClassChange),
				Generation: true,
			},
			Table: ingressClassTable(),
		}),
		row[networkingv1.Ingress, networkingv1.IngressList](gv, Kind{
			Resource:     "ingresses",
			ShortNames:   []string{"ing"},
			Namespaced:   true,
			Subresources: onlyStatus(),
			Strategy: Strategy{
				PrepareForCreate:     on(func(i *networkingv1.Ingress) { i.Status = networkingv1.IngressStatus{} }),
				Validate:             check(validateNewIngress),
				Revalidate:           checkChange(validateIngress),
				ValidateStatusUpdate: checkChange(validateIngressStatus),
				Warnings:             warnings(ingressWarnings),
				Generation:           true,
			},
			Table: ingressTable(),
		}),
		row[networkingv1.IPAddress, networkingv1.IPAddressList](gv, Kind{
			Resource:   "ipaddresses",
			ShortNames: []string{"ip"},
			Strategy: Strategy{
				Validate:       check(validateIPAddress),
				ValidateUpdate: checkChange(validateIPAddressChange),
				ValidateName:   ipAddressName,
				GivenNames:     true,
			},
			Table: ipAddressTable(),
		}),
		row[networkingv1.NetworkPolicy, networkingv1.NetworkPolicyList](gv, Kind{
			Resource:   "networkpolicies",
			ShortNames: []string{"netpol"},
			Namespaced: true,
			Strategy: Strategy{
				Default: on(defaultNetworkPolicy),
				Validate: check(func(p *networkingv1.NetworkPolicy, root *field.Path) errorList {
					return validateNetworkPolicy(p, nil, root)
				}),
				Revalidate:  checkChange(validateNetworkPolicy),
				Warnings:    warnings(networkPolicyWarnings),
				Generation:  true,
				CountsEmpty: true,
			},
			Table: networkPolicyTable(),
		}),
		row[networkingv1.ServiceCIDR, networkingv1.ServiceCIDRList](gv, Kind{
			Resource:     "servicecidrs",
			Subresources: onlyStatus(),
			Strategy: Strategy{
				PrepareForCreate:    on(func(c *networkingv1.ServiceCIDR) { c.Status = networkingv1.ServiceCIDRStatus{} }),
				Validate:            check(validateServiceCIDR),
				Revalidate:          checkChange(validateServiceCIDRChange),
				StatusKeepsMetadata: true,
			},
			Table: serviceCIDRTable(),
		}),
	}
}

// Source: k8s.io/kubernetes/pkg/apis/networking/v1/defaults.go.

func defaultIngressClass(c *networkingv1.IngressClass) {
	if c.Spec.Parameters != nil {
		setDefault(&c.Spec.Parameters.Scope, networkingv1.IngressClassParametersReferenceScopeCluster)
	}
}

func defaultNetworkPolicy(p *networkingv1.NetworkPolicy) {
	if len(p.Spec.PolicyTypes) == 0 {
		p.Spec.PolicyTypes = []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
		if len(p.Spec.Egress) > 0 {
			p.Spec.PolicyTypes = append(p.Spec.PolicyTypes, networkingv1.PolicyTypeEgress)
		}
	}
	for i := range p.Spec.Ingress {
		defaultPolicyPorts(p.Spec.Ingress[i].Ports)
	}
	for i := range p.Spec.Egress {
		defaultPolicyPorts(p.Spec.Egress[i].Ports)
	}
}

func defaultPolicyPorts(ports []networkingv1.NetworkPolicyPort) {
	for i := range ports {
		setDefault(&ports[i].Protocol, corev1.ProtocolTCP)
	}
}

func ingressClassTable() Table {
	return table(func(c *networkingv1.IngressClass, now time.Time) []any {
		name, parameters := c.Name, "<none>"
		if c.Annotations[networkingv1.AnnotationIsDefaultIngressClass] == "true" {
			name += " (default)"
		}
		if p := c.Spec.Parameters; p != nil {
			parameters = p.Kind
			if p.APIGroup != nil {
				parameters += "." + *p.APIGroup
			}
			parameters += "/" + p.Name
		}
		return []any{name, c.Spec.Controller, parameters, Age(c.CreationTimestamp, now)}
	},
		nameColumn(),
		column("Controller", "string", "Controller that is responsible for handling this class"),
		column("Parameters", "string", "A reference to a resource with additional parameters"),
		ageColumn(),
	)
}

func ingressTable() Table {
	return table(func(i *networkingv1.Ingress, now time.Time) []any {
		ports := "80"
		if len(i.Spec.TLS) > 0 {
			ports = "80, 443"
		}
		return []any{i.Name, orElse(i.Spec.IngressClassName, "<none>"), ingressHosts(i), ingressAddress(i), ports, Age(i.CreationTimestamp, now)}
	},
		nameColumn(),
		column("Class", "string", "The name of the IngressClass resource that should be used for additional configuration"),
		column("Hosts", "string", "Hosts that incoming requests are matched against before the ingress rule"),
		column("Address", "string", "Address is a list containing ingress points for the load-balancer"),
		column("Ports", "string", "Ports of TLS configurations that open"),
		ageColumn(),
	)
}

func ingressHosts(i *networkingv1.Ingress) string {
	const most = 3
	var hosts []string
	more := false
	for _, rule := range i.Spec.Rules {
		if len(hosts) == most {
			more = true
			break
		}
		if rule.Host != "" {
			hosts = append(hosts, rule.Host)
		}
	}
	switch {
	case len(hosts) == 0:
		return "*"
	case more:
		return fmt.Sprintf("%s + %d more...", strings.Join(hosts, ","), len(i.Spec.Rules)-most)
	}
	return strings.Join(hosts, ",")
}

func ingressAddress(i *networkingv1.Ingress) string {
	var addresses []string
	for _, point := range i.Status.LoadBalancer.Ingress {
		if point.IP != "" {
			addresses = append(addresses, point.IP)
		} else if point.Hostname != "" {
			addresses = append(addresses, point.Hostname)
		}
	}
	slices.Sort(addresses)
	return strings.Join(slices.Compact(addresses), ",")
}

func networkPolicyTable() Table {
	return table(func(p *networkingv1.NetworkPolicy, now time.Time) []any {
		return []any{p.Name, metav1.FormatLabelSelector(&p.Spec.PodSelector), Age(p.CreationTimestamp, now)}
	},
		nameColumn(),
		column("Pod-Selector", "string", networkingv1.NetworkPolicySpec{}.SwaggerDoc()["podSelector"]),
		ageColumn(),
	)
}

func ipAddressTable() Table {
	return table(func(a *networkingv1.IPAddress, now time.Time) []any {
		parent := "<none>"
		if p := a.Spec.ParentRef; p != nil {
			parent = strings.ToLower(schema.GroupResource{Group: p.Group, Resource: p.Resource}.String())
			if p.Namespace != "" {
				parent += "/" + p.Namespace
			}
			parent += "/" + p.Name
		}
		return []any{a.Name, parent, Age(a.CreationTimestamp, now)} // upstream too has a column less than cells
	},
		nameColumn(),
		column("ParentRef", "string", networkingv1.IPAddressSpec{}.SwaggerDoc()["parentRef"]),
	)
}

func serviceCIDRTable() Table {
	return table(func(c *networkingv1.ServiceCIDR, now time.Time) []any {
		return []any{c.Name, strings.Join(c.Spec.CIDRs, ","), Age(c.CreationTimestamp, now)}
	},
		nameColumn(),
		column("CIDRs", "string", networkingv1.ServiceCIDRSpec{}.SwaggerDoc()["cidrs"]),
		ageColumn(),
	)
}
