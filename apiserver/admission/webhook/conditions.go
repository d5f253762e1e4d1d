package webhook

import (
	"context"

	"github.com/google/cel-go/cel"
	celtypes "github.com/google/cel-go/common/types"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	k8sadmission "k8s.io/apiserver/pkg/admission"
	admissioncel "k8s.io/apiserver/pkg/admission/plugin/cel"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/cel/environment"

	"coracle/apiserver/authz"
	"coracle/rbac"
)

// Match conditions are CEL expressions about the request (KEP-3716), all of which must be true.

// condition is one expression.
type condition admissionregistrationv1.MatchCondition

func (c *condition) GetExpression() string    { return c.Expression }
func (c *condition) ReturnTypes() []*cel.Type { return []*cel.Type{cel.BoolType} }

func (a *asker) compile(conditions []admissionregistrationv1.MatchCondition) admissioncel.ConditionEvaluator {
	expressions := make([]admissioncel.ExpressionAccessor, len(conditions))
	for i := range conditions {
		expressions[i] = (*condition)(&conditions[i])
	}
	return a.compiler().CompileCondition(expressions, admissioncel.OptionalVariableDeclarations{HasAuthorizer: true}, environment.StoredExpressions)
}

// meetsConditions: one that is false exempts the request, whatever the others are; what cannot be evaluated is up to the
// failurePolicy.
// Source: k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions.
func (a *asker) meetsConditions(ctx context.Context, inv *invocation, r *request) (bool, error) {
	s, err := r.in(inv.kind)
	if err != nil {
		return false, apierrors.NewInternalError(err)
	}
	as := r.as(inv.kind)
	about := &k8sadmission.VersionedAttributes{
		Attributes: k8sadmission.NewAttributesRecord(r.a.Object, r.a.Old, r.a.ObjectKind(), r.a.Namespace, r.a.Name,
			r.a.Kind.GroupVersion().WithResource(r.a.Kind.Resource), r.a.Subresource, k8sadmission.Operation(r.a.Operation),
			options(r.a), r.a.DryRun, r.a.User),
		VersionedKind: as,
	}
	if s.obj != nil {
		about.VersionedObject.Set(s.obj)
	}
	if s.old != nil {
		about.VersionedOldObject.Set(s.old)
	}
	asked := admissioncel.CreateAdmissionRequest(about.Attributes, metav1.GroupVersionResource(inv.kind.GroupVersion().WithResource(inv.kind.Resource)), metav1.GroupVersionKind(as))
	results, _, err := inv.conditions().ForInput(ctx, about, asked, admissioncel.OptionalVariableBindings{Authorizer: celAuthorizer{a.Authz}},
		nil, celconfig.RuntimeCELCostBudgetMatchConditions)
	var failed []error
	if err != nil {
		failed = append(failed, err)
	}
	for _, result := range results {
		if result.Error != nil {
			failed = append(failed, result.Error)
		} else if result.EvalResult == celtypes.False {
			return false, nil
		}
	}
	switch {
	case len(failed) == 0:
		return true, nil
	case inv.mayFail():
		return false, nil
	}
	gr := schema.GroupResource{Group: r.a.Kind.Group, Resource: r.a.Kind.Resource}
	return false, apierrors.NewForbidden(gr, r.a.Name, utilerrors.NewAggregate(failed))
}

// Authorizer answers what users may do.
type Authorizer interface {
	Ask(ctx context.Context, a *rbac.Attributes) authz.Answer
}

// celAuthorizer is ours as CEL's library wants it.
type celAuthorizer struct{ Authorizer }

func (c celAuthorizer) Authorize(ctx context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	asked := &rbac.Attributes{
		User: a.GetUser(), Verb: a.GetVerb(), ResourceRequest: a.IsResourceRequest(), APIGroup: a.GetAPIGroup(), APIVersion: a.GetAPIVersion(),
		Resource: a.GetResource(), Subresource: a.GetSubresource(), Namespace: a.GetNamespace(), Name: a.GetName(), Path: a.GetPath(),
	}
	// What cannot be read selects nothing: the question is then about more objects.
	asked.FieldSelector, _ = a.GetFieldSelector()
	asked.LabelSelector, _ = a.GetLabelSelector()
	answer := c.Ask(ctx, asked)
	switch answer.Verdict {
	case authz.Allow:
		return authorizer.DecisionAllow, answer.Reason(), nil
	case authz.Deny:
		return authorizer.DecisionDeny, answer.Reason(), answer.Err
	}
	return authorizer.DecisionNoOpinion, answer.Reason(), answer.Err
}
