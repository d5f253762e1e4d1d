package webhook

import (
	"context"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	k8saudit "k8s.io/apiserver/pkg/audit"

	"coracle/apiserver/admission"
	"coracle/apiserver/admission/match"
)

// Mutating asks the webhooks of MutatingWebhookConfigurations, one after the other; each sees what those before it have
// changed, and may change the object or refuse. When one changes it, all Mutators are called once more, and of the webhooks
// before it those that want to be (reinvocationPolicy IfNeeded).
type Mutating struct {
	*asker
	hooks hooks
}

// Name returns MutatingAdmissionWebhook.
func (*Mutating) Name() string { return "MutatingAdmissionWebhook" }

// Mutate asks every webhook whose rules match.
func (p *Mutating) Mutate(ctx context.Context, a *admission.Attributes) error {
	hooks := p.hooks.all()
	if len(hooks) == 0 || match.Exempt(a) {
		return nil
	}
	s := a.Reinvocation(p.Name())
	defer s.Done()
	owners := match.Owners(a)
	r := &match.Request{A: a, Catalog: p.Catalog}
	mutated := false
	for i, h := range hooks {
		if !s.Due(h.id) {
			continue
		}
		inv, err := p.match(ctx, h, r)
		if err != nil {
			return err
		}
		if inv == nil {
			continue
		}
		changed, err := p.one(ctx, inv, r, i)
		if changed {
			mutated = true
			s.Changed()
		}
		if err != nil {
			return err
		}
		if h.ReinvocationPolicy != nil && *h.ReinvocationPolicy == admissionregistrationv1.IfNeededReinvocationPolicy {
			s.Asked(h.id)
		}
	}
	if mutated {
		match.KeepOwners(a, owners)
	}
	return nil
}

// one asks one webhook and applies its patch.
func (p *Mutating) one(ctx context.Context, inv *invocation, r *match.Request, index int) (changed bool, err error) {
	begun := time.Now()
	answer, err := p.ask(ctx, inv, r, true)
	var what patched
	if err == nil {
		what, err = apply(r, inv, answer)
	}
	o := judge(inv.hook, err)
	o.took, o.answer, o.changed = time.Since(begun), answer, what.operations
	p.note("admit", r.A, inv.hook, o)
	annotateMutation(ctx, inv, r.A.Round, index, what.changed, what.patch)
	annotate(ctx, inv.hook, answer)
	if o.said == ignored {
		k8saudit.AddAuditAnnotation(ctx, at(failedOpenKey+mutationKey, r.A.Round, index), inv.Name)
		if ctx.Err() != nil { // others will fare no better
			return false, apierrors.NewTimeoutError("request did not complete within requested timeout", 0)
		}
	}
	return what.changed, o.refused
}

// patched is what a patch did.
type patched struct {
	changed    bool
	patch      []byte
	operations []string
}
