package catalog

import (
	"sync"

	celgo "github.com/google/cel-go/cel"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	admissioncel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/environment"
)

// expressions checks CEL expressions: that they compile, and to what type. What they may mention (object, oldObject,
// request, params, ...) is KEP-3488's.
type expressions struct {
	compiler func() admissioncel.Compiler
}

// newExpressions prepares CEL when the first expression comes: most servers never see one.
func newExpressions() *expressions {
	return &expressions{compiler: sync.OnceValue(func() admissioncel.Compiler {
		return admissioncel.NewCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	})}
}

// expression is a text and the types that it may evaluate to.
type expression struct {
	name, text string
	types      []*celgo.Type
}

func (e expression) GetName() string            { return e.name }
func (e expression) GetExpression() string      { return e.text }
func (e expression) ReturnTypes() []*celgo.Type { return e.types }

// mayMention is what an expression may use besides the request and its objects.
type mayMention struct{ params, authorizer, patches bool }

func (m mayMention) declarations() admissioncel.OptionalVariableDeclarations {
	return admissioncel.OptionalVariableDeclarations{HasParams: m.params, HasAuthorizer: m.authorizer, HasPatchTypes: m.patches}
}

func compile(c admissioncel.Compiler, e expression, m mayMention, at *field.Path) errorList {
	return compilation(c.CompileCELExpression(e, m.declarations(), environment.NewExpressions).Error, e.text, at)
}

func compilation(err *cel.Error, text string, at *field.Path) errorList {
	switch {
	case err == nil:
		return nil
	case err.Type == cel.ErrorTypeRequired:
		return errorList{field.Required(at, err.Detail)}
	case err.Type == cel.ErrorTypeInvalid:
		return errorList{field.Invalid(at, text, err.Detail)}
	}
	return errorList{field.InternalError(at, err)}
}

// withVariables is a compiler that knows the variables of one policy, once they are compiled.
func (x *expressions) withVariables(variables []admissionregistrationv1.Variable, params bool, at *field.Path) (admissioncel.Compiler, errorList) {
	c, err := admissioncel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	if err != nil {
		return x.compiler(), errorList{field.InternalError(at, err)}
	}
	var errs errorList
	for i, v := range variables {
		at := nth(at, i)
		switch {
		case isBlank(v.Name):
			errs = append(errs, field.Required(child(at, "name"), "name is not specified"))
		case !isIdentifier(v.Name):
			errs = append(errs, field.Invalid(child(at, "name"), v.Name, "must be a valid CEL identifier"))
		}
		if isBlank(v.Expression) {
			errs = append(errs, field.Required(child(at, "expression"), "expression is not specified"))
			continue
		}
		e := expression{v.Name, v.Expression, []*celgo.Type{celgo.AnyType, celgo.DynType}}
		result := c.CompileAndStoreVariable(e, mayMention{params: params, authorizer: true}.declarations(), environment.NewExpressions)
		errs = append(errs, compilation(result.Error, v.Expression, child(at, "expression"))...)
	}
	return c, errs
}

// isIdentifier follows the grammar of CEL: IDENT less RESERVED.
func isIdentifier(name string) bool {
	for i, r := range name {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	switch name {
	case "", "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if",
		"import", "let", "loop", "package", "namespace", "return", "var", "void", "while":
		return false
	}
	return true
}
