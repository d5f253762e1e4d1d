package oidc

import (
	"encoding/json"
	"errors"
	"fmt"

	celgo "github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	authenticationcel "k8s.io/apiserver/pkg/authentication/cel"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/lazy"
)

// claimsValue is what expressions see as `claims`. A claim is decoded when an expression reads it.
func claimsValue(c claims) *lazy.MapValue {
	m := lazy.NewMapValue(types.NewObjectType("kubernetes.claims"))
	for name, raw := range c {
		m.Append(name, func(*lazy.MapValue) ref.Val {
			var v any
			if err := json.Unmarshal(raw, &v); err != nil {
				return types.NewErr("claim %q failed to unmarshal: %w", name, err)
			}
			return dotted(types.DefaultTypeAdapter.NativeToValue(v))
		})
	}
	return m
}

// userValue is what expressions see as `user`.
func userValue(info user.Info) *lazy.MapValue {
	m := lazy.NewMapValue(types.NewObjectType("kubernetes.UserInfo"))
	field := func(name string, v any) {
		m.Append(name, func(*lazy.MapValue) ref.Val { return dotted(types.DefaultTypeAdapter.NativeToValue(v)) })
	}
	field("username", info.GetName())
	field("uid", info.GetUID())
	field("groups", info.GetGroups())
	field("extra", info.GetExtra())
	return m
}

// dotted lets expressions reach fields whose names are no identifiers by their escaped names, such as
// user.extra.example__dot__com, however deep they are.
func dotted(v ref.Val) ref.Val {
	switch v := v.(type) {
	case traits.Mapper:
		return &dottedMap{v}
	case traits.Lister:
		return &dottedList{v}
	}
	return v
}

type dottedMap struct{ traits.Mapper }

func (m *dottedMap) Find(key ref.Val) (ref.Val, bool) {
	if escaped, ok := key.(types.String); ok {
		if name, ok := cel.Unescape(string(escaped)); ok {
			key = types.String(name)
		}
	}
	v, ok := m.Mapper.Find(key)
	return dotted(v), ok
}

type dottedList struct{ traits.Lister }

func (l *dottedList) Get(index ref.Val) ref.Val { return dotted(l.Lister.Get(index)) }

// stringsOf makes strings of an expression's value: a string, a list of strings, or null. Empty ones count as not there.
func stringsOf(v ref.Val) ([]string, error) {
	mismatch := errors.New("expression must return a string or a list of strings")
	var all []string
	add := func(v any) error {
		s, ok := v.(string)
		if !ok {
			return mismatch
		}
		if s != "" {
			all = append(all, s)
		}
		return nil
	}
	switch v.Type().TypeName() {
	case celgo.NullType.TypeName():
		return nil, nil
	case celgo.StringType.TypeName():
		return all, add(v.Value())
	case celgo.ListType(nil).TypeName():
		lister, ok := v.(traits.Lister)
		if !ok {
			return nil, mismatch
		}
		for it := lister.Iterator(); it.HasNext() == types.True; {
			if err := add(it.Next().Value()); err != nil {
				return nil, err
			}
		}
		return all, nil
	}
	return nil, mismatch
}

// holds says which rule does not hold, if one does not.
func holds(results []authenticationcel.EvaluationResult) error {
	for _, r := range results {
		ok, isBool := r.EvalResult.Value().(bool)
		if !isBool {
			return errors.New("validation expression must return a boolean")
		}
		if ok {
			continue
		}
		var message string
		switch rule := r.ExpressionAccessor.(type) {
		case *authenticationcel.ClaimValidationCondition:
			message = rule.Message
		case *authenticationcel.UserValidationCondition:
			message = rule.Message
		}
		return fmt.Errorf("validation expression '%s' failed: %s", r.ExpressionAccessor.GetExpression(), message)
	}
	return nil
}
