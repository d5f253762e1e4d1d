package match

import (
	"context"

	"github.com/google/cel-go/cel"
	celtypes "github.com/google/cel-go/common/types"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	k8sadmission "k8s.io/apiserver/pkg/admission"
	admissioncel "k8s.io/apiserver/pkg/admission/plugin/cel"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/cel/environment"

	"coracle/apiserver/authz"
	"coracle/apiserver/catalog"
	"coracle/rbac"
)

// Conditions are CEL expressions about the request (KEP-3716), all of which must be true.
type Conditions struct {
	evaluator admissioncel.ConditionEvaluator
}

// condition is one expression.
type condition admissionregistrationv1.MatchCondition

func (c *condition) GetExpression() string    { return c.Expression }
func (c *condition) ReturnTypes() []*cel.Type { return []*cel.Type{cel.BoolType} }

// Compile compiles conditions, which may ask the authorizer and, where there are, mention parameters.
func Compile(c admissioncel.ConditionCompiler, conditions []admissionregistrationv1.MatchCondition, params bool) Conditions {
	expressions := make([]admissioncel.ExpressionAccessor, len(conditions))
	for i := range conditions {
		expressions[i] = (*condition)(&conditions[i])
	}
	return Conditions{c.CompileCondition(expressions, admissioncel.OptionalVariableDeclarations{HasParams: params, HasAuthorizer: true}, environment.StoredExpressions)}
}

// Met tells whether all conditions are true. One that is false decides, whatever the others are.
// Errors: what could not be evaluated.
// Source: k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions.
func (c Conditions) Met(ctx context.Context, q *Question, bound admissioncel.OptionalVariableBindings) (bool, error) {
	results, _, err := c.evaluator.ForInput(ctx, q.Attributes, q.Request, bound, nil, celconfig.RuntimeCELCostBudgetMatchConditions)
	if err != nil {
		return false, err
	}
	var failed []error
	for _, result := range results {
		if result.Error != nil {
			failed = append(failed, result.Error)
		} else if result.EvalResult == celtypes.False {
			return false, nil
		}
	}
	if len(failed) > 0 {
		return false, utilerrors.NewAggregate(failed)
	}
	return true, nil
}

// Question is a request as CEL expressions see it.
type Question struct {
	Attributes *k8sadmission.VersionedAttributes
	Request    *admissionv1.AdmissionRequest
}

// Question returns the request, shown as a resource.
func (r *Request) Question(k *catalog.Kind) (*Question, error) {
	s, err := r.In(k)
	if err != nil {
		return nil, err
	}
	a, as := r.A, r.As(k)
	about := &k8sadmission.VersionedAttributes{
		Attributes: k8sadmission.NewAttributesRecord(a.Object, a.Old, a.ObjectKind(), a.Namespace, a.Name,
			a.Kind.GroupVersion().WithResource(a.Kind.Resource), a.Subresource, k8sadmission.Operation(a.Operation), r.Options(), a.DryRun, a.User),
		VersionedKind: as,
	}
	set := func(lazy *k8sadmission.LazyObject, obj runtime.Object) {
		if obj != nil {
			lazy.Set(obj)
		}
	}
	set(&about.VersionedObject, s.Object)
	set(&about.VersionedOldObject, s.Old)
	return &Question{about, admissioncel.CreateAdmissionRequest(about.Attributes,
		metav1.GroupVersionResource(k.GroupVersion().WithResource(k.Resource)), metav1.GroupVersionKind(as))}, nil
}

// Authorizer answers what users may do.
type Authorizer interface {
	Ask(ctx context.Context, a *rbac.Attributes) authz.Answer
}

// ForCEL is an authorizer as CEL's library wants it.
func ForCEL(a Authorizer) authorizer.UnconditionalAuthorizer { return celAuthorizer{a} }

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
