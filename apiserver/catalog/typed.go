package catalog

import "k8s.io/apimachinery/pkg/runtime"

// The rows are written with functions on Go types; these adapt them to runtime.Object.
// An object of another type is a programming error and panics, which the server answers with a 500.

func on[T runtime.Object](f func(T)) func(runtime.Object) {
	return func(obj runtime.Object) { f(obj.(T)) }
}

func onChange[T runtime.Object](f func(obj, old T)) func(obj, old runtime.Object) {
	return func(obj, old runtime.Object) { f(obj.(T), old.(T)) }
}
