package endpoints

import (
	"context"
	"maps"
	"net/netip"

	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// mirror keeps slices that say what the Endpoints of a service without a selector say, which somebody made by hand. With
// no such service there are none.
func (c *Controller) mirror(ctx context.Context, name cache.ObjectName, service *v1.Service) error {
	endpoints, err := c.endpoints.Endpoints(name.Namespace).Get(name.Name)
	if err != nil || service == nil || !isMirrored(endpoints) {
		return c.sync(ctx, c.clients.Mirror, name, mirrorManager, mirrorSize, metav1.ObjectMeta{}, nil)
	}
	meta := metav1.ObjectMeta{
		Namespace:       endpoints.Namespace,
		GenerateName:    endpoints.Name + "-",
		Labels:          maps.Clone(endpoints.Labels),
		Annotations:     maps.Clone(endpoints.Annotations),
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(endpoints, v1.SchemeGroupVersion.WithKind("Endpoints"))},
	}
	if meta.Labels == nil {
		meta.Labels = map[string]string{}
	}
	delete(meta.Annotations, v1.EndpointsLastChangeTriggerTime)
	delete(meta.Annotations, v1.LastAppliedConfigAnnotation)
	return c.sync(ctx, c.clients.Mirror, name, mirrorManager, mirrorSize, meta, mirrored(endpoints))
}

// leaderAnnotation marks Endpoints that are no Service's but hold the lock of a leader election, as people made them
// before there were Leases.
const leaderAnnotation = "control-plane.alpha.kubernetes.io/leader"

func isMirrored(endpoints *v1.Endpoints) bool {
	_, elects := endpoints.Annotations[leaderAnnotation]
	return endpoints.DeletionTimestamp == nil && endpoints.Labels[discoveryv1.LabelSkipMirror] != "true" && !elects
}

// mirrored are the endpoints of each subset, by type of address.
func mirrored(endpoints *v1.Endpoints) []group {
	var groups []group
	for _, subset := range endpoints.Subsets {
		ports := []discoveryv1.EndpointPort{}
		for _, p := range subset.Ports {
			ports = append(ports, discoveryv1.EndpointPort{Name: new(p.Name), Port: new(p.Port), Protocol: new(p.Protocol), AppProtocol: p.AppProtocol})
		}
		byType := map[discoveryv1.AddressType][]discoveryv1.Endpoint{}
		add := func(addresses []v1.EndpointAddress, ready bool) {
			for _, a := range addresses {
				ip, err := netip.ParseAddr(a.IP)
				if err != nil || len(byType[addressType(ip)]) == mirrorSize {
					continue
				}
				e := discoveryv1.Endpoint{
					Addresses: []string{ip.String()}, Conditions: discoveryv1.EndpointConditions{Ready: &ready},
					TargetRef: a.TargetRef, NodeName: a.NodeName,
				}
				if a.Hostname != "" {
					e.Hostname = &a.Hostname
				}
				byType[addressType(ip)] = append(byType[addressType(ip)], e)
			}
		}
		add(subset.Addresses, true)
		add(subset.NotReadyAddresses, false)
		for _, addresses := range []discoveryv1.AddressType{discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6} {
			if len(byType[addresses]) > 0 {
				groups = append(groups, group{addresses: addresses, ports: ports, endpoints: byType[addresses]})
			}
		}
	}
	return groups
}
