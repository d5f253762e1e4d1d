package namespace

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
)

var podResource = v1.SchemeGroupVersion.WithResource("pods")

// resource is one kind of content and how its objects can be deleted.
type resource struct {
	schema.GroupVersionResource
	lists, deletesCollections bool
}

// sweep tells everything in namespace to go, pods first, and returns what remains.
func (c *Controller) sweep(ctx context.Context, namespace *v1.Namespace) *findings {
	found := newFindings()
	resources := c.resources(found)
	for _, r := range resources {
		left, err := c.sweepResource(ctx, r, namespace)
		if err != nil {
			found.contentFailed(r.GroupVersionResource, err)
		}
		found.remain(r.GroupVersionResource, left)
		if r.GroupVersionResource == podResource && len(left) > 0 {
			found.onlyPods = true
			break
		}
	}
	return found
}

// resources returns what can be in a namespace and can be deleted, pods first.
func (c *Controller) resources(found *findings) []resource {
	lists, err := c.discovery.ServerPreferredNamespacedResources()
	if err != nil {
		found.discoveryFailed(err)
	}
	verbs := map[schema.GroupVersionResource]metav1.Verbs{}
	for _, list := range lists {
		groupVersion, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			found.parsingFailed(err)
			continue
		}
		for _, r := range list.APIResources {
			if (discovery.SupportsAllVerbs{Verbs: []string{"delete"}}).Match(list.GroupVersion, &r) {
				verbs[groupVersion.WithResource(r.Name)] = r.Verbs
			}
		}
	}
	sorted := slices.SortedFunc(maps.Keys(verbs), func(a, b schema.GroupVersionResource) int {
		return cmp.Or(
			cmp.Compare(rank(a), rank(b)),
			cmp.Compare(a.Group, b.Group), cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Version, b.Version))
	})
	resources := make([]resource, len(sorted))
	for i, gvr := range sorted {
		resources[i] = resource{
			GroupVersionResource: gvr,
			lists:                slices.Contains(verbs[gvr], "list"),
			deletesCollections:   slices.Contains(verbs[gvr], "deletecollection"),
		}
	}
	return resources
}

func rank(gvr schema.GroupVersionResource) int {
	if gvr == podResource {
		return 0
	}
	return 1
}

// sweepResource deletes all objects of one resource and returns those that remain. It is an error if an object
// remains for no reason that one can see: no finalizer, no grace period.
func (c *Controller) sweepResource(ctx context.Context, r resource, namespace *v1.Namespace) ([]metav1.PartialObjectMetadata, error) {
	before, err := c.list(ctx, r, namespace.Name)
	if err != nil || (r.lists && len(before) == 0) {
		return nil, err
	}
	if err := c.delete(ctx, r, namespace.Name, before); err != nil {
		return before, err
	}
	left, err := c.list(ctx, r, namespace.Name)
	if err != nil {
		return before, err
	}
	if len(left) == 0 || hasFinalizers(left) || (r.GroupVersionResource == podResource && c.inGracePeriod(namespace)) {
		return left, nil
	}
	return left, fmt.Errorf("unexpected items still remain in namespace: %s for gvr: %v", namespace.Name, r.GroupVersionResource)
}

func (c *Controller) list(ctx context.Context, r resource, namespace string) ([]metav1.PartialObjectMetadata, error) {
	if !r.lists {
		return nil, nil
	}
	list, err := c.content.Resource(r.GroupVersionResource).Namespace(namespace).List(ctx, metav1.ListOptions{})
	switch {
	case apierrors.IsMethodNotSupported(err), apierrors.IsNotFound(err):
		return nil, nil // the kind is gone since discovery, and its objects with it
	case err != nil:
		return nil, err
	}
	return list.Items, nil
}

// delete deletes in the background: what the objects own is in this namespace too, and goes anyway.
func (c *Controller) delete(ctx context.Context, r resource, namespace string, items []metav1.PartialObjectMetadata) error {
	client := c.content.Resource(r.GroupVersionResource).Namespace(namespace)
	opts := metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)}
	if r.deletesCollections {
		err := client.DeleteCollection(ctx, opts, metav1.ListOptions{})
		if !apierrors.IsMethodNotSupported(err) && !apierrors.IsNotFound(err) {
			return err
		}
	}
	for _, item := range items {
		err := client.Delete(ctx, item.Name, opts)
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsMethodNotSupported(err) {
			return err
		}
	}
	return nil
}

func hasFinalizers(items []metav1.PartialObjectMetadata) bool {
	return slices.ContainsFunc(items, func(item metav1.PartialObjectMetadata) bool { return len(item.Finalizers) > 0 })
}

// inGracePeriod reports whether a pod may still be shutting down: the longest grace period of those that run has
// not passed since the namespace was deleted.
func (c *Controller) inGracePeriod(namespace *v1.Namespace) bool {
	pods, err := c.pods.Pods(namespace.Name).List(labels.Everything())
	if err != nil {
		return false
	}
	var longest int64
	for _, pod := range pods {
		if pod.Status.Phase == v1.PodSucceeded || pod.Status.Phase == v1.PodFailed || pod.Spec.TerminationGracePeriodSeconds == nil {
			continue
		}
		longest = max(longest, *pod.Spec.TerminationGracePeriodSeconds)
	}
	return time.Since(namespace.DeletionTimestamp.Time) < time.Duration(longest)*time.Second
}
