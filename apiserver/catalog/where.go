package catalog

import (
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// To say where a fault is costs more than to find it: a pod without any has a hundred places where one could be. So an object is
// looked through for faults of which nobody asks where they are, and only if it has any once more, for those that are told. Nothing
// of the first look is told, so a path that is made in it all the same, as by code that is not ours, does no harm.

// nowhere is the path of the first look: the root, and everything in it. The root of the second is nil.
var nowhere = field.NewPath("nowhere")

// child is a field of what is at a path, or a field of that field.
func child(at *field.Path, name string, more ...string) *field.Path {
	if at == nowhere {
		return nowhere
	}
	return at.Child(name, more...)
}

// nth is an item of the list at a path.
func nth(at *field.Path, i int) *field.Path {
	if at == nowhere {
		return nowhere
	}
	return at.Index(i)
}

// keyed is a value of the map at a path.
func keyed(at *field.Path, key string) *field.Path {
	if at == nowhere {
		return nowhere
	}
	return at.Key(key)
}

// located is what a look at an object finds, told from the root.
func located[S ~[]E, E any](look func(root *field.Path) S) S {
	if len(look(nowhere)) == 0 {
		return nil
	}
	return look(nil)
}

// These adapt functions on Go types to runtime.Object, as those of typed.go do.

func check[T runtime.Object](f func(obj T, root *field.Path) field.ErrorList) func(runtime.Object) field.ErrorList {
	return func(obj runtime.Object) field.ErrorList {
		return located(func(root *field.Path) field.ErrorList { return f(obj.(T), root) })
	}
}

func checkChange[T runtime.Object](f func(obj, old T, root *field.Path) field.ErrorList) func(obj, old runtime.Object) field.ErrorList {
	return func(obj, old runtime.Object) field.ErrorList {
		return located(func(root *field.Path) field.ErrorList { return f(obj.(T), old.(T), root) })
	}
}

// warnings are given a nil old at creation.
func warnings[T any, P object[T]](f func(obj, old P, root *field.Path) []string) func(obj, old runtime.Object) []string {
	return func(obj, old runtime.Object) []string {
		before, _ := old.(P)
		return located(func(root *field.Path) []string { return f(obj.(P), before, root) })
	}
}
