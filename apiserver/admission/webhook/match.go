package webhook

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	admissioncel "k8s.io/apiserver/pkg/admission/plugin/cel"

	"coracle/apiserver/admission/match"
	"coracle/apiserver/catalog"
)

// invocation is a hook that is to be asked, and the resource as which the request is shown to it.
type invocation struct {
	*hook
	kind *catalog.Kind
}

// match tells whether, and how, a hook is to be asked; nil for not.
// Source: k8s.io/apiserver/pkg/admission/plugin/webhook/generic.Webhook.ShouldCallHook.
func (a *asker) match(ctx context.Context, h *hook, r *match.Request) (*invocation, error) {
	kind, err := h.criteria.Match(r, a.Objects)
	if kind == nil || err != nil {
		return nil, err
	}
	if len(h.MatchConditions) > 0 {
		if ok, err := a.meetsConditions(ctx, h, kind, r); err != nil || !ok {
			return nil, err
		}
	}
	return &invocation{h, kind}, nil
}

// meetsConditions: what cannot be evaluated is up to the failurePolicy.
func (a *asker) meetsConditions(ctx context.Context, h *hook, kind *catalog.Kind, r *match.Request) (bool, error) {
	question, err := r.Question(kind)
	if err != nil {
		return false, apierrors.NewInternalError(err)
	}
	met, err := h.conditions().Met(ctx, question, admissioncel.OptionalVariableBindings{Authorizer: match.ForCEL(a.Authz)})
	if err != nil && !h.mayFail() {
		gr := schema.GroupResource{Group: r.A.Kind.Group, Resource: r.A.Kind.Resource}
		return false, apierrors.NewForbidden(gr, r.A.Name, err)
	}
	return met && err == nil, nil
}
