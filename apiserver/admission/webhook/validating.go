package webhook

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	k8saudit "k8s.io/apiserver/pkg/audit"

	"coracle/apiserver/admission"
	"coracle/apiserver/admission/match"
)

// Validating asks the webhooks of ValidatingWebhookConfigurations, all at the same time; each may refuse.
type Validating struct {
	*asker
	hooks hooks
}

// Name returns ValidatingAdmissionWebhook.
func (*Validating) Name() string { return "ValidatingAdmissionWebhook" }

// Validate asks every webhook whose rules match.
func (p *Validating) Validate(ctx context.Context, a *admission.Attributes) error {
	hooks := p.hooks.all()
	if len(hooks) == 0 || match.Exempt(a) {
		return nil
	}
	r := &match.Request{A: a, Catalog: p.Catalog}
	var asked []*invocation
	for _, h := range hooks {
		inv, err := p.match(ctx, h, r)
		if err != nil {
			return err
		}
		if inv == nil {
			continue
		}
		if _, err := r.In(inv.kind); err != nil { // before others read it
			return apierrors.NewInternalError(err)
		}
		asked = append(asked, inv)
	}
	if len(asked) == 0 {
		return nil
	}
	if ctx.Err() != nil {
		return apierrors.NewTimeoutError("request did not complete within requested timeout", 0)
	}
	outcomes := make([]outcome, len(asked))
	var wg sync.WaitGroup
	for i, inv := range asked {
		wg.Go(func() { outcomes[i] = p.one(ctx, inv, r) })
	}
	wg.Wait()
	var refused error
	for i, o := range outcomes {
		p.note("validating", a, asked[i].hook, o)
		annotate(ctx, asked[i].hook, o.answer)
		if o.said == ignored {
			k8saudit.AddAuditAnnotation(ctx, at(failedOpenValid, 0, i), asked[i].Name)
		}
		if refused == nil {
			refused = o.refused
		}
	}
	return refused
}

// one asks one webhook, next to others: its panic is its own.
func (p *Validating) one(ctx context.Context, inv *invocation, r *match.Request) (o outcome) {
	begun := time.Now()
	defer func() {
		if v := recover(); v != nil {
			o = judge(inv.hook, fmt.Errorf("ValidatingAdmissionWebhook/%v has panicked: %v", inv.Name, v))
		}
		o.took = time.Since(begun)
	}()
	answer, err := p.ask(ctx, inv, r, false)
	o = judge(inv.hook, err)
	o.answer = answer
	return o
}
