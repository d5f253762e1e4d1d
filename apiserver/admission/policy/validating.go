package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8saudit "k8s.io/apiserver/pkg/audit"

	"coracle/apiserver/admission"
	"coracle/apiserver/admission/match"
)

// Validating refuses what the bound ValidatingAdmissionPolicies deny.
// Source: k8s.io/apiserver/pkg/admission/plugin/policy/validating.
type Validating struct {
	Config
	policies *policies
}

// Name returns ValidatingAdmissionPolicy.
func (*Validating) Name() string { return "ValidatingAdmissionPolicy" }

// denial is a ruling against a request.
type denial struct {
	policy  *policy
	binding *binding // nil when the policy itself is at fault
	message string
	reason  metav1.StatusReason
}

// session is what comes of one request.
type session struct {
	r           *match.Request
	denials     []denial
	failures    []failure
	annotations map[string][]string
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
	s := &session{r: &match.Request{A: a, Catalog: v.Catalog}, annotations: map[string][]string{}}
	found, faults := v.find(ctx, all, s.r)
	for _, f := range faults {
		tell(s.r, f.policy, f.binding, failed(f.policy), f.err.Error(), 0)
		if !f.policy.mayFail() {
			s.denials = append(s.denials, denial{policy: f.policy, binding: f.binding, message: f.err.Error()})
		}
	}
	for _, i := range found {
		question, err := s.r.Question(i.kind)
		if err != nil {
			return apierrors.NewInternalError(err)
		}
		namespace, err := v.namespace(s.r)
		if err != nil {
			return err
		}
		begun := time.Now()
		s.note(i, i.rules().evaluate(ctx, question, v.with(i), namespace), begun)
	}
	for key, values := range s.annotations {
		k8saudit.AddAuditAnnotation(ctx, key, strings.Join(values, ", "))
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
	by := fmt.Sprintf("ValidatingAdmissionPolicy '%s'", d.policy.name)
	if d.binding != nil {
		by += fmt.Sprintf(" with binding '%s'", d.binding.name)
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

// note does what a binding wants done about what a policy found.
func (s *session) note(i invocation, found findings, begun time.Time) {
	p, b, took := i.policy, i.binding, time.Since(begun)
	for key, value := range found.annotations {
		key = p.name + "/" + key
		if !slices.Contains(s.annotations[key], value) {
			s.annotations[key] = append(s.annotations[key], value[:min(len(value), maxAnnotation)])
		}
	}
	if len(found.rulings) == 0 {
		tell(s.r, p, b, "allowed", "", took)
	}
	for _, r := range found.rulings {
		if !r.denied {
			tell(s.r, p, b, failed(p), r.message, took)
			continue
		}
		actions := b.actions
		if r.always {
			actions = []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny}
		}
		for _, action := range actions {
			switch action {
			case admissionregistrationv1.Deny:
				s.denials = append(s.denials, denial{p, b, r.message, r.reason})
				tell(s.r, p, b, "denied", r.message, took)
			case admissionregistrationv1.Audit:
				s.failures = append(s.failures, failure{ExpressionIndex: r.index, Message: r.message, ValidationActions: b.actions, Binding: b.name, Policy: p.name})
				tell(s.r, p, b, "audited", r.message, took)
			case admissionregistrationv1.Warn:
				s.r.A.Warn(fmt.Sprintf("Validation failed for ValidatingAdmissionPolicy '%s' with binding '%s': %s", p.name, b.name, r.message))
				tell(s.r, p, b, "warned", r.message, took)
			}
		}
	}
}
