package garbage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/util/retry"

	"coracle/controllers/loop"
)

// reconcile does what is due for one object: end its orphaning or its deletion in the foreground, or delete it
// because all its owners are gone.
func (c *Controller) reconcile(ctx context.Context, uid types.UID) error {
	n := c.graph.get(uid)
	switch {
	case n == nil:
		return nil
	case n.orphaning:
		return c.orphan(ctx, n)
	case n.foreground:
		return c.foreground(ctx, n)
	case n.deleting || !c.doubtful(n):
		return nil // its end will bring its dependents here
	}
	live, err := c.at(n).Get(ctx, n.name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err) || (err == nil && live.UID != uid):
		return nil // the monitor is about to tell
	case err != nil:
		return err
	case live.DeletionTimestamp != nil || len(live.OwnerReferences) == 0:
		return nil
	}
	owners, err := c.classify(ctx, n, live.OwnerReferences)
	if err != nil || owners.invalid {
		return err
	}
	switch {
	case len(owners.solid) > 0:
		err = c.drop(ctx, n, live, owners)
	case len(owners.waiting) > 0 && len(c.graph.dependentsOf(uid)) > 0:
		err = c.deleteInForeground(ctx, n, live)
	default:
		err = c.delete(ctx, n, live, propagation(live))
	}
	if err == nil && owners.unseen {
		return loop.ErrAgain // an owner came and may go before a monitor sees it
	}
	return err
}

// at is where n is.
func (c *Controller) at(n *node) metadata.ResourceInterface {
	return c.content.Resource(n.gvr).Namespace(n.namespace)
}

// drop takes the references that are of no use off an object that stays. A waiting owner would wait for ever.
func (c *Controller) drop(ctx context.Context, n *node, live *metav1.PartialObjectMetadata, owners owners) error {
	if len(owners.dangling)+len(owners.waiting) == 0 {
		return nil
	}
	return c.setOwners(ctx, n, live, slices.DeleteFunc(slices.Clone(live.OwnerReferences), func(ref metav1.OwnerReference) bool {
		return owners.useless(ref.UID)
	}))
}

// deleteInForeground hands an owner's foreground deletion on to an object with dependents of its own. A circle would
// wait for itself: then the object blocks nobody any more.
func (c *Controller) deleteInForeground(ctx context.Context, n *node, live *metav1.PartialObjectMetadata) error {
	if slices.ContainsFunc(c.graph.dependentsOf(n.uid), func(d *node) bool { return d.foreground }) {
		free := slices.Clone(live.OwnerReferences)
		for i := range free {
			free[i].BlockOwnerDeletion = nil
		}
		if err := c.setOwners(ctx, n, live, free); err != nil {
			return err
		}
		live.ResourceVersion = ""
	}
	return c.delete(ctx, n, live, metav1.DeletePropagationForeground)
}

// foreground waits for the dependents that hold n up, deletes those that are not on their way, and lets n go when
// there are none.
func (c *Controller) foreground(ctx context.Context, n *node) error {
	blocking := c.graph.blocking(n.uid)
	if len(blocking) == 0 {
		return c.removeFinalizer(ctx, n, metav1.FinalizerDeleteDependents)
	}
	for _, dependent := range c.graph.dependentsOf(n.uid) {
		if !dependent.deleting {
			c.loop.Add(dependent.uid)
		}
	}
	return nil
}

// orphan takes the references to n off its dependents, and lets n go.
func (c *Controller) orphan(ctx context.Context, n *node) error {
	var errs []error
	for _, dependent := range c.graph.dependentsOf(n.uid) {
		errs = append(errs, c.forget(ctx, dependent, n.uid))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("orphan the dependents of %s %s/%s: %w", n.kind, n.namespace, n.name, err)
	}
	return c.removeFinalizer(ctx, n, metav1.FinalizerOrphanDependents)
}

// forget takes the references to owner off dependent.
func (c *Controller) forget(ctx context.Context, dependent *node, owner types.UID) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		live, err := c.at(dependent).Get(ctx, dependent.name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err) || (err == nil && live.UID != dependent.uid):
			return nil
		case err != nil:
			return err
		}
		rest := slices.DeleteFunc(slices.Clone(live.OwnerReferences), func(ref metav1.OwnerReference) bool { return ref.UID == owner })
		if len(rest) == len(live.OwnerReferences) {
			return nil
		}
		return c.setOwners(ctx, dependent, live, rest)
	})
}

// setOwners replaces the references of an object, if it is still as live says.
func (c *Controller) setOwners(ctx context.Context, n *node, live *metav1.PartialObjectMetadata, owners []metav1.OwnerReference) error {
	return c.patch(ctx, n, live, map[string]any{"ownerReferences": owners})
}

// removeFinalizer takes a finalizer off an object.
func (c *Controller) removeFinalizer(ctx context.Context, n *node, finalizer string) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		live, err := c.at(n).Get(ctx, n.name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err) || (err == nil && (live.UID != n.uid || !slices.Contains(live.Finalizers, finalizer))):
			return nil
		case err != nil:
			return err
		}
		rest := slices.DeleteFunc(slices.Clone(live.Finalizers), func(f string) bool { return f == finalizer })
		return c.patch(ctx, n, live, map[string]any{"finalizers": rest})
	})
}

// patch changes metadata of the object that live shows, and of no other, and of no other version.
func (c *Controller) patch(ctx context.Context, n *node, live *metav1.PartialObjectMetadata, change map[string]any) error {
	change["uid"], change["resourceVersion"] = live.UID, live.ResourceVersion
	data, err := json.Marshal(map[string]any{"metadata": change})
	if err != nil {
		return err
	}
	_, err = c.at(n).Patch(ctx, n.name, types.MergePatchType, data, metav1.PatchOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// delete deletes the object that live shows, if nobody has changed it since: it might have an owner by now.
func (c *Controller) delete(ctx context.Context, n *node, live *metav1.PartialObjectMetadata, policy metav1.DeletionPropagation) error {
	opts := metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(live.UID)), PropagationPolicy: &policy}
	if live.ResourceVersion != "" {
		opts.Preconditions.ResourceVersion = &live.ResourceVersion
	}
	err := c.at(n).Delete(ctx, n.name, opts)
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// propagation is what an object's own finalizers ask for, background otherwise.
func propagation(live *metav1.PartialObjectMetadata) metav1.DeletionPropagation {
	switch {
	case slices.Contains(live.Finalizers, metav1.FinalizerOrphanDependents):
		return metav1.DeletePropagationOrphan
	case slices.Contains(live.Finalizers, metav1.FinalizerDeleteDependents):
		return metav1.DeletePropagationForeground
	}
	return metav1.DeletePropagationBackground
}
