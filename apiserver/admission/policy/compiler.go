package policy

import (
	"context"
	"sync"

	celgo "github.com/google/cel-go/cel"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	admissioncel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/cel/environment"

	"coracle/apiserver/admission/match"
)

// compiler makes policies of objects. What takes time is made when a policy is first needed.
type compiler struct{ base func() *environment.EnvSet }

func newCompiler() *compiler {
	return &compiler{sync.OnceValue(func() *environment.EnvSet {
		return environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion())
	})}
}

func (c *compiler) validating(p *admissionregistrationv1.ValidatingAdmissionPolicy) *policy {
	return &policy{
		name: p.Name, failure: p.Spec.FailurePolicy, paramKind: p.Spec.ParamKind, criteria: criteria(p.Spec.MatchConstraints),
		rules: sync.OnceValue(func() *rules { return compileRules(c.base(), &p.Spec) }),
	}
}

func (c *compiler) mutating(p *admissionregistrationv1.MutatingAdmissionPolicy) *policy {
	return &policy{
		name: p.Name, failure: p.Spec.FailurePolicy, paramKind: p.Spec.ParamKind, criteria: criteria(p.Spec.MatchConstraints),
		again:     p.Spec.ReinvocationPolicy == admissionregistrationv1.IfNeededReinvocationPolicy,
		mutations: sync.OnceValue(func() *mutations { return compileMutations(c.base(), &p.Spec) }),
	}
}

// expression is a text and the types that it may evaluate to.
type expression struct {
	name, text string
	types      []*celgo.Type
}

func (e *expression) GetName() string            { return e.name }
func (e *expression) GetExpression() string      { return e.text }
func (e *expression) ReturnTypes() []*celgo.Type { return e.types }

// program is what both kinds of policies have: variables, and conditions to begin with.
type program struct {
	*admissioncel.CompositedCompiler
	may        admissioncel.OptionalVariableDeclarations // what expressions may mention
	conditions *match.Conditions                         // nil for none
}

func newProgram(base *environment.EnvSet, variables []admissionregistrationv1.Variable, conditions []admissionregistrationv1.MatchCondition, params bool) (*program, error) {
	c, err := admissioncel.NewCompositedCompiler(base)
	if err != nil {
		return nil, err
	}
	out := &program{CompositedCompiler: c, may: admissioncel.OptionalVariableDeclarations{HasParams: params, HasAuthorizer: true}}
	for _, v := range variables {
		c.CompileAndStoreVariable(&expression{v.Name, v.Expression, []*celgo.Type{celgo.AnyType, celgo.DynType}}, out.may, environment.StoredExpressions)
	}
	if len(conditions) > 0 {
		compiled := match.Compile(c, conditions, params)
		out.conditions = &compiled
	}
	return out, nil
}

// met tells whether the conditions hold.
func (p *program) met(ctx context.Context, q *match.Question, with admissioncel.OptionalVariableBindings) (bool, error) {
	if p.conditions == nil {
		return true, nil
	}
	return p.conditions.Met(ctx, q, with)
}
