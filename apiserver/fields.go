package apiserver

import (
	"reflect"

	"k8s.io/apimachinery/pkg/runtime"
)

// Kinds differ in what they hold besides metadata and status; these work on any of them:
// on the fields of a Go struct, or on the keys of an object that has no Go type.

func keepStatus(obj, old runtime.Object) {
	copyFields(obj, old, func(name string) bool { return name == "Status" || name == "status" })
}

func keepMetadata(obj, old runtime.Object) {
	copyFields(obj, old, func(name string) bool { return name == "ObjectMeta" || name == "metadata" })
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
	from, to := reflect.ValueOf(old.DeepCopyObject()).Elem(), reflect.ValueOf(obj).Elem()
	for i := range to.NumField() {
		if choose(to.Type().Field(i).Name) {
			to.Field(i).Set(from.Field(i))
		}
	}
}
