package match

import (
	"fmt"
	"reflect"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	kjson "sigs.k8s.io/json"

	"coracle/apiserver/admission"
	"coracle/apiserver/catalog"
)

// Decode reads what a patch has made of an object that was shown as a resource. It is still of the same kind. With strict it has
// no fields that the kind has not.
// Errors: a Status.
func (r *Request) Decode(text []byte, like runtime.Object, k *catalog.Kind, strict bool) (runtime.Object, error) {
	obj := Emptied(like)
	into := any(obj)
	if u, custom := obj.(*unstructured.Unstructured); custom {
		into = &u.Object
	}
	var err error
	if strict {
		var unknown []error
		if unknown, err = kjson.UnmarshalStrict(text, into); err == nil && len(unknown) > 0 {
			err = runtime.NewStrictDecodingError(unknown)
		}
	} else {
		err = kjson.UnmarshalCaseSensitivePreserveInts(text, into)
	}
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	if got, want := obj.GetObjectKind().GroupVersionKind(), r.As(k); got != want {
		return nil, apierrors.NewInternalError(fmt.Errorf("the patch made a %s of a %s", got, want))
	}
	return obj, nil
}

// Emptied is a new object of the same Go type.
func Emptied(like runtime.Object) runtime.Object {
	return reflect.New(reflect.TypeOf(like).Elem()).Interface().(runtime.Object)
}

// Set makes the request's object, in place, what another is that was made of it as shown as a resource.
func (r *Request) Set(obj runtime.Object, k *catalog.Kind) error {
	obj, err := r.Convert(obj, k, r.A.Kind)
	if err != nil {
		return err
	}
	if d := r.A.Kind.Strategy.Default; d != nil && r.A.As.Empty() {
		d(obj)
	}
	r.shown = nil
	return replace(r.A.Object, obj)
}

// replace makes one object what another is, in place: others hold it.
func replace(obj, by runtime.Object) error {
	if u, ok := obj.(*unstructured.Unstructured); ok {
		v, same := by.(*unstructured.Unstructured)
		if !same {
			return fmt.Errorf("%T cannot become %T", obj, by)
		}
		u.Object = v.Object
		return nil
	}
	into, from := reflect.ValueOf(obj), reflect.ValueOf(by)
	if into.Type() != from.Type() || into.Kind() != reflect.Pointer {
		return fmt.Errorf("%T cannot become %T", obj, by)
	}
	into.Elem().Set(from.Elem())
	return nil
}

// Owners are the object's managedFields, for KeepOwners.
func Owners(a *admission.Attributes) []metav1.ManagedFieldsEntry {
	if m, err := meta.Accessor(a.Object); a.Object != nil && err == nil {
		return m.GetManagedFields()
	}
	return nil
}

// KeepOwners undoes what was done to managedFields since then, if that makes no sense.
// Source: k8s.io/apiserver/pkg/endpoints/handlers/fieldmanager.NewManagedFieldsValidatingAdmissionController.
func KeepOwners(a *admission.Attributes, before []metav1.ManagedFieldsEntry) {
	m, err := meta.Accessor(a.Object)
	if a.Object == nil || err != nil {
		return
	}
	if err := managedfields.ValidateManagedFields(m.GetManagedFields()); err != nil {
		m.SetManagedFields(before)
		a.Warn(fmt.Sprintf(".metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission controller; please fix your requests: %v", err))
	}
}
