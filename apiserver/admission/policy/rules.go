package policy

import (
	"context"
	"errors"
	"fmt"
	"strings"

	celgo "github.com/google/cel-go/cel"
	celtypes "github.com/google/cel-go/common/types"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	admissioncel "k8s.io/apiserver/pkg/admission/plugin/cel"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/environment"

	"coracle/apiserver/admission/match"
)

// rules are the compiled expressions of a ValidatingAdmissionPolicy.
// Source: k8s.io/apiserver/pkg/admission/plugin/policy/validating (compilePolicy, validator).
type rules struct {
	*program
	spec        *admissionregistrationv1.ValidatingAdmissionPolicySpec
	broken      error
	validations admissioncel.ConditionEvaluator
	messages    admissioncel.ConditionEvaluator
	annotations admissioncel.ConditionEvaluator
}

// compileRules compiles a policy. What does not compile fails when it is evaluated.
func compileRules(base *environment.EnvSet, s *admissionregistrationv1.ValidatingAdmissionPolicySpec) *rules {
	out := &rules{spec: s}
	if out.program, out.broken = newProgram(base, s.Variables, s.MatchConditions, s.ParamKind != nil); out.broken != nil {
		return out
	}
	validations := make([]admissioncel.ExpressionAccessor, len(s.Validations))
	messages := make([]admissioncel.ExpressionAccessor, len(s.Validations))
	for i, v := range s.Validations {
		validations[i] = &expression{text: v.Expression, types: []*celgo.Type{celgo.BoolType}}
		if v.MessageExpression != "" {
			messages[i] = &expression{text: v.MessageExpression, types: []*celgo.Type{celgo.StringType}}
		}
	}
	annotations := make([]admissioncel.ExpressionAccessor, len(s.AuditAnnotations))
	for i, a := range s.AuditAnnotations {
		annotations[i] = &expression{text: a.ValueExpression, types: []*celgo.Type{celgo.StringType, celgo.NullType}}
	}
	out.validations = out.CompileCondition(validations, out.may, environment.StoredExpressions)
	out.annotations = out.CompileCondition(annotations, out.may, environment.StoredExpressions)
	out.messages = out.CompileCondition(messages, admissioncel.OptionalVariableDeclarations{HasParams: s.ParamKind != nil}, environment.StoredExpressions)
	return out
}

// ruling is what one expression comes to.
type ruling struct {
	index   int // of the validation
	denied  bool
	failed  bool // it could not be evaluated: denied or not by the failurePolicy
	message string
	reason  metav1.StatusReason
	always  bool // it denies whatever the binding wants done
}

// findings are what a policy comes to.
type findings struct {
	rulings     []ruling
	annotations map[string]string
}

func (p *rules) mayFail() bool {
	return p.spec.FailurePolicy != nil && *p.spec.FailurePolicy == admissionregistrationv1.Ignore
}

// failure is the ruling for what could not be evaluated.
func (p *rules) failure(index int, message string) ruling {
	return ruling{index: index, failed: true, denied: !p.mayFail(), message: message}
}

func (p *rules) failed(err error) findings {
	return findings{rulings: []ruling{p.failure(0, err.Error())}}
}

// evaluate asks all expressions.
func (p *rules) evaluate(ctx context.Context, q *match.Question, with admissioncel.OptionalVariableBindings, namespace *corev1.Namespace) findings {
	if p.broken != nil {
		return p.failed(p.broken)
	}
	met, err := p.met(ctx, q, with)
	switch {
	case err != nil && !p.mayFail():
		return p.failed(err)
	case err != nil, !met: // as if the conditions did not hold
		return findings{}
	}
	ns := admissioncel.CreateNamespaceObject(namespace)
	results, left, err := p.validations.ForInput(ctx, q.Attributes, q.Request, with, ns, celconfig.RuntimeCELCostBudget)
	if err != nil {
		return p.failed(err)
	}
	unauthorized := admissioncel.OptionalVariableBindings{VersionedParams: with.VersionedParams}
	messages, _, messagesFailed := p.messages.ForInput(ctx, q.Attributes, q.Request, unauthorized, ns, left)
	var out findings
	for i, result := range results {
		switch {
		case result.Error != nil:
			out.rulings = append(out.rulings, p.failure(i, result.Error.Error()))
		case errors.Is(messagesFailed, cel.ErrInternal) || errors.Is(messagesFailed, cel.ErrOutOfBudget):
			out.rulings = append(out.rulings, p.failure(i, fmt.Sprintf("failed messageExpression: %s", messagesFailed)))
		case result.EvalResult != celtypes.True:
			v := &p.spec.Validations[i]
			r := ruling{index: i, denied: true, reason: metav1.StatusReasonInvalid}
			if v.Reason != nil {
				r.reason = *v.Reason
			}
			if i < len(messages) {
				r.message = messageOf(messages[i])
			}
			if r.message == "" {
				r.message = strings.TrimSpace(v.Message)
			}
			if r.message == "" {
				r.message = "failed expression: " + strings.TrimSpace(v.Expression)
			}
			out.rulings = append(out.rulings, r)
		}
	}
	annotations, _, err := p.annotations.ForInput(ctx, q.Attributes, q.Request, unauthorized, ns, celconfig.RuntimeCELCostBudget)
	if err != nil {
		return p.failed(err)
	}
	for i, result := range annotations {
		p.annotate(&out, i, result)
	}
	return out
}

// messageOf is what a messageExpression says, "" for nothing that fits into a line.
func messageOf(result admissioncel.EvaluationResult) string {
	if result.Error != nil || result.EvalResult == nil {
		return ""
	}
	text, ok := result.EvalResult.Value().(string)
	if text = strings.TrimSpace(text); !ok || len(text) > celconfig.MaxEvaluatedMessageExpressionSizeBytes || strings.Contains(text, "\n") {
		return ""
	}
	return text
}

func (p *rules) annotate(out *findings, i int, result admissioncel.EvaluationResult) {
	if result.Error != nil {
		if !p.mayFail() {
			out.rulings = append(out.rulings, ruling{failed: true, denied: true, always: true, message: result.Error.Error()})
		}
		return
	}
	if text, ok := result.EvalResult.Value().(string); ok && strings.TrimSpace(text) != "" {
		if out.annotations == nil {
			out.annotations = map[string]string{}
		}
		out.annotations[p.spec.AuditAnnotations[i].Key] = strings.TrimSpace(text)
	}
}
