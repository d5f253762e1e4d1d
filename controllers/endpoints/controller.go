package endpoints

import (
	"context"
	"errors"
	"log/slog"

	v1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	discoverylisters "k8s.io/client-go/listers/discovery/v1"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/loop"
	"coracle/controllers/workload"
)

// Clients carry the identity of one of upstream's controllers each.
type Clients struct{ Slices, Endpoints, Mirror kubernetes.Interface }

// Controller keeps the EndpointSlices and Endpoints of Services.
type Controller struct {
	clients   Clients
	services  corelisters.ServiceLister
	pods      corelisters.PodLister
	nodes     corelisters.NodeLister
	endpoints corelisters.EndpointsLister
	slices    discoverylisters.EndpointSliceLister
	written   *loop.Written[cache.ObjectName]
	loop      *loop.Loop[key]
}

// key is a Service. gone says that it was there and has been deleted.
type key struct {
	cache.ObjectName
	gone bool
}

func keyFor(namespace, name string) key { return key{ObjectName: cache.NewObjectName(namespace, name)} }

// New makes a controller. Call it before the factory starts.
func New(clients Clients, factory informers.SharedInformerFactory, log *slog.Logger) *Controller {
	core, slices := factory.Core().V1(), factory.Discovery().V1().EndpointSlices()
	c := &Controller{
		clients:   clients,
		services:  core.Services().Lister(),
		pods:      core.Pods().Lister(),
		nodes:     core.Nodes().Lister(),
		endpoints: core.Endpoints().Lister(),
		slices:    slices.Lister(),
		written:   loop.NewWritten[cache.ObjectName](slices.Informer()),
	}
	c.loop = loop.New("endpoint", log, c.reconcile)
	loop.Need(c.loop, core.Nodes().Informer())
	loop.Watch(c.loop, core.Services().Informer(), func(old, service *v1.Service) {
		if service == nil {
			c.loop.Add(key{ObjectName: cache.MetaObjectToName(old), gone: true})
		} else {
			c.loop.Add(keyFor(service.Namespace, service.Name))
		}
	})
	loop.Watch(c.loop, core.Endpoints().Informer(), func(old, endpoints *v1.Endpoints) {
		if endpoints == nil {
			endpoints = old
		}
		c.loop.Add(keyFor(endpoints.Namespace, endpoints.Name)) // they are called as their Service is
	})
	loop.Watch(c.loop, slices.Informer(), func(old, slice *discoveryv1.EndpointSlice) {
		if slice == nil {
			slice = old
		}
		if name := slice.Labels[discoveryv1.LabelServiceName]; name != "" && slice.Labels[discoveryv1.LabelManagedBy] != "" {
			c.loop.Add(keyFor(slice.Namespace, name))
		}
	})
	loop.Watch(c.loop, core.Pods().Informer(), c.podChanged)
	return c
}

// Run runs the controller until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.loop.Run(ctx, 1) }

// podChanged wakes the Services that select a pod, or did.
func (c *Controller) podChanged(old, pod *v1.Pod) {
	if old != nil && pod != nil && !matters(old, pod) {
		return
	}
	one := old
	if one == nil {
		one = pod
	}
	services, err := c.services.Services(one.Namespace).List(labels.Everything())
	if err != nil {
		return // the lister reads memory; there is no error to have
	}
	for _, s := range services {
		if old != nil && selects(s, old) || pod != nil && selects(s, pod) {
			c.loop.Add(keyFor(s.Namespace, s.Name))
		}
	}
}

// matters tells whether a change of a pod can be seen in an endpoint.
func matters(old, pod *v1.Pod) bool {
	return workload.Ready(old) != workload.Ready(pod) ||
		old.Status.PodIP != pod.Status.PodIP || len(old.Status.PodIPs) != len(pod.Status.PodIPs) ||
		old.Spec.NodeName != pod.Spec.NodeName ||
		workload.Ended(old) != workload.Ended(pod) ||
		(old.DeletionTimestamp == nil) != (pod.DeletionTimestamp == nil) ||
		old.UID != pod.UID ||
		!equality.Semantic.DeepEqual(old.Labels, pod.Labels)
}

func selects(service *v1.Service, pod *v1.Pod) bool {
	return service.Spec.Type != v1.ServiceTypeExternalName && service.Spec.Selector != nil &&
		labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(pod.Labels))
}

func (c *Controller) reconcile(ctx context.Context, k key) error {
	name := k.ObjectName
	if !c.written.Seen(name) {
		return loop.ErrAgain
	}
	service, err := c.services.Services(name.Namespace).Get(name.Name)
	if apierrors.IsNotFound(err) {
		return errors.Join(c.deleteEndpoints(ctx, k), c.mirror(ctx, name, nil))
	}
	if err != nil {
		return err
	}
	if service.Spec.Type == v1.ServiceTypeExternalName || service.DeletionTimestamp != nil {
		return nil
	}
	if service.Spec.Selector == nil {
		return c.mirror(ctx, name, service)
	}
	pods, err := c.pods.Pods(service.Namespace).List(labels.SelectorFromSet(service.Spec.Selector))
	if err != nil {
		return err
	}
	return errors.Join(c.writeSlices(ctx, service, pods), c.writeEndpoints(ctx, service, pods), c.mirror(ctx, name, nil))
}
