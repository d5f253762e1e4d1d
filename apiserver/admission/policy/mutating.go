package policy

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coracle/apiserver/admission"
	"coracle/apiserver/admission/match"
)

// Mutating lets the bound MutatingAdmissionPolicies change objects, one after the other.
// Source: k8s.io/apiserver/pkg/admission/plugin/policy/mutating.
type Mutating struct {
	Config
	policies *policies
}

// Name returns MutatingAdmissionPolicy.
func (*Mutating) Name() string { return "MutatingAdmissionPolicy" }

// Mutate asks every policy that is bound and matches.
func (m *Mutating) Mutate(ctx context.Context, a *admission.Attributes) error {
	all := m.policies.all()
	if len(all) == 0 || match.Exempt(a) {
		return nil
	}
	r := &match.Request{A: a, Catalog: m.Catalog}
	found, faults := m.find(ctx, all, r)
	again := a.Reinvocation(m.Name())
	defer again.Done()
	owners := match.Owners(a)
	for _, i := range found {
		namespace, err := m.namespace(r)
		if err != nil {
			return err
		}
		problems, err := m.one(ctx, r, i, namespace, again)
		if err != nil {
			return err
		}
		for _, err := range problems {
			faults = append(faults, fault{i.bound, i.binding, err, metav1.StatusReasonInvalid})
		}
	}
	match.KeepOwners(a, owners)
	return m.refuse(r, faults)
}

// one evaluates one policy. problems are for the failurePolicy to decide about.
func (m *Mutating) one(ctx context.Context, r *match.Request, i invocation, namespace *corev1.Namespace, again *admission.Reinvocation) (problems []error, err error) {
	id := i.policy.name + "/" + i.binding.name
	if p, err := meta.Accessor(i.param); i.param != nil && err == nil {
		id += "/" + p.GetNamespace() + "/" + p.GetName()
	}
	if !again.Due(id) {
		return nil, nil
	}
	mutations, begun := i.mutations(), time.Now()
	if mutations.broken != nil {
		return []error{mutations.broken}, nil
	}
	question, err := r.Question(i.kind)
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	met, err := mutations.met(ctx, question, m.with(i))
	if err != nil {
		return []error{err}, nil
	}
	if !met || r.A.Object == nil {
		return nil, nil
	}
	ctx = mutations.CreateContext(ctx)
	changed := false
	for _, p := range mutations.each {
		s, err := r.In(i.kind)
		if err != nil {
			return nil, apierrors.NewInternalError(err)
		}
		obj, err := p.change(ctx, r, i.kind, m.with(i), namespace, m.Types)
		if status := apierrors.APIStatus(nil); errors.As(err, &status) {
			return nil, err
		}
		if err != nil {
			problems = append(problems, err)
			continue
		}
		if apiequality.Semantic.DeepEqual(s.Object, obj) {
			continue
		}
		changed = true
		if err := r.Set(obj, i.kind); err != nil {
			return nil, apierrors.NewInternalError(err)
		}
	}
	said := "allowed"
	if changed {
		said = "changed it"
		again.Changed()
	}
	if i.again {
		again.Asked(id)
	}
	if len(problems) == 0 {
		tell(r, i.policy, i.binding, said, "", time.Since(begun))
	}
	return problems, nil
}

// refuse words what kept policies from being evaluated, for all whose failurePolicy wants that.
func (m *Mutating) refuse(r *match.Request, faults []fault) error {
	var status *apierrors.StatusError
	for _, f := range faults {
		tell(r, f.policy, f.binding, failed(f.policy), f.err.Error(), 0)
		if f.policy.mayFail() {
			continue
		}
		message := fmt.Sprintf("policy %q denied request: %s", f.policy.name, f.err)
		if f.binding != nil {
			message = fmt.Sprintf("policy '%s' with binding '%s' denied request: %s", f.policy.name, f.binding.name, f.err)
		}
		if status == nil {
			if err := admission.Forbidden(r.A, errors.New(message)); !errors.As(err, &status) {
				return err
			}
			status.ErrStatus.Message = message
			if f.reason != "" {
				status.ErrStatus.Reason = f.reason
			}
		}
		status.ErrStatus.Details.Causes = append(status.ErrStatus.Details.Causes, metav1.StatusCause{Message: message})
	}
	if status == nil {
		return nil
	}
	return status
}
