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
	if svc.Spec.Type == corev1.ServiceTypeExternalName {
		return nil
	}
	if old, ok := a.Old.(*corev1.Service); ok && svc.Spec.ClusterIP == "" {
		svc.Spec.ClusterIP, svc.Spec.ClusterIPs = old.Spec.ClusterIP, old.Spec.ClusterIPs
	}
	if err := p.address(a, svc, owner, usedIPs); err != nil {
		return err
	}
	if err := p.nodePorts(a, svc, owner, usedPorts); err != nil {
		return err
	}
	if svc.Spec.IPFamilyPolicy == nil {
		svc.Spec.IPFamilyPolicy = new(corev1.IPFamilyPolicySingleStack)
	}
	if len(svc.Spec.IPFamilies) == 0 {
		svc.Spec.IPFamilies = []corev1.IPFamily{corev1.IPv4Protocol}
	}
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
		path := field.NewPath("spec", "clusterIPs").Index(0)
		switch have, taken := used[ip]; {
		case !p.Range.Contains(ip):
			return invalidService(svc, field.Invalid(path, svc.Spec.ClusterIP, fmt.Sprintf("failed to allocate IP %s: the provided network does not match the current range", ip)))
		case taken && have != owner:
			return invalidService(svc, field.Invalid(path, svc.Spec.ClusterIP, fmt.Sprintf("failed to allocate IP %s: provided IP is already allocated", ip)))
		}
		svc.Spec.ClusterIPs = []string{svc.Spec.ClusterIP}
		return nil
	}
	// The first address is the API's own; the rest go in order, lowest free one first.
	ip := p.Range.Masked().Addr().Next().Next()
	for ; p.Range.Contains(ip); ip = ip.Next() {
		if _, taken := used[ip]; !taken {
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
			if port.NodePort < firstNodePort || port.NodePort > lastNodePort {
				return invalidService(svc, field.Invalid(path, port.NodePort, fmt.Sprintf("provided port is not in the valid range. The range of valid ports is %d-%d", firstNodePort, lastNodePort)))
			}
			if have, taken := used[port.NodePort]; taken && have != owner {
				return invalidService(svc, field.Invalid(path, port.NodePort, "provided port is already allocated"))
			}
			used[port.NodePort] = owner
			continue
		}
		for n := int32(firstNodePort); n <= lastNodePort; n++ {
			if _, taken := used[n]; taken {
				continue
			}
			port.NodePort, used[n] = n, owner
			a.Changed("spec.ports[%d].nodePort: %d", i, n)
			if !a.DryRun {
				if p.ports == nil {
					p.ports = map[int32]string{}
				}
				p.ports[n] = owner
			}
			break
		}
	}
	return nil
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
	return apierrors.NewInvalid(schema.GroupKind{Kind: "Service"}, svc.Name, field.ErrorList{err})
}
