package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"

	celgo "github.com/google/cel-go/cel"
	celtypes "github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/traits"
	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	admissioncel "k8s.io/apiserver/pkg/admission/plugin/cel"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"k8s.io/apiserver/pkg/cel/mutation"
	"k8s.io/apiserver/pkg/cel/mutation/dynamic"

	"coracle/apiserver/admission/match"
	"coracle/apiserver/catalog"
)

// mutations are the compiled expressions of a MutatingAdmissionPolicy, each of which makes a patch.
// Source: k8s.io/apiserver/pkg/admission/plugin/policy/mutating (compilePolicy, patch).
type mutations struct {
	*program
	broken error
	each   []patcher
}

// patcher is one expression. It makes a JSON patch, or an object to be merged.
type patcher struct {
	admissioncel.MutatingEvaluator
	merges bool
}

// compileMutations compiles a policy. What does not compile fails when it is evaluated.
func compileMutations(base *environment.EnvSet, s *admissionregistrationv1.MutatingAdmissionPolicySpec) *mutations {
	out := &mutations{}
	if out.program, out.broken = newProgram(base, s.Variables, s.MatchConditions, s.ParamKind != nil); out.broken != nil {
		return out
	}
	may := out.may
	may.HasPatchTypes = true
	add := func(text string, kind *celgo.Type, merges bool) {
		e := &expression{text: text, types: []*celgo.Type{kind}}
		out.each = append(out.each, patcher{out.CompileMutatingEvaluator(e, may, environment.StoredExpressions), merges})
	}
	for _, m := range s.Mutations {
		switch {
		case m.JSONPatch != nil:
			add(m.JSONPatch.Expression, celgo.ListType(celtypes.NewObjectType("JSONPatch")), false)
		case m.ApplyConfiguration != nil:
			add(m.ApplyConfiguration.Expression, celtypes.NewObjectType("Object"), true)
		}
	}
	return out
}

// change returns what the expression makes of an object that is shown as a resource.
func (p patcher) change(ctx context.Context, r *match.Request, k *catalog.Kind, with admissioncel.OptionalVariableBindings, namespace *corev1.Namespace, types Types) (runtime.Object, error) {
	if broken := p.CompilationErrors(); len(broken) > 0 {
		return nil, errors.Join(broken...)
	}
	s, err := r.In(k)
	if err != nil {
		return nil, err
	}
	question, err := r.Question(k)
	if err != nil {
		return nil, err
	}
	result, _, err := p.ForInput(ctx, question.Attributes, question.Request, with, namespace, celconfig.RuntimeCELCostBudget)
	if err == nil {
		err = result.Error
	}
	if err != nil {
		return nil, err
	}
	if p.merges {
		config, ok := result.EvalResult.(*dynamic.ObjectVal)
		if !ok {
			return nil, fmt.Errorf("unsupported return type from ApplyConfiguration expression: %v", result.EvalResult.Type())
		}
		return merge(config, r, k, s.Object, types)
	}
	list, ok := result.EvalResult.(traits.Lister)
	if !ok {
		return nil, errors.New("type mismatch: JSONPatchType.expression should evaluate to array")
	}
	return patch(list, r, k, s.Object)
}

// patch applies a JSON patch. One whose test fails changes nothing.
func patch(list traits.Lister, r *match.Request, k *catalog.Kind, obj runtime.Object) (runtime.Object, error) {
	var operations jsonpatch.Patch
	for it := list.Iterator(); it.HasNext() == celtypes.True; {
		native, err := it.Next().ConvertToNative(reflect.TypeFor[*mutation.JSONPatchVal]())
		if err != nil {
			return nil, fmt.Errorf("type mismatch: JSONPatchType.expression should evaluate to array of JSONPatch: %w", err)
		}
		op, err := operation(native.(*mutation.JSONPatchVal))
		if err != nil {
			return nil, err
		}
		operations = append(operations, op)
	}
	before, err := json.Marshal(obj)
	if err != nil {
		return nil, fmt.Errorf("failed to create JSON patch: %w", err)
	}
	text, err := operations.Apply(before)
	switch {
	case errors.Is(err, jsonpatch.ErrTestFailed):
		return obj, nil
	case err != nil:
		return nil, fmt.Errorf("JSON Patch: %w", err)
	}
	return r.Decode(text, obj, k, true)
}

// operation is one of a JSON patch.
func operation(v *mutation.JSONPatchVal) (jsonpatch.Operation, error) {
	quoted := func(s string) *json.RawMessage { return new(json.RawMessage(strconv.Quote(s))) }
	op := jsonpatch.Operation{"op": quoted(v.Op), "path": quoted(v.Path)}
	if v.From != "" {
		op["from"] = quoted(v.From)
	}
	if v.Val == nil {
		return op, nil
	}
	if obj, ok := v.Val.(*dynamic.ObjectVal); ok {
		if err := obj.CheckTypeNamesMatchFieldPathNames(); err != nil {
			return nil, fmt.Errorf("type mismatch: %w", err)
		}
	}
	const unfit = "JSONPath valueExpression evaluated to a type that could not marshal to JSON: %w"
	native, err := v.Val.ConvertToNative(celtypes.JSONValueType)
	if err != nil {
		return nil, fmt.Errorf(unfit, err)
	}
	text, err := json.Marshal(native)
	if err != nil {
		return nil, fmt.Errorf(unfit, err)
	}
	op["value"] = new(json.RawMessage(text))
	return op, nil
}

// merge merges an object into another, as server-side apply does, but that nobody owns what is set.
func merge(config *dynamic.ObjectVal, r *match.Request, k *catalog.Kind, obj runtime.Object, types Types) (runtime.Object, error) {
	if !r.A.As.Empty() { // of what is no resource itself there is no schema
		return nil, apierrors.NewServiceUnavailable(fmt.Sprintf(
			"Resource kind %s not found. There can be a delay between when CustomResourceDefinitions are created and when they are available.", r.A.As))
	}
	if err := config.CheckTypeNamesMatchFieldPathNames(); err != nil {
		return nil, fmt.Errorf("type mismatch: %w", err)
	}
	fields, ok := config.Value().(map[string]any)
	if !ok {
		return nil, fmt.Errorf("invalid return type: %T", config.Value())
	}
	wanted := &unstructured.Unstructured{Object: fields}
	wanted.SetGroupVersionKind(r.As(k))
	merged, err := mergeTyped(wanted, obj, k, types)
	if err != nil {
		return nil, fmt.Errorf("error applying patch: %w", err)
	}
	u, ok := merged.(*unstructured.Unstructured)
	if _, custom := obj.(*unstructured.Unstructured); custom || !ok {
		return merged, nil
	}
	out := match.Emptied(obj)
	return out, runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, out)
}
