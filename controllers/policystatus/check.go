package policystatus

import (
	"context"
	"fmt"
	"strings"

	celgo "github.com/google/cel-go/cel"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/util/version"
	admissioncel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/apiserver/pkg/cel/library"
)

// check returns what the compiler has to say about the validations of a policy. The error is that of the API, which did not
// tell what it serves.
func (c *Controller) check(ctx context.Context, policy *admissionregistrationv1.ValidatingAdmissionPolicySpec) ([]admissionregistrationv1.ExpressionWarning, error) {
	served, err := c.kinds()
	if err != nil {
		return nil, err
	}
	checkers, err := newCheckers(ctx, served, policy)
	if err != nil {
		return nil, err
	}
	var warnings []admissionregistrationv1.ExpressionWarning
	look := func(at *field.Path, text string) {
		var said []string
		for _, checker := range checkers {
			if result := checker.CompileCELExpression(&expression{text: text}, checker.may, environment.StoredExpressions); result.Error != nil {
				said = append(said, checker.word(result.Error))
			}
		}
		if len(said) > 0 {
			warnings = append(warnings, admissionregistrationv1.ExpressionWarning{FieldRef: at.String(), Warning: strings.Join(said, "\n")})
		}
	}
	at := field.NewPath("spec", "validations")
	for i, v := range policy.Validations {
		look(at.Index(i).Child("expression"), v.Expression)
		if v.MessageExpression != "" {
			look(at.Index(i).Child("messageExpression"), v.MessageExpression)
		}
	}
	return warnings, nil
}

// checker compiles expressions as they are evaluated of objects of one kind.
type checker struct {
	*admissioncel.CompositedCompiler
	kind schema.GroupVersionKind
	may  admissioncel.OptionalVariableDeclarations
}

// newCheckers returns one checker for each kind that a policy names, in the order of groups, versions and kinds. Kinds whose
// schemas are not known are left out; a parameter without one may be anything.
func newCheckers(ctx context.Context, served *kinds, spec *admissionregistrationv1.ValidatingAdmissionPolicySpec) ([]*checker, error) {
	named := served.named(spec.MatchConstraints)
	if len(named) == 0 {
		return nil, nil
	}
	may := admissioncel.OptionalVariableDeclarations{HasAuthorizer: true}
	var params *cel.DeclType
	if spec.ParamKind != nil {
		if gv, err := schema.ParseGroupVersion(spec.ParamKind.APIVersion); err == nil {
			may.HasParams = true
			params = served.declaration(ctx, gv.WithKind(spec.ParamKind.Kind), "2")
		}
	}
	var out []*checker
	for _, kind := range named {
		object := served.declaration(ctx, kind, "1")
		if object == nil {
			continue
		}
		checker, err := newChecker(kind, object, params, may)
		if err != nil {
			return nil, fmt.Errorf("declare the types of %s: %w", kind, err)
		}
		for _, v := range spec.Variables {
			checker.CompileAndStoreVariable(&expression{v.Name, v.Expression}, may, environment.StoredExpressions)
		}
		out = append(out, checker)
	}
	return out, nil
}

func newChecker(kind schema.GroupVersionKind, object, params *cel.DeclType, may admissioncel.OptionalVariableDeclarations) (*checker, error) {
	request, namespace := admissioncel.BuildRequestType(), admissioncel.BuildNamespaceType()
	declared := []*cel.DeclType{namespace, request, object}
	variables := []celgo.EnvOption{
		celgo.Variable(admissioncel.NamespaceVarName, namespace.CelType()),
		celgo.Variable(admissioncel.RequestVarName, request.CelType()),
		celgo.Variable(admissioncel.ObjectVarName, object.CelType()),
		celgo.Variable(admissioncel.OldObjectVarName, object.CelType()),
		celgo.Variable(admissioncel.AuthorizerVarName, library.AuthorizerType),
	}
	switch {
	case params != nil:
		declared = append(declared, params)
		variables = append(variables, celgo.Variable(admissioncel.ParamsVarName, params.CelType()))
	case may.HasParams:
		variables = append(variables, celgo.Variable(admissioncel.ParamsVarName, celgo.DynType))
	}
	set, err := environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()).Extend(environment.VersionedOptions{
		IntroducedVersion: version.MajorMinor(1, 0), EnvOptions: variables, DeclTypes: declared,
	})
	if err != nil {
		return nil, err
	}
	c, err := admissioncel.NewCompositedCompilerForTypeChecking(set)
	if err != nil {
		return nil, err
	}
	c.Compiler = typesOnly{c}
	return &checker{c, kind, may}, nil
}

// word says what was found for the kind.
func (c *checker) word(err *cel.Error) string {
	if err.Type == cel.ErrorTypeInvalid {
		return fmt.Sprintf("%v: %s\n", c.kind, err)
	}
	return fmt.Sprintf("%v: type checking error: %v\n", c.kind, err)
}

// typesOnly compiles as far as types are known, and makes no program. An expression may be of any type.
type typesOnly struct {
	environment interface {
		Env(environment.Type) (*celgo.Env, error)
	}
}

func (t typesOnly) CompileCELExpression(e admissioncel.ExpressionAccessor, _ admissioncel.OptionalVariableDeclarations, mode environment.Type) admissioncel.CompilationResult {
	failed := func(what cel.ErrorType, detail string) admissioncel.CompilationResult {
		return admissioncel.CompilationResult{Error: &cel.Error{Type: what, Detail: detail}, ExpressionAccessor: e}
	}
	env, err := t.environment.Env(mode)
	if err != nil {
		return failed(cel.ErrorTypeInternal, fmt.Sprintf("fail to build env: %v", err))
	}
	ast, issues := env.Compile(e.GetExpression())
	if issues != nil {
		return failed(cel.ErrorTypeInvalid, issues.String())
	}
	return admissioncel.CompilationResult{OutputType: ast.OutputType()}
}

// expression is a text, and the name of the variable that it is the value of.
type expression struct{ name, text string }

func (e *expression) GetName() string            { return e.name }
func (e *expression) GetExpression() string      { return e.text }
func (e *expression) ReturnTypes() []*celgo.Type { return []*celgo.Type{celgo.AnyType} }
