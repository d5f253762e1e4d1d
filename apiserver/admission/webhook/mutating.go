package webhook

import (
	"context"
	"fmt"
	"reflect"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
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

// reinvocation is what is remembered between the two rounds of one request.
// Source: k8s.io/apiserver/pkg/admission/plugin/webhook/mutating/reinvocationcontext.go.
type reinvocation struct {
	last    runtime.Object  // as the first round left it
	invoked map[string]bool // called, and to be called again when somebody later changes the object
	again   map[string]bool // to be called again
}

func (s *reinvocation) changed() {
	for id := range s.invoked {
		s.again[id] = true
	}
	clear(s.invoked)
}

// Mutate asks every webhook whose rules match.
func (p *Mutating) Mutate(ctx context.Context, a *admission.Attributes) error {
	hooks := p.hooks.all()
	if len(hooks) == 0 || match.Exempt(a) {
		return nil
	}
	s, ok := a.Noted(p.Name()).(*reinvocation)
	if !ok {
		s = &reinvocation{invoked: map[string]bool{}, again: map[string]bool{}}
		a.Note(p.Name(), s)
	}
	if a.Round > 0 && s.last != nil && !apiequality.Semantic.DeepEqual(s.last, a.Object) {
		s.changed()
	}
	owners := managedFields(a.Object)
	r := &match.Request{A: a, Catalog: p.Catalog}
	mutated := false
	for i, h := range hooks {
		if a.Round > 0 && !s.again[h.id] {
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
			s.changed()
			a.Again()
		}
		if err != nil {
			return err
		}
		if h.ReinvocationPolicy != nil && *h.ReinvocationPolicy == admissionregistrationv1.IfNeededReinvocationPolicy {
			s.invoked[h.id] = true
		}
	}
	if len(s.invoked)+len(s.again) > 0 && a.Object != nil {
		s.last = a.Object.DeepCopyObject()
	}
	if mutated {
		keepOwners(a, owners)
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

// replace makes one object what another is, in place: others hold it.
func replace(obj, by runtime.Object) error {
	if u, ok := obj.(*unstructured.Unstructured); ok {
		v, same := by.(*unstructured.Unstructured)
		if !same {
			return fmt.Errorf("%T cannot become %T", obj, by)
		}
		u.Object = v.Object
		return nil
	}
	into, from := reflect.ValueOf(obj), reflect.ValueOf(by)
	if into.Type() != from.Type() || into.Kind() != reflect.Pointer {
		return fmt.Errorf("%T cannot become %T", obj, by)
	}
	into.Elem().Set(from.Elem())
	return nil
}

func managedFields(obj runtime.Object) []metav1.ManagedFieldsEntry {
	if m, err := meta.Accessor(obj); obj != nil && err == nil {
		return m.GetManagedFields()
	}
	return nil
}

// keepOwners undoes what webhooks have done to managedFields if that makes no sense.
// Source: k8s.io/apiserver/pkg/endpoints/handlers/fieldmanager.NewManagedFieldsValidatingAdmissionController.
func keepOwners(a *admission.Attributes, before []metav1.ManagedFieldsEntry) {
	m, err := meta.Accessor(a.Object)
	if err != nil {
		return
	}
	if err := managedfields.ValidateManagedFields(m.GetManagedFields()); err != nil {
		m.SetManagedFields(before)
		a.Warn(fmt.Sprintf(".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission controller; please fix your requests: %v", err))
	}
}

// patched is what a patch did.
type patched struct {
	changed    bool
	patch      []byte
	operations []string
}
