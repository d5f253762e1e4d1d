package admission

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/quota"
)

// Quotas finds the quotas of a namespace and writes their statuses.
type Quotas interface {
	ResourceQuotas(namespace string) []*corev1.ResourceQuota
	// SpendQuota writes a quota's status. Errors: a conflict if it is not the present version that was changed.
	SpendQuota(ctx context.Context, q *corev1.ResourceQuota) error
}

// ResourceQuota: nothing is created of which the namespace's quotas leave none. What an object takes is written into the
// quota's status before the object is stored, so that of many who ask at the same time no two get the same.
// The controller counts again later: an object that is refused after this plugin has been charged for nothing.
// Source: k8s.io/apiserver/pkg/admission/plugin/resourcequota.
type ResourceQuota struct {
	Quotas Quotas
	Now    func() time.Time
}

// Name returns ResourceQuota.
func (ResourceQuota) Name() string { return "ResourceQuota" }

// Validate charges the quotas.
func (p ResourceQuota) Validate(ctx context.Context, a *Attributes) error {
	gr := schema.GroupResource{Group: a.Kind.Group, Resource: a.Kind.Resource}
	if a.Namespace == "" || !isCharged(a, gr) || isNeverCharged(gr) {
		return nil
	}
	for {
		err := p.charge(ctx, a, gr)
		if !apierrors.IsConflict(err) || ctx.Err() != nil {
			return err
		}
	}
}

// isNeverCharged: Events are many and of no account.
func isNeverCharged(gr schema.GroupResource) bool {
	return gr.Resource == "events" && (gr.Group == "" || gr.Group == "events.k8s.io")
}

// isCharged tells whether a request may take more than before.
func isCharged(a *Attributes, gr schema.GroupResource) bool {
	switch {
	case a.Operation == Create:
		return a.Subresource == ""
	case a.Operation != Update || gr.Group != "":
		return false
	case gr.Resource == "pods":
		return a.Subresource == "resize" || a.Subresource == ""
	}
	return a.Subresource == "" && (gr.Resource == "services" || gr.Resource == "persistentvolumeclaims")
}

func (p ResourceQuota) charge(ctx context.Context, a *Attributes, gr schema.GroupResource) error {
	var spent []*corev1.ResourceQuota
	for _, q := range p.Quotas.ResourceQuotas(a.Namespace) {
		if !quota.Matches(q, gr, a.Object) {
			continue
		}
		next, err := p.spend(a, gr, q)
		if err != nil {
			return err
		}
		if next != nil {
			spent = append(spent, next)
		}
	}
	if a.DryRun {
		return nil
	}
	// If the last of several has changed meanwhile, the first are charged again: the controller puts that right.
	for _, q := range spent {
		if err := p.Quotas.SpendQuota(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// spend is the quota after the request, nil if it stays as it is.
func (p ResourceQuota) spend(a *Attributes, gr schema.GroupResource, q *corev1.ResourceQuota) (*corev1.ResourceQuota, error) {
	var names []corev1.ResourceName
	for name := range q.Status.Hard {
		if quota.Tracks(gr, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if pod, ok := a.Object.(*corev1.Pod); ok && a.Operation == Create {
		if missing := quota.Missing(names, pod); missing != "" {
			return nil, Forbidden(a, fmt.Errorf("failed quota: %s: %s", q.Name, missing))
		}
	}
	for _, name := range names {
		if _, ok := q.Status.Used[name]; !ok {
			return nil, Forbidden(a, fmt.Errorf("status unknown for quota: %s, resources: %s", q.Name, join(names)))
		}
	}
	usage := quota.Usage(gr, a.Object, p.Now())
	if a.Operation == Update && quota.Matches(q, gr, a.Old) {
		usage = quota.Growth(quota.Usage(gr, a.Old, p.Now()), usage)
	}
	for name, quantity := range usage {
		if quantity.Sign() < 0 {
			return nil, Forbidden(a, fmt.Errorf("quota usage is negative for resource(s): %s", name))
		}
	}
	usage = quota.Only(usage, func(name corev1.ResourceName) bool {
		quantity := usage[name]
		return slices.Contains(names, name) && !quantity.IsZero()
	})
	if len(usage) == 0 {
		return nil, nil
	}
	used := quota.Add(q.Status.Used, usage)
	touched := quota.Only(used, func(name corev1.ResourceName) bool { _, ok := usage[name]; return ok })
	if over := quota.Exceeded(touched, q.Status.Hard); len(over) > 0 {
		only := func(list corev1.ResourceList) string {
			return quota.String(quota.Only(list, func(name corev1.ResourceName) bool { return slices.Contains(over, name) }))
		}
		return nil, Forbidden(a, errors.New("exceeded quota: "+q.Name+", requested: "+only(usage)+", used: "+only(q.Status.Used)+", limited: "+only(q.Status.Hard)))
	}
	next := q.DeepCopy()
	next.Status.Used = used
	return next, nil
}

func join(names []corev1.ResourceName) string {
	var parts []string
	for _, name := range names {
		parts = append(parts, string(name))
	}
	return strings.Join(parts, ",")
}
