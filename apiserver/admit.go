package apiserver

import (
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coracle/apiserver/admission"
)

// attributes are what admission is told of a request, besides the objects.
func (c *call) attributes(op admission.Operation, options runtime.Object, dry bool) *admission.Attributes {
	ctx := c.r.Context()
	a := &admission.Attributes{
		Operation: op, Kind: c.kind, Subresource: c.sub.Name, Namespace: c.info.Namespace, Name: c.info.Name,
		Options: options, DryRun: dry, User: userOf(c.r),
		Warn: func(text string) { warn(ctx, text) },
	}
	if as := c.want(); as != c.kind.GroupVersionKind {
		a.As = as
	}
	return a
}

// admitted is the call for what follows from a request that admission has let pass, and is not asked about again.
func (c *call) admitted() *call {
	then := *c
	then.settled = true
	return &then
}

// mutate lets admission change the object. What webhooks may not change is checked: whose it is.
func (c *call) mutate(a *admission.Attributes, m metav1.Object) error {
	if c.settled {
		return nil
	}
	if c.sub.Name == "scale" {
		return c.mutateScale(a)
	}
	if err := c.Admission.Mutate(c.r.Context(), a); err != nil {
		return err
	}
	return c.matchNamespace(m)
}

// validate asks admission about what is to be stored.
func (c *call) validate(a *admission.Attributes) error {
	if c.settled {
		return nil
	}
	if c.sub.Name != "scale" {
		return c.Admission.Validate(c.r.Context(), a)
	}
	shown, err := c.asScale(a)
	if err != nil {
		return err
	}
	return c.Admission.Validate(c.r.Context(), shown)
}

// mutateScale shows admission a Scale, which is what the client has sent, and takes over the number.
func (c *call) mutateScale(a *admission.Attributes) error {
	shown, err := c.asScale(a)
	if err != nil {
		return err
	}
	if err := c.Admission.Mutate(c.r.Context(), shown); err != nil {
		return err
	}
	return c.setReplicas(a.Object, shown.Object.(*autoscalingv1.Scale).Spec.Replicas)
}

func (c *call) asScale(a *admission.Attributes) (*admission.Attributes, error) {
	shown := *a
	now, err := c.scaleOf(a.Object)
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	before, err := c.scaleOf(a.Old)
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	shown.Object, shown.Old = now, before
	return &shown, nil
}
