package apiserver

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/apiserver/admission"
	"coracle/apiserver/catalog"
	"coracle/apiserver/wire"
	"coracle/storage/cache"
)

// delete removes an object: at once, or by marking it until its owner and its finalizers let it go.
// Source: k8s.io/apiserver/pkg/registry/rest/delete.go and registry/generic/registry/store.go.
func (c *call) delete() error {
	f, err := wire.Negotiate(c.r, c.offer())
	if err != nil {
		return err
	}
	opts, err := c.deleteOptions()
	if err != nil {
		return err
	}
	c.warnOfOrphans(opts)
	e, obj, gone, err := c.remove(c.info.Namespace, c.info.Name, opts)
	if err != nil {
		return err
	}
	switch {
	case !gone && e != nil:
		return c.sendEntry(f, http.StatusOK, e)
	case !gone || c.kind.ReturnDeleted:
		return c.sendObject(f, http.StatusOK, obj)
	}
	m, err := meta.Accessor(obj)
	if err != nil {
		return err
	}
	c.send(c.w, wire.Format{Media: f.Media, Pretty: f.Pretty}, http.StatusOK, &metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
		Status:   metav1.StatusSuccess,
		Details: &metav1.StatusDetails{
			Name: m.GetName(), Group: c.kind.Group, Kind: c.kind.Resource, UID: m.GetUID(),
		},
	})
	return nil
}

// warnOfOrphans tells who deletes without saying how that others will stay.
func (c *call) warnOfOrphans(opts *metav1.DeleteOptions) {
	if opts.PropagationPolicy == nil && opts.OrphanDependents == nil {
		warn(c.r.Context(), c.kind.OrphanWarning)
	}
}

// deleteOptions come in the body, or in the query where there is none.
func (c *call) deleteOptions() (*metav1.DeleteOptions, error) {
	opts := &metav1.DeleteOptions{}
	body, err := c.readBody()
	if err != nil {
		return nil, err
	}
	if len(body.Bytes) > 0 {
		// Clients send them in meta.k8s.io/v1, v1, or the resource's own group: the fields are the same.
		want := metav1.SchemeGroupVersion.WithKind("DeleteOptions")
		if err := c.Codec.DecodeOptions(body, want, opts); err != nil {
			return nil, err
		}
		c.auditDeleteOptions(opts)
	} else if err := decodeOptions(c.r.URL.Query(), opts); err != nil {
		return nil, err
	}
	return opts, validDeletion(opts)
}

// validDeletion checks how something is to be deleted.
func validDeletion(opts *metav1.DeleteOptions) error {
	if errs := metav1validation.ValidateDeleteOptions(opts); len(errs) > 0 {
		return apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: "DeleteOptions"}, "", catalog.Told(errs))
	}
	return nil
}

// remove deletes one object. gone tells that it is in the store no more; else it was marked, and e is
// its new state (nil of a dry run).
func (c *call) remove(namespace, name string, opts *metav1.DeleteOptions) (e *cache.Entry, obj runtime.Object, gone bool, err error) {
	ctx := c.r.Context()
	for {
		current, err := c.Registry.Get(c.kind, namespace, name)
		if err != nil {
			return nil, nil, false, err
		}
		old, err := c.Registry.Object(c.kind, current)
		if err != nil {
			return nil, nil, false, err
		}
		obj := old.DeepCopyObject()
		m, err := meta.Accessor(obj)
		if err != nil {
			return nil, nil, false, apierrors.NewInternalError(err)
		}
		a := c.attributes(admission.Delete, opts, dryRun(opts.DryRun))
		a.Old = old
		if err := c.mayDelete(a, m, opts); err != nil {
			return nil, nil, false, err
		}
		changed := markDeleted(c.kind, obj, m, opts, c.Now())
		switch {
		case a.DryRun && released(c.kind, obj, m) && c.kind.Strategy.GracePeriod == nil && !deleting(old):
			return nil, old, true, nil // it would go as it is
		case a.DryRun:
			return nil, obj, released(c.kind, obj, m), nil
		case released(c.kind, obj, m):
			e, err := c.Registry.Delete(ctx, c.kind, current)
			if retry(err) {
				continue
			}
			if err != nil {
				return nil, nil, false, c.conflict(err)
			}
			c.rec.Revision = e.Revision
			if deleting(old) || c.kind.Strategy.GracePeriod != nil {
				return e, obj, true, nil // with the grace that this request has shortened
			}
			return e, old, true, nil
		case !changed:
			return current, old, false, nil
		}
		e, err := c.Registry.Update(ctx, c.kind, obj, current)
		if retry(err) {
			continue
		}
		if err != nil {
			return nil, nil, false, c.conflict(err)
		}
		c.rec.Revision = e.Revision
		return e, obj, false, nil
	}
}

// mayDelete asks admission about an object that is to go, and whether it is the one that was meant; of several objects, when it is
// this one's turn.
func (c *call) mayDelete(a *admission.Attributes, m metav1.Object, opts *metav1.DeleteOptions) error {
	if err := c.turn.wait(); err != nil {
		return err
	}
	if !c.settled {
		if err := c.Admission.Mutate(c.r.Context(), a); err != nil {
			return err
		}
		if err := c.Admission.Validate(c.r.Context(), a); err != nil {
			return err
		}
	}
	if err := c.checkPreconditions(m, opts.Preconditions); err != nil {
		return err
	}
	c.turn.pass(true)
	return nil
}

// deleting tells whether an object was marked before.
func deleting(obj runtime.Object) bool {
	m, err := meta.Accessor(obj)
	return err == nil && m.GetDeletionTimestamp() != nil
}

func (c *call) checkPreconditions(m metav1.Object, p *metav1.Preconditions) error {
	if p == nil {
		return nil
	}
	switch c.kind.Kind {
	case "Namespace":
		return c.checkContainerPreconditions(m, p, "Precondition failed")
	case "CustomResourceDefinition":
		return c.checkContainerPreconditions(m, p, "precondition failed")
	}
	kind := c.kind.Checked()
	gr := schema.GroupResource{Group: kind.Group, Resource: kind.Kind}
	if p.UID != nil && *p.UID != m.GetUID() {
		return apierrors.NewConflict(gr, m.GetName(), fmt.Errorf("the UID in the precondition (%s) does not match the UID in record (%s). The object might have been deleted and then recreated", *p.UID, m.GetUID()))
	}
	if p.ResourceVersion != nil && *p.ResourceVersion != m.GetResourceVersion() {
		return apierrors.NewConflict(gr, m.GetName(), fmt.Errorf("the ResourceVersion in the precondition (%s) does not match the ResourceVersion in record (%s). The object might have been modified", *p.ResourceVersion, m.GetResourceVersion()))
	}
	return nil
}

// checkContainerPreconditions is for what is emptied before it goes: upstream deletes that in a way of its own, with sentences
// of its own.
func (c *call) checkContainerPreconditions(m metav1.Object, p *metav1.Preconditions, failed string) error {
	var why error
	switch {
	case p.UID != nil && *p.UID != m.GetUID():
		why = fmt.Errorf("%s: UID in precondition: %v, UID in object meta: %v", failed, *p.UID, m.GetUID())
	case p.ResourceVersion != nil && *p.ResourceVersion != m.GetResourceVersion():
		why = fmt.Errorf("%s: ResourceVersion in precondition: %v, ResourceVersion in object meta: %v", failed, *p.ResourceVersion, m.GetResourceVersion())
	default:
		return nil
	}
	return apierrors.NewConflict(c.kind.Qualified(), m.GetName(), why)
}

// markDeleted writes into obj what a deletion asks for, and tells whether that changed anything.
func markDeleted(k *catalog.Kind, obj runtime.Object, m metav1.Object, opts *metav1.DeleteOptions, now time.Time) bool {
	if ns, ok := obj.(*corev1.Namespace); ok && m.GetDeletionTimestamp() != nil && len(ns.Spec.Finalizers) > 0 {
		return false // it is being emptied: how it goes is settled
	}
	changed := setFinalizers(k, m, opts)
	asked := opts.GracePeriodSeconds
	if asked != nil && *asked < 0 {
		asked = new(int64(1))
	}
	var grace int64
	if k.Strategy.GracePeriod != nil {
		grace = k.Strategy.GracePeriod(obj, asked)
	}
	if t := m.GetDeletionTimestamp(); t != nil {
		return shortenGrace(m, k.Strategy.GracePeriod != nil, asked, now) || changed
	}
	at := metav1.NewTime(now.Add(time.Duration(grace) * time.Second)).Rfc3339Copy()
	m.SetDeletionTimestamp(&at)
	m.SetDeletionGracePeriodSeconds(&grace)
	if m.GetGeneration() > 0 {
		m.SetGeneration(m.GetGeneration() + 1)
	}
	if ns, ok := obj.(*corev1.Namespace); ok {
		m.SetDeletionGracePeriodSeconds(nil)
		ns.Status.Phase = corev1.NamespaceTerminating
	}
	if k.Strategy.PrepareForDelete != nil {
		k.Strategy.PrepareForDelete(obj)
	}
	return true
}

// shortenGrace lets a second deletion come sooner, never later.
func shortenGrace(m metav1.Object, graceful bool, asked *int64, now time.Time) bool {
	had := m.GetDeletionGracePeriodSeconds()
	if !graceful || had == nil || *had == 0 || asked == nil || *asked >= *had {
		return false
	}
	period := *asked
	at := m.GetDeletionTimestamp().Add(time.Duration(period-*had) * time.Second)
	if at.Before(now) {
		at = now
		if period != 0 {
			period = 1
		}
	}
	t := metav1.NewTime(at).Rfc3339Copy()
	m.SetDeletionTimestamp(&t)
	m.SetDeletionGracePeriodSeconds(&period)
	return true
}

// setFinalizers turns the propagation policy into the finalizers that the garbage collector works off.
func setFinalizers(k *catalog.Kind, m metav1.Object, opts *metav1.DeleteOptions) bool {
	orphan, foreground := false, false
	switch {
	case k.NoDependents, k.Kind == "CustomResourceDefinition" && m.GetDeletionTimestamp() == nil:
	case opts.PropagationPolicy != nil:
		orphan = *opts.PropagationPolicy == metav1.DeletePropagationOrphan
		foreground = *opts.PropagationPolicy == metav1.DeletePropagationForeground
	case opts.OrphanDependents != nil:
		orphan = *opts.OrphanDependents
	default: // what is there already stays
		have := m.GetFinalizers()
		orphan = slices.Contains(have, metav1.FinalizerOrphanDependents) || k.OrphanByDefault
		foreground = slices.Contains(have, metav1.FinalizerDeleteDependents)
	}
	had := m.GetFinalizers()
	want := slices.DeleteFunc(slices.Clone(had), func(f string) bool {
		return f == metav1.FinalizerOrphanDependents || f == metav1.FinalizerDeleteDependents
	})
	if orphan {
		want = append(want, metav1.FinalizerOrphanDependents)
	}
	if foreground {
		want = append(want, metav1.FinalizerDeleteDependents)
	}
	if slices.Equal(had, want) {
		return false
	}
	m.SetFinalizers(want)
	return true
}

// released tells whether nothing holds a marked object back any longer.
func released(k *catalog.Kind, obj runtime.Object, m metav1.Object) bool {
	if len(m.GetFinalizers()) > 0 || m.GetDeletionTimestamp() == nil {
		return false
	}
	if ns, ok := obj.(*corev1.Namespace); ok {
		return len(ns.Spec.Finalizers) == 0
	}
	if k.Strategy.GracePeriod == nil {
		return true
	}
	g := m.GetDeletionGracePeriodSeconds()
	return g == nil || *g == 0
}
