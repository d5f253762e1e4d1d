package catalog

import (
	"reflect"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// object is a pointer to one of the API's Go types.
type object[T any] interface {
	*T
	runtime.Object
}

// row completes k with what follows from the Go types of the kind (T) and of its list (L): the kind's name,
// its singular name, how empty objects are made. A subresource of which only the name is given exchanges
// the kind itself, by get, patch and update.
func row[T, L any, P object[T], Q object[L]](gv schema.GroupVersion, k Kind) *Kind {
	k.GroupVersionKind = gv.WithKind(reflect.TypeFor[T]().Name())
	if k.Singular == "" {
		k.Singular = strings.ToLower(k.Kind)
	}
	k.New = maker[T, P](k.GroupVersionKind)
	k.NewList = maker[L, Q](gv.WithKind(reflect.TypeFor[L]().Name()))
	for i := range k.Subresources {
		s := &k.Subresources[i]
		if s.New == nil {
			s.Kind, s.New = k.GroupVersionKind, k.New
		}
		if s.Verbs == nil {
			s.Verbs = []string{"get", "patch", "update"}
		}
	}
	return &k
}

// maker returns a func that makes empty objects with their TypeMeta set.
func maker[T any, P object[T]](gvk schema.GroupVersionKind) func() runtime.Object {
	return func() runtime.Object {
		obj := P(new(T))
		obj.GetObjectKind().SetGroupVersionKind(gvk)
		return obj
	}
}

// review is the row of a kind that is answered and never stored: it has no list.
func review[T any, P object[T]](gv schema.GroupVersion, k Kind) *Kind {
	k.GroupVersionKind = gv.WithKind(reflect.TypeFor[T]().Name())
	k.Singular = strings.ToLower(k.Kind)
	k.Verbs = []string{"create"}
	k.New = maker[T, P](k.GroupVersionKind)
	return &k
}

// setDefault fills in what the client left out.
func setDefault[T any](p **T, v T) {
	if *p == nil {
		*p = new(v)
	}
}

// fieldsOf adapts a func on a Go type.
func fieldsOf[T runtime.Object](f func(T) fields.Set) func(runtime.Object) fields.Set {
	return func(obj runtime.Object) fields.Set { return f(obj.(T)) }
}

func decimal[N int | int32 | int64](n N) string { return strconv.FormatInt(int64(n), 10) }

// setDefaultValue is setDefault for what is left out as a zero value.
func setDefaultValue[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}
