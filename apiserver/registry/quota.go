package registry

import (
	"context"
	"errors"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"coracle/storage"
)

// ResourceQuotas lists the quotas of a namespace. Nobody may change them.
func (r *Registry) ResourceQuotas(namespace string) []*corev1.ResourceQuota {
	return allIn[*corev1.ResourceQuota](r, corev1.SchemeGroupVersion.WithKind("ResourceQuota"), namespace)
}

// LimitRanges lists the limit ranges of a namespace. Nobody may change them.
func (r *Registry) LimitRanges(namespace string) []*corev1.LimitRange {
	return allIn[*corev1.LimitRange](r, corev1.SchemeGroupVersion.WithKind("LimitRange"), namespace)
}

// SpendQuota writes a quota whose status was changed.
// Errors: a Status of reason Conflict if its resourceVersion is not the present one. One that is gone is none.
func (r *Registry) SpendQuota(ctx context.Context, q *corev1.ResourceQuota) error {
	k := r.catalog.ByKind(corev1.SchemeGroupVersion.WithKind("ResourceQuota"))
	current, err := r.Get(k, q.Namespace, q.Name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	gone := apierrors.NewConflict(corev1.Resource("resourcequotas"), q.Name, errors.New("the object has been modified"))
	if q.ResourceVersion != strconv.FormatInt(current.Revision, 10) {
		return gone
	}
	if _, err := r.Update(ctx, k, q, current); errors.Is(err, storage.ErrConflict) || errors.Is(err, storage.ErrNotFound) {
		return gone
	} else if err != nil {
		return err
	}
	return nil
}
