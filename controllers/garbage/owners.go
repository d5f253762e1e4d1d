package garbage

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// owners are an object's references, by what has become of the owners.
type owners struct {
	solid, dangling, waiting []metav1.OwnerReference
	// unseen: one of the solid ones exists, and no monitor has told of it yet.
	unseen bool
	// invalid: the object is cluster-scoped and names an owner in a namespace, without saying in which. Nothing may
	// be concluded from that.
	invalid bool
}

func (o owners) useless(uid types.UID) bool {
	is := func(ref metav1.OwnerReference) bool { return ref.UID == uid }
	return slices.ContainsFunc(o.dangling, is) || slices.ContainsFunc(o.waiting, is)
}

// classify asks the API server about every owner. It is an error, and nothing is decided, while the kind of one is
// unknown: it may become known.
func (c *Controller) classify(ctx context.Context, n *node, refs []metav1.OwnerReference) (owners, error) {
	var result owners
	for _, ref := range refs {
		r, ok := c.catalog.find(groupKind(ref))
		if !ok {
			return owners{}, fmt.Errorf("owner of %s %s/%s: no kind %q is served in %q", n.kind, n.namespace, n.name, ref.Kind, ref.APIVersion)
		}
		if r.namespaced && n.namespace == "" {
			return owners{invalid: true}, nil
		}
		owner, err := c.owner(ctx, n, r, ref)
		switch {
		case err != nil:
			return owners{}, err
		case owner == nil:
			result.dangling = append(result.dangling, ref)
		case owner.DeletionTimestamp != nil && slices.Contains(owner.Finalizers, metav1.FinalizerDeleteDependents):
			result.waiting = append(result.waiting, ref)
		default:
			result.solid = append(result.solid, ref)
			result.unseen = result.unseen || (r.watched && c.graph.get(ref.UID) == nil)
		}
	}
	return result, nil
}

// owner returns what ref names, nil if that does not exist, or is another object by now.
func (c *Controller) owner(ctx context.Context, n *node, r resource, ref metav1.OwnerReference) (*metav1.PartialObjectMetadata, error) {
	namespace := ""
	if r.namespaced {
		namespace = n.namespace
	}
	id := identity{kind: r.kind, namespace: namespace, name: ref.Name, uid: ref.UID}
	if _, gone := c.absent.Get(id); gone {
		return nil, nil
	}
	owner, err := c.content.Resource(r.gvr).Namespace(namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) || (err == nil && owner.UID != ref.UID) {
		c.absent.Add(id, nil)
		return nil, nil
	}
	return owner, err
}
