package endpoints

import (
	"context"
	"errors"
	"maps"
	"slices"

	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

const (
	sliceManager  = "endpointslice-controller.k8s.io"
	mirrorManager = "endpointslicemirroring-controller.k8s.io"

	sliceSize  = 100  // endpoints in a slice
	mirrorSize = 1000 // those of a mirrored subset stay together
)

// writeSlices brings a service's slices up to date with its pods.
func (c *Controller) writeSlices(ctx context.Context, service *v1.Service, pods []*v1.Pod) error {
	groups := c.groups(service, pods)
	for _, addresses := range addressTypes(service) {
		if !slices.ContainsFunc(groups, func(g group) bool { return g.addresses == addresses }) {
			groups = append(groups, group{addresses: addresses}) // its slice is the placeholder
		}
	}
	meta := metav1.ObjectMeta{
		Namespace:       service.Namespace,
		GenerateName:    service.Name + "-",
		Labels:          maps.Clone(service.Labels),
		Annotations:     map[string]string{v1.EndpointsLastChangeTriggerTime: lastChange(service, pods)},
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(service, v1.SchemeGroupVersion.WithKind("Service"))},
	}
	if meta.Labels == nil {
		meta.Labels = map[string]string{}
	}
	delete(meta.Labels, v1.IsHeadlessService)
	if service.Spec.ClusterIP == v1.ClusterIPNone || service.Spec.ClusterIP == "" {
		meta.Labels[v1.IsHeadlessService] = ""
	}
	return c.sync(ctx, c.clients.Slices, cache.MetaObjectToName(service), sliceManager, sliceSize, meta, groups)
}

// sync makes, updates and deletes a service's slices of one manager, so that they hold the groups. As few as possible
// change: an endpoint stays in its slice.
func (c *Controller) sync(ctx context.Context, client kubernetes.Interface, name cache.ObjectName, manager string, size int, meta metav1.ObjectMeta, groups []group) error {
	ours := map[string]string{discoveryv1.LabelServiceName: name.Name, discoveryv1.LabelManagedBy: manager}
	have, err := c.slices.EndpointSlices(name.Namespace).List(labels.SelectorFromSet(ours))
	if err != nil {
		return err
	}
	if len(groups) > 0 {
		maps.Copy(meta.Labels, ours)
	}
	var want []*discoveryv1.EndpointSlice // those without a name are new
	left := slices.DeleteFunc(slices.Clone(have), func(s *discoveryv1.EndpointSlice) bool { return s.DeletionTimestamp != nil })
	for _, g := range groups {
		var same []*discoveryv1.EndpointSlice
		left = slices.DeleteFunc(left, func(s *discoveryv1.EndpointSlice) bool {
			ok := keyOf(s.AddressType, s.Ports) == g.key()
			if ok {
				same = append(same, s)
			}
			return ok
		})
		filled, empty := fill(g, same, size)
		want, left = append(want, filled...), append(left, empty...)
	}
	var errs []error
	for _, slice := range want {
		if slice.Name == "" { // rather than deleting a slice and making another
			if i := slices.IndexFunc(left, func(s *discoveryv1.EndpointSlice) bool { return s.AddressType == slice.AddressType }); i >= 0 {
				slice.ObjectMeta = *left[i].ObjectMeta.DeepCopy()
				left = slices.Delete(left, i, i+1)
			}
		}
		errs = append(errs, c.write(ctx, client, name, slice, have, meta))
	}
	for _, slice := range left {
		if err := client.DiscoveryV1().EndpointSlices(slice.Namespace).Delete(ctx, slice.Name, metav1.DeleteOptions{}); !apierrors.IsNotFound(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// fill distributes a group's endpoints to slices: each to the one where it is, the others to those that have room, and
// to new ones. What is left empty comes back apart, unless the group itself is empty.
func fill(g group, have []*discoveryv1.EndpointSlice, size int) (filled, empty []*discoveryv1.EndpointSlice) {
	todo := slices.Clone(g.endpoints)
	for _, old := range have {
		slice := old.DeepCopy()
		slice.Endpoints = nil
		for _, was := range old.Endpoints {
			if i := slices.IndexFunc(todo, func(e discoveryv1.Endpoint) bool { return sameEndpoint(e, was) }); i >= 0 && len(slice.Endpoints) < size {
				slice.Endpoints = append(slice.Endpoints, todo[i])
				todo = slices.Delete(todo, i, i+1)
			}
		}
		filled = append(filled, slice)
	}
	for _, slice := range filled {
		n := min(size-len(slice.Endpoints), len(todo))
		slice.Endpoints, todo = append(slice.Endpoints, todo[:n]...), todo[n:]
	}
	for chunk := range slices.Chunk(todo, size) {
		filled = append(filled, &discoveryv1.EndpointSlice{AddressType: g.addresses, Ports: g.ports, Endpoints: chunk})
	}
	if len(filled) == 0 {
		return []*discoveryv1.EndpointSlice{{AddressType: g.addresses, Ports: g.ports}}, nil
	}
	used := slices.DeleteFunc(slices.Clone(filled), func(s *discoveryv1.EndpointSlice) bool {
		if len(s.Endpoints) > 0 {
			return false
		}
		empty = append(empty, s)
		return true
	})
	if len(used) == 0 {
		return empty[:1], empty[1:]
	}
	return used, empty
}

// sameEndpoint tells whether two endpoints are one at different times.
func sameEndpoint(a, b discoveryv1.Endpoint) bool {
	if a.TargetRef != nil && b.TargetRef != nil && a.TargetRef.UID != b.TargetRef.UID {
		return false
	}
	return slices.Equal(a.Addresses, b.Addresses)
}

// write makes a slice, or updates it if anything but the time of the change differs.
func (c *Controller) write(ctx context.Context, client kubernetes.Interface, name cache.ObjectName, slice *discoveryv1.EndpointSlice, have []*discoveryv1.EndpointSlice, meta metav1.ObjectMeta) error {
	api := client.DiscoveryV1().EndpointSlices(meta.Namespace)
	if slice.Endpoints == nil {
		slice.Endpoints = []discoveryv1.Endpoint{}
	}
	var written *discoveryv1.EndpointSlice
	var err error
	if slice.Name == "" {
		slice.ObjectMeta = *meta.DeepCopy()
		written, err = api.Create(ctx, slice, metav1.CreateOptions{})
	} else {
		i := slices.IndexFunc(have, func(s *discoveryv1.EndpointSlice) bool { return s.Name == slice.Name })
		old := have[i]
		if equality.Semantic.DeepEqual(old.Endpoints, slice.Endpoints) && equality.Semantic.DeepEqual(old.Ports, slice.Ports) &&
			maps.Equal(old.Labels, meta.Labels) && sameAnnotations(old.Annotations, meta.Annotations) {
			return nil
		}
		slice.Labels, slice.Annotations, slice.OwnerReferences = meta.Labels, meta.Annotations, meta.OwnerReferences
		written, err = api.Update(ctx, slice, metav1.UpdateOptions{})
	}
	if apierrors.HasStatusCause(err, v1.NamespaceTerminatingCause) {
		return nil
	}
	if err == nil {
		c.written.Note(name, written.ResourceVersion)
	}
	return err
}

func sameAnnotations(a, b map[string]string) bool {
	a, b = maps.Clone(a), maps.Clone(b)
	delete(a, v1.EndpointsLastChangeTriggerTime)
	delete(b, v1.EndpointsLastChangeTriggerTime)
	return maps.Equal(a, b)
}
