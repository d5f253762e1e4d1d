package apiserver

import (
	"maps"
	"reflect"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/runtime"

	"coracle/apiserver/part"
)

// Kinds differ in what they hold besides metadata and status; these work on any of them:
// on the fields of a Go struct, or on the keys of an object that has no Go type.

func keepStatus(obj, old runtime.Object) {
	copyFields(obj, old, func(name string) bool { return name == "Status" || name == "status" })
}

func keepAllButStatus(obj, old runtime.Object) {
	copyFields(obj, old, func(name string) bool {
		switch name {
		case "Status", "status", "ObjectMeta", "metadata", "TypeMeta", "apiVersion", "kind":
			return false
		}
		return true
	})
}

// copyFields sets the chosen top-level fields of obj to a copy of those of old.
func copyFields(obj, old runtime.Object, choose func(name string) bool) {
	if u, ok := obj.(runtime.Unstructured); ok {
		o := old.DeepCopyObject().(runtime.Unstructured).UnstructuredContent()
		content := u.UnstructuredContent()
		for name := range content {
			if choose(name) {
				delete(content, name)
			}
		}
		for name, v := range o {
			if choose(name) {
				content[name] = v
			}
		}
		u.SetUnstructuredContent(content)
		return
	}
	from, to := reflect.ValueOf(old).Elem(), reflect.ValueOf(obj).Elem()
	if from.Type() == to.Type() && sameFields(from, to, choose) { // as they nearly always are: there is nothing to copy
		return
	}
	chosen := reflect.New(from.Type())
	take(chosen.Elem(), from, choose)
	take(to, reflect.ValueOf(chosen.Interface().(runtime.Object).DeepCopyObject()).Elem(), choose)
}

// sameFields tells whether the chosen fields of two structs of one type are equal to the letter.
func sameFields(a, b reflect.Value, choose func(name string) bool) bool {
	for i := range a.NumField() {
		if choose(a.Type().Field(i).Name) && !part.EqualValues(a.Field(i), b.Field(i)) {
			return false
		}
	}
	return true
}

// take sets the chosen fields of the struct to, to those of from.
func take(to, from reflect.Value, choose func(name string) bool) {
	for i := range to.NumField() {
		if choose(to.Type().Field(i).Name) {
			to.Field(i).Set(from.Field(i))
		}
	}
}

// dropEmpty brings an object of a built-in kind into the form that it has when it is read from Kubernetes' storage, which is protobuf: it
// has no empty lists then, which shows where a member is written even when it is empty, and in what counts as a change. Definitions
// are kept in JSON there.
func (c *call) dropEmpty(obj runtime.Object) {
	if c.kind.Custom == nil && c.kind.Group != apiextensionsv1.GroupName {
		c.lists.Drop(obj)
	}
}

// sameButStatus tells whether two states differ in metadata and status at most, an empty list from none only if strict.
func sameButStatus(a, b runtime.Object, strict bool) bool {
	rest := func(name string) bool {
		switch name {
		case "Status", "status", "ObjectMeta", "metadata":
			return false
		}
		return true
	}
	u, ok := a.(runtime.Unstructured)
	if v, both := b.(runtime.Unstructured); ok && both {
		x, y := maps.Clone(u.UnstructuredContent()), maps.Clone(v.UnstructuredContent())
		for _, content := range []map[string]any{x, y} {
			maps.DeleteFunc(content, func(name string, _ any) bool { return !rest(name) })
		}
		return apiequality.Semantic.DeepEqual(x, y)
	}
	x, y := reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem()
	if x.Type() != y.Type() {
		return false
	}
	for i := range x.NumField() {
		if !rest(x.Type().Field(i).Name) {
			continue
		}
		// What is equal to the letter need not be asked the slow way.
		p, q := x.Field(i), y.Field(i)
		if !part.EqualValues(p, q) && (strict || !apiequality.Semantic.DeepEqual(p.Addr().Interface(), q.Addr().Interface())) {
			return false
		}
	}
	return true
}
