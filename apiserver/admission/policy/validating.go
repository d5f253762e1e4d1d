package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	admissioncel "k8s.io/apiserver/pkg/admission/plugin/cel"
	k8saudit "k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/cel/environment"

	"coracle/apiserver/admission"
	"coracle/apiserver/admission/match"
	"coracle/apiserver/catalog"
	"coracle/apiserver/decision"
)

// Config is what the plugin is made of.
type Config struct {
	Catalog *catalog.Catalog
	Objects Objects
	Authz   match.Authorizer // for expressions that ask it
	Log     *slog.Logger
}

// Validating refuses what the bound ValidatingAdmissionPolicies deny.
// Source: k8s.io/apiserver/pkg/admission/plugin/policy/validating.
type Validating struct {
	Config
	policies policies
}

// New returns the plugin for the policies that are stored, now and later.
func New(c Config) *Validating {
	base := sync.OnceValue(func() *environment.EnvSet {
		return environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion())
	})
	v := &Validating{Config: c, policies: policies{
		log: c.Log, policies: map[string]*policy{}, bindings: map[string]*binding{},
		compile: func(p *admissionregistrationv1.ValidatingAdmissionPolicy) *program { return compile(base(), p) },
	}}
	v.policies.follow(c.Objects)
	return v
}

// Name returns ValidatingAdmissionPolicy.
func (*Validating) Name() string { return "ValidatingAdmissionPolicy" }

// denial is a ruling against a request.
type denial struct {
	policy, binding string // binding is "" when the policy itself is at fault
	message         string
	reason          metav1.StatusReason
}

// session is what comes of one request.
type session struct {
	*Validating
	r        *match.Request
	denials  []denial
	failures []failure
}

// failure is a validation that failed, as the audit log has it.
type failure struct {
	Message           string                                     `json:"message"`
	Policy            string                                     `json:"policy"`
	Binding           string                                     `json:"binding"`
	ExpressionIndex   int                                        `json:"expressionIndex"`
	ValidationActions []admissionregistrationv1.ValidationAction `json:"validationActions"`
}

// maxFailures and maxAnnotation bound what is written to the audit log, the latter in bytes.
const (
	maxFailures   = 50
	maxAnnotation = 10 << 10
)

// Validate asks every policy that is bound and matches.
func (v *Validating) Validate(ctx context.Context, a *admission.Attributes) error {
	all := v.policies.all()
	if len(all) == 0 || match.Exempt(a) {
		return nil
	}
	s := &session{Validating: v, r: &match.Request{A: a, Catalog: v.Catalog}}
	for _, p := range all {
		if err := s.ask(ctx, p); err != nil {
			return err
		}
	}
	if len(s.failures) > 0 {
		text, err := json.Marshal(s.failures[:min(len(s.failures), maxFailures)])
		if err == nil {
			k8saudit.AddAuditAnnotation(ctx, "validation.policy.admission.k8s.io/validation_failure", string(text))
		}
	}
	if len(s.denials) == 0 {
		return nil
	}
	return refuse(a, s.denials[0])
}

// refuse words the refusal.
func refuse(a *admission.Attributes, d denial) error {
	by := fmt.Sprintf("ValidatingAdmissionPolicy '%s'", d.policy)
	if d.binding != "" {
		by += fmt.Sprintf(" with binding '%s'", d.binding)
	}
	message := by + " denied request: " + d.message
	err := admission.Forbidden(a, errors.New(message))
	var status *apierrors.StatusError
	if !errors.As(err, &status) {
		return err
	}
	status.ErrStatus.Reason, status.ErrStatus.Code = metav1.StatusReasonInvalid, http.StatusUnprocessableEntity
	switch d.reason {
	case metav1.StatusReasonForbidden:
		status.ErrStatus.Reason, status.ErrStatus.Code = d.reason, http.StatusForbidden
	case metav1.StatusReasonUnauthorized:
		status.ErrStatus.Reason, status.ErrStatus.Code = d.reason, http.StatusUnauthorized
	case metav1.StatusReasonRequestEntityTooLarge:
		status.ErrStatus.Reason, status.ErrStatus.Code = d.reason, http.StatusRequestEntityTooLarge
	}
	status.ErrStatus.Details.Causes = append(status.ErrStatus.Details.Causes, metav1.StatusCause{Message: message})
	return status
}

// misconfigured notes that a policy, or one of its bindings, could not be asked.
func (s *session) misconfigured(p bound, b *binding, err error) {
	d := denial{policy: p.Name, message: "failed to configure policy: " + err.Error()}
	if b != nil {
		d.binding, d.message = b.Name, "failed to configure binding: "+err.Error()
	}
	ignored := p.Spec.FailurePolicy != nil && *p.Spec.FailurePolicy == admissionregistrationv1.Ignore
	s.tell(d, map[bool]string{false: "failed", true: "ignored"}[ignored], 0)
	if !ignored {
		s.denials = append(s.denials, d)
	}
}

func (s *session) tell(d denial, said string, took time.Duration) {
	s.r.A.Judged(decision.Judgement{Policy: d.policy, Binding: d.binding, Said: said, Message: d.message, Took: took})
}

// ask asks one policy, once for each binding that matches and each of its parameters.
func (s *session) ask(ctx context.Context, p bound) error {
	kind, err := p.criteria.Match(s.r, s.Objects)
	if err != nil {
		s.misconfigured(p, nil, err)
		return nil
	}
	if kind == nil {
		return nil
	}
	annotations := map[string][]string{}
	for _, b := range p.bindings {
		if in, err := b.criteria.Match(s.r, s.Objects); err != nil {
			s.misconfigured(p, b, err)
			continue
		} else if in == nil {
			continue
		}
		params, err := s.params(ctx, p.policy, b, s.r.A.Namespace)
		if err != nil {
			s.misconfigured(p, b, err)
			continue
		}
		question, err := s.r.Question(kind)
		if err != nil {
			s.misconfigured(p, b, fmt.Errorf("failed to convert object version: %w", err))
			continue
		}
		namespace, err := s.namespace()
		if err != nil {
			return err
		}
		for _, param := range params {
			begun := time.Now()
			found := p.program().evaluate(ctx, question, bindings(s.Authz, param), namespace)
			s.note(p, b, found, time.Since(begun))
			for key, value := range found.annotations {
				if !slices.Contains(annotations[key], value) {
					annotations[key] = append(annotations[key], value[:min(len(value), maxAnnotation)])
				}
			}
		}
	}
	for key, values := range annotations {
		k8saudit.AddAuditAnnotation(ctx, p.Name+"/"+key, strings.Join(values, ", "))
	}
	return nil
}

func bindings(authz match.Authorizer, param runtime.Object) admissioncel.OptionalVariableBindings {
	return admissioncel.OptionalVariableBindings{VersionedParams: param, Authorizer: match.ForCEL(authz)}
}

// namespace is that of the request's object, nil of an object that is in none.
func (s *session) namespace() (*corev1.Namespace, error) {
	a := s.r.A
	if a.Namespace == "" || a.ObjectKind() == corev1.SchemeGroupVersion.WithKind("Namespace") {
		return nil, nil
	}
	if ns := s.Objects.Namespace(a.Namespace); ns != nil {
		return ns, nil
	}
	return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, a.Namespace)
}

// note does what a binding wants done about what a policy found.
func (s *session) note(p bound, b *binding, found findings, took time.Duration) {
	if len(found.rulings) == 0 {
		s.tell(denial{policy: p.Name, binding: b.Name}, "allowed", took)
	}
	for _, r := range found.rulings {
		d := denial{policy: p.Name, binding: b.Name, message: r.message, reason: r.reason}
		if !r.denied {
			s.tell(d, "ignored", took)
			continue
		}
		actions := b.Spec.ValidationActions
		if r.always {
			actions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny}
		}
		for _, action := range actions {
			switch action {
			case admissionregistrationv1.Deny:
				s.denials = append(s.denials, d)
				s.tell(d, "denied", took)
			case admissionregistrationv1.Audit:
				s.failures = append(s.failures, failure{
					ExpressionIndex: r.index, Message: r.message, ValidationActions: b.Spec.ValidationActions, Binding: b.Name, Policy: b.Spec.PolicyName,
				})
				s.tell(d, "audited", took)
			case admissionregistrationv1.Warn:
				s.r.A.Warn(fmt.Sprintf("Validation failed for ValidatingAdmissionPolicy '%s' with binding '%s': %s", p.Name, b.Name, r.message))
				s.tell(d, "warned", took)
			}
		}
	}
}
