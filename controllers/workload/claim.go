package workload

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Claim sorts out which objects are an owner's.
type Claim[T metav1.Object] struct {
	Owner    metav1.Object
	Kind     schema.GroupVersionKind // of the owner
	Selector labels.Selector
	// Fresh reads the owner from the API server: before the first adoption it is made sure that the owner is still there.
	Fresh func(ctx context.Context) (metav1.Object, error)
	// Patch applies a strategic merge patch to an object.
	Patch func(ctx context.Context, object T, patch []byte) error
	// Finalizers are added to what is adopted.
	Finalizers []string
}

// Of returns those of candidates that are the owner's and match: the ones that have been, and orphans, which are
// adopted. What no longer matches is released.
func (c Claim[T]) Of(ctx context.Context, candidates []T) ([]T, error) {
	var own []T
	var errs []error
	mayAdopt := false
	for _, object := range candidates {
		ref := metav1.GetControllerOfNoCopy(object)
		matches := c.Selector.Matches(labels.Set(object.GetLabels()))
		switch {
		case ref != nil && ref.UID != c.Owner.GetUID():
			continue
		case ref != nil && matches:
			own = append(own, object)
			continue
		case c.Owner.GetDeletionTimestamp() != nil:
			continue // its end is no time to change what it owns
		case ref != nil:
			if err := c.release(ctx, object); err != nil {
				errs = append(errs, err)
			}
			continue
		case !matches, object.GetDeletionTimestamp() != nil:
			continue
		}
		if !mayAdopt {
			if err := c.check(ctx); err != nil {
				return own, errors.Join(append(errs, fmt.Errorf("can't adopt %s: %w", object.GetName(), err))...)
			}
			mayAdopt = true
		}
		switch err := c.adopt(ctx, object); {
		case err == nil:
			own = append(own, object)
		case !apierrors.IsNotFound(err):
			errs = append(errs, err)
		}
	}
	return own, errors.Join(errs...)
}

// check makes sure that the owner may adopt: the cache can be late to know that it is being deleted.
func (c Claim[T]) check(ctx context.Context) error {
	fresh, err := c.Fresh(ctx)
	switch {
	case err != nil:
		return err
	case fresh.GetUID() != c.Owner.GetUID():
		return fmt.Errorf("original %s %s/%s is gone: got uid %s, wanted %s", c.Kind.Kind, c.Owner.GetNamespace(), c.Owner.GetName(), fresh.GetUID(), c.Owner.GetUID())
	case fresh.GetDeletionTimestamp() != nil:
		return fmt.Errorf("%s/%s has just been deleted at %s", fresh.GetNamespace(), fresh.GetName(), fresh.GetDeletionTimestamp())
	}
	return nil
}

func (c Claim[T]) adopt(ctx context.Context, object T) error {
	meta := map[string]any{
		"uid":             object.GetUID(),
		"ownerReferences": []*metav1.OwnerReference{metav1.NewControllerRef(c.Owner, c.Kind)},
	}
	if len(c.Finalizers) > 0 {
		meta["finalizers"] = c.Finalizers
	}
	return c.patch(ctx, object, meta)
}

func (c Claim[T]) release(ctx context.Context, object T) error {
	meta := map[string]any{
		"uid":             object.GetUID(),
		"ownerReferences": []map[string]any{{"$patch": "delete", "uid": c.Owner.GetUID()}},
	}
	if len(c.Finalizers) > 0 {
		meta["$deleteFromPrimitiveList/finalizers"] = c.Finalizers
	}
	err := c.patch(ctx, object, meta)
	if apierrors.IsNotFound(err) || apierrors.IsInvalid(err) {
		return nil // it is gone, or another one by now
	}
	return err
}

func (c Claim[T]) patch(ctx context.Context, object T, meta map[string]any) error {
	patch, err := json.Marshal(map[string]any{"metadata": meta})
	if err != nil {
		return err
	}
	return c.Patch(ctx, object, patch)
}
