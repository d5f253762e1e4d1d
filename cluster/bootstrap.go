package cluster

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"

	"coracle/apiserver/registry"
	"coracle/controllers/clusterrole"
	"coracle/manifests"
	"coracle/rbac"
)

// bootstrap makes the objects that every cluster has from the start, and mends those that were changed where
// Kubernetes mends them. It writes through the API, as the server itself, but looks at what is there directly:
// a later start then writes nothing. All writes are under way together, so they share a few commits.
func (c *Cluster) bootstrap(ctx context.Context, client kubernetes.Interface, have *registry.Registry, p *publisher, used *lastUsed, serviceRange netip.Prefix, address netip.AddrPort) error {
	if err := together(namespaces(have), func(ns *corev1.Namespace) error {
		_, err := client.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{})
		return err
	}); err != nil {
		return fmt.Errorf("create the system namespaces: %w", err)
	}
	policy, err := manifests.Policy()
	if err != nil {
		return err
	}
	var writes []func() error
	for _, obj := range policy {
		if write := reconcile(ctx, client, have, obj); write != nil {
			writes = append(writes, write)
		}
	}
	writes = append(writes, priorityClasses(ctx, client, have)...)
	writes = append(writes, apiService(ctx, client, have, serviceRange, address)...)
	writes = append(writes, func() error { return flowControl(ctx, client, have) })
	writes = append(writes, func() error { return p.publish(ctx) }, func() error { return c.publishInfo(ctx, client, have) },
		func() error { return used.track(ctx, client) })
	if err := together(writes, func(write func() error) error { return write() }); err != nil {
		return fmt.Errorf("create the system objects: %w", err)
	}
	if err := clusterrole.Fill(ctx, client, have.ClusterRoles()); err != nil {
		return fmt.Errorf("fill the aggregated roles: %w", err)
	}
	return nil
}

// together calls f for all items at once and returns the first error, except that others were quicker.
func together[T any](items []T, f func(T) error) error {
	errs := make([]error, len(items))
	var wg sync.WaitGroup
	for i, item := range items {
		wg.Go(func() {
			if err := f(item); !apierrors.IsAlreadyExists(err) {
				errs[i] = err
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func namespaces(have *registry.Registry) []*corev1.Namespace {
	var missing []*corev1.Namespace
	for _, name := range []string{metav1.NamespaceDefault, metav1.NamespaceSystem, metav1.NamespacePublic, corev1.NamespaceNodeLease} {
		if have.Namespace(name) == nil {
			missing = append(missing, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
		}
	}
	return missing
}

// reconcile brings one role or binding of the default policy to what it should be, unless its owner has
// forbidden that (rbac.authorization.kubernetes.io/autoupdate: "false"). It returns nil when there is nothing to do.
func reconcile(ctx context.Context, client kubernetes.Interface, have *registry.Registry, wanted runtime.Object) func() error {
	m, err := meta.Accessor(wanted)
	if err != nil {
		return func() error { return err }
	}
	present := have.Lookup(rbacv1.SchemeGroupVersion.WithKind(wanted.GetObjectKind().GroupVersionKind().Kind), m.GetNamespace(), m.GetName())
	write, action, err := rbac.Reconcile(present, wanted)
	switch {
	case err != nil:
		return func() error { return err }
	case action == rbac.Keep:
		return nil
	}
	api := client.RbacV1()
	return func() error {
		var err error
		switch o := write.(type) {
		case *rbacv1.ClusterRole:
			if present == nil {
				_, err = api.ClusterRoles().Create(ctx, o, metav1.CreateOptions{})
			} else {
				_, err = api.ClusterRoles().Update(ctx, o, metav1.UpdateOptions{})
			}
		case *rbacv1.Role:
			if present == nil {
				_, err = api.Roles(o.Namespace).Create(ctx, o, metav1.CreateOptions{})
			} else {
				_, err = api.Roles(o.Namespace).Update(ctx, o, metav1.UpdateOptions{})
			}
		case *rbacv1.ClusterRoleBinding:
			switch {
			case present == nil:
				_, err = api.ClusterRoleBindings().Create(ctx, o, metav1.CreateOptions{})
			case sameRole(o.RoleRef, present.(*rbacv1.ClusterRoleBinding).RoleRef):
				_, err = api.ClusterRoleBindings().Update(ctx, o, metav1.UpdateOptions{})
			default: // a binding's role cannot be changed: it is made anew
				if err = api.ClusterRoleBindings().Delete(ctx, o.Name, metav1.DeleteOptions{}); err == nil {
					o.ResourceVersion, o.UID = "", ""
					_, err = api.ClusterRoleBindings().Create(ctx, o, metav1.CreateOptions{})
				}
			}
		case *rbacv1.RoleBinding:
			switch {
			case present == nil:
				_, err = api.RoleBindings(o.Namespace).Create(ctx, o, metav1.CreateOptions{})
			case sameRole(o.RoleRef, present.(*rbacv1.RoleBinding).RoleRef):
				_, err = api.RoleBindings(o.Namespace).Update(ctx, o, metav1.UpdateOptions{})
			default:
				if err = api.RoleBindings(o.Namespace).Delete(ctx, o.Name, metav1.DeleteOptions{}); err == nil {
					o.ResourceVersion, o.UID = "", ""
					_, err = api.RoleBindings(o.Namespace).Create(ctx, o, metav1.CreateOptions{})
				}
			}
		}
		return err
	}
}

func sameRole(a, b rbacv1.RoleRef) bool { return a == b }

// priorityClasses are those that system pods name.
func priorityClasses(ctx context.Context, client kubernetes.Interface, have *registry.Registry) []func() error {
	var writes []func() error
	for _, pc := range []*schedulingv1.PriorityClass{
		{
			ObjectMeta:  metav1.ObjectMeta{Name: "system-node-critical"},
			Value:       2000001000,
			Description: "Used for system critical pods that must not be moved from their current node.",
		},
		{
			ObjectMeta:  metav1.ObjectMeta{Name: "system-cluster-critical"},
			Value:       2000000000,
			Description: "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
		},
	} {
		if have.Lookup(schedulingv1.SchemeGroupVersion.WithKind("PriorityClass"), "", pc.Name) != nil {
			continue
		}
		writes = append(writes, func() error {
			_, err := client.SchedulingV1().PriorityClasses().Create(ctx, pc, metav1.CreateOptions{})
			return err
		})
	}
	return writes
}

// serverServiceIP is the address of the service `kubernetes`: the first in the range.
func serverServiceIP(serviceRange netip.Prefix) netip.Addr {
	return serviceRange.Masked().Addr().Next()
}

// apiService is the API as pods find it: the service `kubernetes`, whose endpoint is this server.
func apiService(ctx context.Context, client kubernetes.Interface, have *registry.Registry, serviceRange netip.Prefix, address netip.AddrPort) []func() error {
	const name, ns = "kubernetes", metav1.NamespaceDefault
	labels := map[string]string{"component": "apiserver", "provider": "kubernetes"}
	var writes []func() error
	if have.Lookup(corev1.SchemeGroupVersion.WithKind("Service"), ns, name) == nil {
		writes = append(writes, func() error {
			_, err := client.CoreV1().Services(ns).Create(ctx, &corev1.Service{
				ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
				Spec: corev1.ServiceSpec{
					ClusterIP: serverServiceIP(serviceRange).String(),
					Ports: []corev1.ServicePort{{
						Name: "https", Port: 443, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(int32(address.Port())),
					}},
				},
			}, metav1.CreateOptions{})
			return err
		})
	}
	if address.Addr().IsLoopback() {
		return writes // an endpoint may not be a loopback address: from a pod it would lead elsewhere
	}
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: name, Namespace: ns, Labels: map[string]string{discoveryv1.LabelServiceName: name}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{address.Addr().String()}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)}}},
		Ports:       []discoveryv1.EndpointPort{{Name: new("https"), Port: new(int32(address.Port())), Protocol: new(corev1.ProtocolTCP)}},
	}
	switch present := have.Lookup(discoveryv1.SchemeGroupVersion.WithKind("EndpointSlice"), ns, name).(type) {
	case nil:
		writes = append(writes, func() error {
			_, err := client.DiscoveryV1().EndpointSlices(ns).Create(ctx, slice, metav1.CreateOptions{})
			return err
		})
	case *discoveryv1.EndpointSlice:
		if len(present.Ports) == 1 && present.Ports[0].Port != nil && *present.Ports[0].Port == int32(address.Port()) {
			break // listening where it did last time
		}
		patch := fmt.Sprintf(`{"endpoints":[{"addresses":[%q],"conditions":{"ready":true}}],"ports":[{"name":"https","port":%d,"protocol":"TCP"}]}`,
			address.Addr(), address.Port())
		writes = append(writes, func() error {
			_, err := client.DiscoveryV1().EndpointSlices(ns).Patch(ctx, name, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
			return err
		})
	}
	return writes
}
