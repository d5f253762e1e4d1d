package apiserver

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"net"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

func (n Network) service(namespace, name string) *corev1.Service {
	service, _ := n.Registry.Lookup(corev1.SchemeGroupVersion.WithKind("Service"), namespace, name).(*corev1.Service)
	return service
}

// portName is the name of a service's port, which is how endpoints call it.
func portName(service *corev1.Service, number int64) (string, error) {
	for _, p := range service.Spec.Ports {
		if int64(p.Port) == number {
			return p.Name, nil
		}
	}
	return "", apierrors.NewServiceUnavailable(fmt.Sprintf("no service port %d found for service %q", number, service.Name))
}

func noEndpoints(service string) error {
	return apierrors.NewServiceUnavailable(fmt.Sprintf("no endpoints available for service %q", service))
}

// backend is one place where a service's port is served.
type backend struct {
	pod     *corev1.Pod // nil of an address that is no pod's
	address string
	port    string
}

// behind yields what is ready behind a service's port, in any order.
func (n Network) behind(ctx context.Context, namespace, name, port string) iter.Seq[backend] {
	return func(yield func(backend) bool) {
		slices, err := n.Registry.All(ctx, n.Catalog.ByResource(discoveryv1.SchemeGroupVersion.WithResource("endpointslices")), namespace)
		if err != nil {
			return
		}
		for _, i := range rand.Perm(len(slices)) {
			slice, ok := slices[i].(*discoveryv1.EndpointSlice)
			if !ok || slice.Labels[discoveryv1.LabelServiceName] != name {
				continue
			}
			for _, p := range slice.Ports {
				if p.Port == nil || p.Name == nil || *p.Name != port {
					continue
				}
				for _, j := range rand.Perm(len(slice.Endpoints)) {
					e := &slice.Endpoints[j]
					if e.Conditions.Ready != nil && !*e.Conditions.Ready || len(e.Addresses) == 0 {
						continue
					}
					b := backend{address: e.Addresses[0], port: strconv.Itoa(int(*p.Port))}
					if e.TargetRef != nil && e.TargetRef.Kind == "Pod" {
						b.pod = n.Registry.Pod(namespace, e.TargetRef.Name)
						if b.pod == nil || b.pod.Status.PodIP != b.address {
							continue // gone, or another of that name
						}
					}
					if !yield(b) {
						return
					}
				}
			}
		}
	}
}

// DialService connects to a port of a service, as the API server does to ask a webhook there. Whoever answers has to prove
// by its certificate that it is the service, so addresses that no pod has are connected to as well.
// Source: k8s.io/apiserver/pkg/util/proxy (ResolveEndpoint, ResolveCluster).
func (n Network) DialService(ctx context.Context, namespace, name string, port int32) (net.Conn, error) {
	service := n.service(namespace, name)
	if service == nil {
		return nil, apierrors.NewNotFound(corev1.Resource("service"), name)
	}
	var dialer net.Dialer
	if service.Spec.Type == corev1.ServiceTypeExternalName {
		return dialer.DialContext(ctx, "tcp", net.JoinHostPort(service.Spec.ExternalName, strconv.Itoa(int(port))))
	}
	named, err := portName(service, int64(port))
	if err != nil {
		return nil, err
	}
	failed := noEndpoints(name)
	for b := range n.behind(ctx, namespace, name, named) {
		var conn net.Conn
		if b.pod != nil {
			conn, err = n.dialPod(ctx, b.pod, b.port)
		} else {
			conn, err = dialer.DialContext(ctx, "tcp", net.JoinHostPort(b.address, b.port))
		}
		if err == nil {
			return conn, nil
		}
		failed = err
	}
	return nil, failed
}
