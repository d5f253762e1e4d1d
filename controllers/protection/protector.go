package protection

import (
	"context"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/loop"
)

// object is what is protected: a pointer to one of the API's types.
type object interface {
	metav1.Object
	runtime.Object
}

// protector holds objects of one kind by a finalizer for as long as they are used.
type protector[T object] struct {
	finalizer string
	get       func(cache.ObjectName) (T, error) // as the informer has it
	used      func(context.Context, T) (bool, error)
	update    func(context.Context, T) error
	loop      *loop.Loop[cache.ObjectName]
}

// Run runs the controller until ctx ends.
func (p *protector[T]) Run(ctx context.Context) error { return p.loop.Run(ctx, 1) }

// changed queues an object that there is something to do for.
func (p *protector[T]) changed(obj T) {
	if holds := slices.Contains(obj.GetFinalizers(), p.finalizer); holds == (obj.GetDeletionTimestamp() != nil) {
		p.loop.Add(cache.MetaObjectToName(obj))
	}
}

// reconcile lets go of an object that is to be deleted and is not used, and takes hold of one that is older than its protection.
func (p *protector[T]) reconcile(ctx context.Context, name cache.ObjectName) error {
	obj, err := p.get(name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	kept := obj.DeepCopyObject().(T)
	held := slices.Contains(obj.GetFinalizers(), p.finalizer)
	switch deleted := obj.GetDeletionTimestamp() != nil; {
	case held && deleted:
		if used, err := p.used(ctx, obj); used || err != nil {
			return err
		}
		kept.SetFinalizers(slices.DeleteFunc(kept.GetFinalizers(), func(f string) bool { return f == p.finalizer }))
	case !held && !deleted:
		kept.SetFinalizers(append(kept.GetFinalizers(), p.finalizer))
	default:
		return nil
	}
	if err := p.update(ctx, kept); !apierrors.IsNotFound(err) {
		return err
	}
	return nil
}
