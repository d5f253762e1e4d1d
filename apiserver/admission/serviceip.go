package admission

import (
	"context"
	"fmt"
	"net/netip"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Services lists the services of all namespaces.
type Services interface {
	Services() []*corev1.Service
}

// ServiceIP gives services their cluster IP and node ports, and refuses those that others have.
// Upstream allocates them in the services' storage; what a client sees is the same.
// Source: k8s.io/kubernetes/pkg/registry/core/service/storage/alloc.go.
type ServiceIP struct {
	Services Services
	// Range is the network that cluster IPs are taken from.
	Range netip.Prefix

	// mu is held from choosing an address until its service can be seen among the others; given holds
	// those of creations under way.
	mu    sync.Mutex
	given map[netip.Addr]string // to namespace/name
	ports map[int32]string
}

const firstNodePort, lastNodePort = 30000, 32767

// Name returns ServiceIP.
func (*ServiceIP) Name() string { return "ServiceIP" }

// Mutate fills in spec.clusterIP, spec.clusterIPs, spec.ipFamilies and spec.ports[*].nodePort.
func (p *ServiceIP) Mutate(_ context.Context, a *Attributes) error {
	if a.Operation == Delete || !a.Is(schema.GroupResource{Resource: "services"}) {
		return nil
	}
	svc, ok := a.Object.(*corev1.Service)
	if !ok {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	owner := svc.Namespace + "/" + svc.Name
	usedIPs, usedPorts := p.used()
	old, _ := a.Old.(*corev1.Service)
	linkAddresses(svc, old)
	if svc.Spec.Type == corev1.ServiceTypeExternalName {
		return nil
	}
	if err := p.families(svc, old); err != nil {
		return err
	}
	if old == nil || old.Spec.Type == corev1.ServiceTypeExternalName { // any other has what it gets
		if err := p.address(a, svc, owner, usedIPs); err != nil {
			return err
		}
	}
	if err := p.nodePorts(a, svc, owner, usedPorts); err != nil {
		return err
	}
	p.healthPort(a, svc, owner, usedPorts)
	return nil
}

// used tells whose each address and port is, and forgets those given whose service has come to be seen.
func (p *ServiceIP) used() (map[netip.Addr]string, map[int32]string) {
	ips, ports := map[netip.Addr]string{}, map[int32]string{}
	seen := map[string]bool{}
	for _, s := range p.Services.Services() {
		owner := s.Namespace + "/" + s.Name
		seen[owner] = true
		if ip, err := netip.ParseAddr(s.Spec.ClusterIP); err == nil {
			ips[ip] = owner
		}
		if port := s.Spec.HealthCheckNodePort; port != 0 {
			ports[port] = owner
		}
		for _, port := range s.Spec.Ports {
			if port.NodePort != 0 {
				ports[port.NodePort] = owner
			}
		}
	}
	for ip, owner := range p.given {
		if seen[owner] {
			delete(p.given, ip)
		} else if _, taken := ips[ip]; !taken {
			ips[ip] = owner
		}
	}
	for port, owner := range p.ports {
		if seen[owner] {
			delete(p.ports, port)
		} else if _, taken := ports[port]; !taken {
			ports[port] = owner
		}
	}
	return ips, ports
}

func (p *ServiceIP) address(a *Attributes, svc *corev1.Service, owner string, used map[netip.Addr]string) error {
	if svc.Spec.ClusterIP == corev1.ClusterIPNone {
		svc.Spec.ClusterIPs = []string{corev1.ClusterIPNone}
		return nil
	}
	if svc.Spec.ClusterIP != "" {
		ip, err := netip.ParseAddr(svc.Spec.ClusterIP)
		if err != nil {
			return nil // validation says so
		}
		path, ips := field.NewPath("spec", "clusterIPs"), []string{svc.Spec.ClusterIP}
		failed := func(why string) error {
			return invalidService(svc, field.Invalid(path, ips, fmt.Sprintf("failed to allocate IP %s: %s", ip, why)))
		}
		switch have, taken := used[ip]; {
		case a.DryRun && !p.Range.Contains(ip):
			return failed(fmt.Sprintf("the provided IP (%s) is not in the valid range. The range of valid IPs is %s", ip, p.Range))
		case a.DryRun:
		case !p.Range.Contains(ip):
			return failed("the provided network does not match the current range")
		case nameless(svc):
			return failed(ownerless(ip))
		case taken && have != owner:
			return failed("provided IP is already allocated")
		}
		svc.Spec.ClusterIPs = []string{svc.Spec.ClusterIP}
		return nil
	}
	// The first address is the API's own; the rest go in order, lowest free one first.
	ip := p.Range.Masked().Addr().Next().Next()
	for ; p.Range.Contains(ip); ip = ip.Next() {
		if _, taken := used[ip]; !taken {
			if nameless(svc) && !a.DryRun {
				return invalidService(svc, field.Invalid(field.NewPath("spec", "clusterIPs"), []string{""}, "failed to allocate IP: "+ownerless(ip)))
			}
			svc.Spec.ClusterIP, svc.Spec.ClusterIPs = ip.String(), []string{ip.String()}
			a.Changed("spec.clusterIP: %s", ip)
			if !a.DryRun {
				if p.given == nil {
					p.given = map[netip.Addr]string{}
				}
				p.given[ip] = owner
			}
			return nil
		}
	}
	return apierrors.NewInternalError(fmt.Errorf("failed to allocate a serviceIP: range is full"))
}

func (p *ServiceIP) nodePorts(a *Attributes, svc *corev1.Service, owner string, used map[int32]string) error {
	switch svc.Spec.Type {
	case corev1.ServiceTypeNodePort:
	case corev1.ServiceTypeLoadBalancer:
		if svc.Spec.AllocateLoadBalancerNodePorts != nil && !*svc.Spec.AllocateLoadBalancerNodePorts {
			return nil
		}
	default:
		return nil
	}
	old, _ := a.Old.(*corev1.Service)
	for i := range svc.Spec.Ports {
		port := &svc.Spec.Ports[i]
		path := field.NewPath("spec", "ports").Index(i).Child("nodePort")
		if port.NodePort == 0 {
			port.NodePort = formerNodePort(old, port)
		}
		if port.NodePort != 0 {
			if a.DryRun { // upstream looks at no range then
				continue
			}
			if port.NodePort < firstNodePort || port.NodePort > lastNodePort {
				return invalidService(svc, field.Invalid(path, port.NodePort, fmt.Sprintf("provided port is not in the valid range. The range of valid ports is %d-%d", firstNodePort, lastNodePort)))
			}
			if have, taken := used[port.NodePort]; taken && have != owner {
				return invalidService(svc, field.Invalid(path, port.NodePort, "provided port is already allocated"))
			}
			used[port.NodePort] = owner
			continue
		}
		if port.NodePort = p.draw(a, owner, used); port.NodePort != 0 {
			a.Changed("spec.ports[%d].nodePort: %d", i, port.NodePort)
		}
	}
	return nil
}

// draw gives the lowest port that nobody has, 0 if there is none.
func (p *ServiceIP) draw(a *Attributes, owner string, used map[int32]string) int32 {
	for n := int32(firstNodePort); n <= lastNodePort; n++ {
		if _, taken := used[n]; taken {
			continue
		}
		used[n] = owner
		if !a.DryRun {
			if p.ports == nil {
				p.ports = map[int32]string{}
			}
			p.ports[n] = owner
		}
		return n
	}
	return 0
}

// healthPort is where load balancers ask nodes that keep a service's traffic to themselves.
func (p *ServiceIP) healthPort(a *Attributes, svc *corev1.Service, owner string, used map[int32]string) {
	spec := &svc.Spec
	if spec.Type != corev1.ServiceTypeLoadBalancer || spec.ExternalTrafficPolicy != corev1.ServiceExternalTrafficPolicyLocal || spec.HealthCheckNodePort != 0 {
		return
	}
	if old, ok := a.Old.(*corev1.Service); ok && old.Spec.HealthCheckNodePort != 0 {
		spec.HealthCheckNodePort = old.Spec.HealthCheckNodePort
		return
	}
	if spec.HealthCheckNodePort = p.draw(a, owner, used); spec.HealthCheckNodePort != 0 {
		a.Changed("spec.healthCheckNodePort: %d", spec.HealthCheckNodePort)
	}
}

// nameless: upstream keeps addresses as objects that say whose they are, before it looks at whether a service has a name.
func nameless(svc *corev1.Service) bool { return svc.Name == "" && svc.GenerateName == "" }

func ownerless(ip netip.Addr) string {
	return fmt.Sprintf("IPAddress.networking.k8s.io %q is invalid: spec.parentRef.name: Required value", ip)
}

// formerNodePort keeps the node port of a service that is updated without naming it.
func formerNodePort(old *corev1.Service, port *corev1.ServicePort) int32 {
	if old == nil {
		return 0
	}
	for _, o := range old.Spec.Ports {
		if o.Port == port.Port && o.Protocol == port.Protocol {
			return o.NodePort
		}
	}
	return 0
}

func invalidService(svc *corev1.Service, err *field.Error) error {
	return invalidServices(svc, field.ErrorList{err})
}
