package endpoints

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coracle/controllers/workload"
)

const (
	managedBy        = "endpoints.kubernetes.io/managed-by"
	endpointsManager = "endpoint-controller"

	// capacity is how many addresses an Endpoints object holds at most.
	capacity = 1000
)

// writeEndpoints brings a service's Endpoints up to date with its pods.
func (c *Controller) writeEndpoints(ctx context.Context, service *v1.Service, pods []*v1.Pod) error {
	have, err := c.endpoints.Endpoints(service.Namespace).Get(service.Name)
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	next := &v1.Endpoints{ObjectMeta: metav1.ObjectMeta{Namespace: service.Namespace, Name: service.Name}}
	if have != nil {
		next = have.DeepCopy()
	}
	next.Labels = maps.Clone(service.Labels)
	if next.Labels == nil {
		next.Labels = map[string]string{}
	}
	delete(next.Labels, v1.IsHeadlessService)
	if service.Spec.ClusterIP == v1.ClusterIPNone || service.Spec.ClusterIP == "" {
		next.Labels[v1.IsHeadlessService] = ""
	}
	next.Labels[managedBy] = endpointsManager
	if next.Annotations == nil {
		next.Annotations = map[string]string{}
	}
	next.Annotations[v1.EndpointsLastChangeTriggerTime] = lastChange(service, pods)
	var truncated bool
	next.Subsets, truncated = subsets(service, pods)
	delete(next.Annotations, v1.EndpointsOverCapacity)
	if truncated {
		next.Annotations[v1.EndpointsOverCapacity] = "truncated"
	}
	api := c.clients.Endpoints.CoreV1().Endpoints(service.Namespace)
	switch {
	case have == nil:
		_, err = api.Create(ctx, next, metav1.CreateOptions{})
	case equality.Semantic.DeepEqual(have.Subsets, next.Subsets) && maps.Equal(have.Labels, next.Labels) && sameAnnotations(have.Annotations, next.Annotations):
		return nil
	default:
		_, err = api.Update(ctx, next, metav1.UpdateOptions{})
	}
	if apierrors.HasStatusCause(err, v1.NamespaceTerminatingCause) || apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// subsets are the pods' addresses, those with the same ports together.
func subsets(service *v1.Service, pods []*v1.Pod) (subsets []v1.EndpointSubset, truncated bool) {
	family, byKey, n := addressTypes(service)[0], map[string]int{}, 0
	for _, pod := range slices.SortedFunc(slices.Values(pods), func(a, b *v1.Pod) int { return compareIPs(a.Status.PodIP, b.Status.PodIP) }) {
		ips := addressesOf(pod, family)
		ports := portsOf(service, pod)
		if len(ips) == 0 || workload.Ended(pod) || pod.DeletionTimestamp != nil && !service.Spec.PublishNotReadyAddresses ||
			len(ports) == 0 && (len(service.Spec.Ports) > 0 || service.Spec.ClusterIP != v1.ClusterIPNone) {
			continue
		}
		if n++; n > capacity {
			return subsets, true
		}
		address := v1.EndpointAddress{IP: ips[0], TargetRef: reference(pod)}
		if pod.Spec.NodeName != "" {
			address.NodeName = new(pod.Spec.NodeName)
		}
		if hasHostname(service, pod) {
			address.Hostname = pod.Spec.Hostname
		}
		key := keyOf(family, ports)
		i, ok := byKey[key]
		if !ok {
			i = len(subsets)
			byKey[key], subsets = i, append(subsets, v1.EndpointSubset{Ports: endpointPorts(ports)})
		}
		if s := &subsets[i]; workload.Ready(pod) || service.Spec.PublishNotReadyAddresses {
			s.Addresses = append(s.Addresses, address)
		} else {
			s.NotReadyAddresses = append(s.NotReadyAddresses, address)
		}
	}
	return subsets, false
}

func endpointPorts(ports []discoveryv1.EndpointPort) []v1.EndpointPort {
	var out []v1.EndpointPort
	for _, p := range ports {
		out = append(out, v1.EndpointPort{Name: value(p.Name), Port: value(p.Port), Protocol: value(p.Protocol), AppProtocol: p.AppProtocol})
	}
	slices.SortFunc(out, func(a, b v1.EndpointPort) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Protocol, b.Protocol))
	})
	return out
}

// deleteEndpoints deletes the Endpoints of a service that has been deleted; of one that nobody has seen, only those that
// this controller made: others may have come before their service.
func (c *Controller) deleteEndpoints(ctx context.Context, k key) error {
	endpoints, err := c.endpoints.Endpoints(k.Namespace).Get(k.Name)
	if err != nil || !k.gone && endpoints.Labels[managedBy] != endpointsManager {
		return nil
	}
	err = c.clients.Endpoints.CoreV1().Endpoints(k.Namespace).Delete(ctx, k.Name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
