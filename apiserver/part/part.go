// Package part works on parts of objects: the members that a request is about, where most requests leave the largest part of an
// object alone. Members are those of Go structs; what is in a list or a mapping is never told apart.
package part

import (
	"encoding/json"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"coracle/apiserver/wire"
)

// depth is how deep members are told apart: metadata.labels and spec.template.spec, but not what is in them.
const depth = 3

// Named are the members that a merge patch or strategic merge patch of a type of objects names. It says false of a patch that is
// about the whole.
func Named(patch []byte, of reflect.Type) (wire.Parts, bool) {
	return Of(json.RawMessage(patch), of, func(raw json.RawMessage) (members map[string]json.RawMessage, ok bool) {
		if len(raw) == 0 || raw[0] != '{' {
			return nil, false
		}
		return members, json.Unmarshal(raw, &members) == nil
	})
}

// Of are the members of a type of objects that are in a tree. It says false of a tree that is about the whole.
func Of[T any](tree T, of reflect.Type, members func(T) (map[string]T, bool)) (wire.Parts, bool) {
	return named(tree, members, of, depth)
}

func named[T any](tree T, members func(T) (map[string]T, bool), t reflect.Type, depth int) (wire.Parts, bool) {
	below, ok := members(tree)
	if !ok {
		return nil, false
	}
	parts := wire.Parts{}
	for key, value := range below {
		if strings.HasPrefix(key, "$") { // a directive, about all that stands beside it
			return nil, false
		}
		parts[key] = nil
		if f, ok := fieldNamed(t, key); ok && depth > 1 && divisible(f) {
			if some, ok := named(value, members, structOf(f.Type), depth-1); ok {
				parts[key] = some
			}
		}
	}
	return parts, true
}

func fieldNamed(t reflect.Type, key string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		if f := t.Field(i); nameOf(f) == key {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// nameOf is a field's name in JSON, nothing for one whose own fields stand in its place.
func nameOf(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// divisible tells whether a field is a struct whose members are patched one by one, and have names.
func divisible(f reflect.StructField) bool {
	t := structOf(f.Type)
	if t.Kind() != reflect.Struct || f.Tag.Get("patchStrategy") != "" || reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()) {
		return false
	}
	for i := range t.NumField() {
		if nameOf(t.Field(i)) == "" {
			return false
		}
	}
	return true
}

func structOf(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

// Complete takes from one object over to another of the same type what is not among the parts. Both share it then.
func Complete(to, from runtime.Object, parts wire.Parts) {
	complete(reflect.ValueOf(to).Elem(), reflect.ValueOf(from).Elem(), parts)
}

// Cut takes the parts over, and nothing else.
func Cut(to, from runtime.Object, parts wire.Parts) {
	cut(reflect.ValueOf(to).Elem(), reflect.ValueOf(from).Elem(), parts)
}

func cut(to, from reflect.Value, parts wire.Parts) {
	for i := range to.NumField() {
		below, wanted := parts[nameOf(to.Type().Field(i))]
		switch at, have := to.Field(i), from.Field(i); {
		case !wanted:
		case below == nil || have.Kind() == reflect.Pointer && have.IsNil():
			at.Set(have)
		case have.Kind() == reflect.Pointer:
			at.Set(reflect.New(at.Type().Elem()))
			cut(at.Elem(), have.Elem(), below)
		default:
			cut(at, have, below)
		}
	}
}

func complete(to, from reflect.Value, parts wire.Parts) {
	for i := range to.NumField() {
		name := nameOf(to.Type().Field(i))
		below, named := parts[name]
		switch at, have := to.Field(i), from.Field(i); {
		case name == "":
		case !named:
			at.Set(have)
		case below == nil || have.Kind() == reflect.Pointer && have.IsNil():
		case have.Kind() == reflect.Pointer:
			if at.IsNil() {
				at.Set(reflect.New(at.Type().Elem()))
			}
			complete(at.Elem(), have.Elem(), below)
		default:
			complete(at, have, below)
		}
	}
}
