package endpoints

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"coracle/controllers/workload"
)

// group are endpoints that may be in one slice.
type group struct {
	addresses discoveryv1.AddressType
	ports     []discoveryv1.EndpointPort
	endpoints []discoveryv1.Endpoint
}

// key is the same for groups that are one.
func (g group) key() string { return keyOf(g.addresses, g.ports) }

func keyOf(addresses discoveryv1.AddressType, ports []discoveryv1.EndpointPort) string {
	keys := make([]string, len(ports))
	for i, p := range ports {
		keys[i] = fmt.Sprint(value(p.Name), "/", value(p.Protocol), "/", value(p.Port), "/", value(p.AppProtocol))
	}
	slices.Sort(keys)
	return string(addresses) + " " + strings.Join(keys, " ")
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// groups are the endpoints of a service's pods.
func (c *Controller) groups(service *v1.Service, pods []*v1.Pod) []group {
	var groups []group
	for _, addresses := range addressTypes(service) {
		byKey := map[string]int{}
		for _, pod := range pods {
			if workload.Ended(pod) || pod.Status.PodIP == "" && len(pod.Status.PodIPs) == 0 {
				continue
			}
			node, err := c.nodes.Get(pod.Spec.NodeName)
			if err != nil && !service.Spec.PublishNotReadyAddresses {
				continue // a pod of a node that is gone will go as well
			}
			endpoint := endpointOf(service, pod, node, addresses)
			if len(endpoint.Addresses) == 0 {
				continue
			}
			g := group{addresses: addresses, ports: portsOf(service, pod)}
			i, ok := byKey[g.key()]
			if !ok {
				i = len(groups)
				byKey[g.key()], groups = i, append(groups, g)
			}
			groups[i].endpoints = append(groups[i].endpoints, endpoint)
		}
	}
	for _, g := range groups {
		slices.SortFunc(g.endpoints, func(a, b discoveryv1.Endpoint) int {
			return cmp.Or(compareIPs(a.Addresses[0], b.Addresses[0]), cmp.Compare(a.TargetRef.Name, b.TargetRef.Name))
		})
	}
	return groups
}

func compareIPs(a, b string) int {
	ipA, errA := netip.ParseAddr(a)
	ipB, errB := netip.ParseAddr(b)
	if errA != nil || errB != nil {
		return cmp.Compare(a, b)
	}
	return ipA.Compare(ipB)
}

func addressTypes(service *v1.Service) []discoveryv1.AddressType {
	var types []discoveryv1.AddressType
	for _, family := range service.Spec.IPFamilies {
		types = append(types, discoveryv1.AddressType(family))
	}
	if len(types) == 0 { // a headless service that was made before there were families
		types = []discoveryv1.AddressType{discoveryv1.AddressTypeIPv4}
	}
	return types
}

func endpointOf(service *v1.Service, pod *v1.Pod, node *v1.Node, addresses discoveryv1.AddressType) discoveryv1.Endpoint {
	serving, terminating := workload.Ready(pod), pod.DeletionTimestamp != nil
	e := discoveryv1.Endpoint{
		Addresses: addressesOf(pod, addresses),
		Conditions: discoveryv1.EndpointConditions{
			Ready:       new(service.Spec.PublishNotReadyAddresses || serving && !terminating),
			Serving:     &serving,
			Terminating: &terminating,
		},
		TargetRef: reference(pod),
	}
	if pod.Spec.NodeName != "" {
		e.NodeName = new(pod.Spec.NodeName)
	}
	if node != nil && node.Labels[v1.LabelTopologyZone] != "" {
		e.Zone = new(node.Labels[v1.LabelTopologyZone])
	}
	if hasHostname(service, pod) {
		e.Hostname = new(pod.Spec.Hostname)
	}
	return e
}

func reference(pod *v1.Pod) *v1.ObjectReference {
	return &v1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID}
}

// hasHostname tells whether the service gives the pod a name of its own in DNS.
func hasHostname(service *v1.Service, pod *v1.Pod) bool {
	return pod.Spec.Hostname != "" && pod.Spec.Subdomain == service.Name && pod.Namespace == service.Namespace
}

// addressesOf are the pod's addresses of that type.
func addressesOf(pod *v1.Pod, addresses discoveryv1.AddressType) []string {
	var ips []string
	for _, ip := range pod.Status.PodIPs {
		if parsed, err := netip.ParseAddr(ip.IP); err == nil && addressType(parsed) == addresses {
			ips = append(ips, parsed.String())
		}
	}
	return ips
}

func addressType(ip netip.Addr) discoveryv1.AddressType {
	if ip.Is4() || ip.Is4In6() {
		return discoveryv1.AddressTypeIPv4
	}
	return discoveryv1.AddressTypeIPv6
}

// portsOf are the service's ports as the pod numbers them, without those that it has not.
func portsOf(service *v1.Service, pod *v1.Pod) []discoveryv1.EndpointPort {
	ports := []discoveryv1.EndpointPort{}
	for _, p := range service.Spec.Ports {
		if number, ok := portNumber(pod, p); ok {
			ports = append(ports, discoveryv1.EndpointPort{Name: new(p.Name), Port: &number, Protocol: new(p.Protocol), AppProtocol: p.AppProtocol})
		}
	}
	return ports
}

func portNumber(pod *v1.Pod, port v1.ServicePort) (int32, bool) {
	if port.TargetPort.Type == intstr.Int {
		return port.TargetPort.IntVal, true
	}
	containers := slices.Clone(pod.Spec.Containers)
	for _, c := range pod.Spec.InitContainers {
		if value(c.RestartPolicy) == v1.ContainerRestartPolicyAlways {
			containers = append(containers, c)
		}
	}
	for _, c := range containers {
		for _, p := range c.Ports {
			if p.Name == port.TargetPort.StrVal && p.Protocol == port.Protocol {
				return p.ContainerPort, true
			}
		}
	}
	return 0, false
}

// lastChange is when the service was made or the latest of its pods became ready.
func lastChange(service *v1.Service, pods []*v1.Pod) string {
	last := service.CreationTimestamp.Time
	for _, pod := range pods {
		if since, ready := workload.ReadySince(pod); ready && since.After(last) {
			last = since
		}
	}
	return last.UTC().Format(time.RFC3339Nano)
}
