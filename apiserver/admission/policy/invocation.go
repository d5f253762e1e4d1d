package policy

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	admissioncel "k8s.io/apiserver/pkg/admission/plugin/cel"

	"coracle/apiserver/admission/match"
	"coracle/apiserver/catalog"
	"coracle/apiserver/decision"
)

// Config is what the plugins are made of.
type Config struct {
	Catalog *catalog.Catalog
	Objects Objects
	Authz   match.Authorizer // for expressions that ask it
	Types   Types
	Log     *slog.Logger
}

// Types knows how objects of a kind are merged.
type Types interface {
	Converter(k *catalog.Kind) (managedfields.TypeConverter, error)
}

// New returns the plugins for the policies that are stored, now and later.
func New(c Config) (*Mutating, *Validating) {
	with := newCompiler()
	return &Mutating{c, follow(c, with, "mutatingadmissionpolicies", "mutatingadmissionpolicybindings")},
		&Validating{c, follow(c, with, "validatingadmissionpolicies", "validatingadmissionpolicybindings")}
}

// invocation is a policy that is to be evaluated, as one binding wants it, with one parameter.
type invocation struct {
	bound
	*binding
	kind  *catalog.Kind // as which the request is shown
	param runtime.Object
}

// fault is what keeps a policy, or one of its bindings, from being evaluated.
type fault struct {
	bound
	*binding // nil if it is the policy
	err      error
	reason   metav1.StatusReason // of the refusal, "" for the usual one
}

// find returns the policies that match a request.
func (c *Config) find(ctx context.Context, all []bound, r *match.Request) (found []invocation, faults []fault) {
	for _, p := range all {
		kind, err := p.criteria.Match(r, c.Objects)
		if err != nil {
			faults = append(faults, fault{bound: p, err: fmt.Errorf("failed to configure policy: %w", err)})
		}
		if kind == nil || err != nil {
			continue
		}
		for _, b := range p.bindings {
			params, err := c.bind(ctx, p, b, kind, r)
			if err != nil {
				faults = append(faults, fault{bound: p, binding: b, err: fmt.Errorf("failed to configure binding: %w", err)})
				continue
			}
			for _, param := range params {
				found = append(found, invocation{p, b, kind, param})
			}
		}
	}
	return found, faults
}

// bind returns the parameters with which a binding wants a policy to be evaluated for a request; none if it does not match.
func (c *Config) bind(ctx context.Context, p bound, b *binding, kind *catalog.Kind, r *match.Request) ([]runtime.Object, error) {
	if in, err := b.criteria.Match(r, c.Objects); in == nil || err != nil {
		return nil, err
	}
	params, err := c.params(ctx, p.policy, b, r.A.Namespace)
	if err != nil {
		return nil, err
	}
	if _, err := r.In(kind); err != nil {
		return nil, fmt.Errorf("failed to convert object version: %w", err)
	}
	return params, nil
}

// with are the variables that are the invocation's own.
func (c *Config) with(i invocation) admissioncel.OptionalVariableBindings {
	return admissioncel.OptionalVariableBindings{VersionedParams: i.param, Authorizer: match.ForCEL(c.Authz)}
}

// namespace is that of the request's object, nil of an object that is in none.
func (c *Config) namespace(r *match.Request) (*corev1.Namespace, error) {
	a := r.A
	if a.Namespace == "" || a.ObjectKind() == corev1.SchemeGroupVersion.WithKind("Namespace") {
		return nil, nil
	}
	if ns := c.Objects.Namespace(a.Namespace); ns != nil {
		return ns, nil
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, a.Namespace)
}

// tell notes for the decision what a policy came to.
func tell(r *match.Request, p *policy, b *binding, said, message string, took time.Duration) {
	j := decision.Judgement{Policy: p.name, Said: said, Message: message, Took: took}
	if b != nil {
		j.Binding = b.name
	}
	r.A.Judged(j)
}

// failed says what it means that a policy could not be evaluated.
func failed(p *policy) string {
	if p.mayFail() {
		return "ignored"
	}
	return "failed"
}
