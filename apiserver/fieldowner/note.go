package fieldowner

import (
	"cmp"
	"reflect"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"coracle/apiserver/catalog"
)

// Note writes into obj, which is what old becomes, which of its fields a manager has set. old is nil if obj is new.
// What cannot be compared keeps the owners that it had.
//
// What is written is what managedfields.FieldManager's Update writes of the whole objects; it is found with less work,
// since nearly all writes create an object or change a small part of one.
func (o *Owners) Note(k *catalog.Kind, subresource string, obj, old runtime.Object, manager string, now time.Time) {
	m, err := meta.Accessor(obj)
	if err != nil {
		return
	}
	s := o.shape(k)
	if old == nil && m.GetManagedFields() == nil && s != nil && s.noteCreated(k, subresource, obj, m, manager, now) {
		return
	}
	if old == nil {
		old = k.New()
	}
	fm, err := o.Manager(k, subresource)
	if err != nil {
		return // an object that is stored without its owners is better than none
	}
	before, err := meta.Accessor(old)
	if err != nil {
		return
	}
	had := before.GetManagedFields()
	a, b := old, obj
	if s != nil {
		a, b = parted(old, obj, k, subresource)
	}
	noted, err := fm.Update(a, b, manager)
	if err != nil {
		m.SetManagedFields(had)
		return
	}
	if n, err := meta.Accessor(noted); err == nil {
		m.SetManagedFields(n.GetManagedFields())
	}
}

// noteCreated notes that a manager owns all fields of a new object. It says false where that takes comparing.
func (s *shape) noteCreated(k *catalog.Kind, subresource string, obj runtime.Object, m metav1.Object, manager string, now time.Time) bool {
	set, ok := s.created(obj)
	if !ok {
		return false
	}
	if filter, ok := resets(k, subresource)[fieldpath.APIVersion(k.GroupVersion().String())]; ok {
		set = filter.Filter(set)
	}
	if set.Empty() {
		return true
	}
	raw, err := set.ToJSON()
	if err != nil {
		return false
	}
	m.SetManagedFields([]metav1.ManagedFieldsEntry{{
		Manager:     cmp.Or(manager, "unknown"),
		Operation:   metav1.ManagedFieldsOperationUpdate,
		APIVersion:  k.GroupVersion().String(),
		Time:        &metav1.Time{Time: now.UTC()},
		FieldsType:  "FieldsV1",
		FieldsV1:    &metav1.FieldsV1{Raw: raw},
		Subresource: subresource,
	}})
	return true
}

// parted returns two objects that differ as old and obj do, and have little else: equal parts own nothing and lose nothing.
// The objects given stay as they are.
func parted(old, obj runtime.Object, k *catalog.Kind, subresource string) (runtime.Object, runtime.Object) {
	x, y := reflect.ValueOf(old), reflect.ValueOf(obj)
	if x.Type() != y.Type() || x.Kind() != reflect.Pointer || x.Elem().Kind() != reflect.Struct {
		return old, obj
	}
	a, b := reflect.New(x.Elem().Type()), reflect.New(x.Elem().Type())
	part(a.Elem(), b.Elem(), x.Elem(), y.Elem())
	before, after := a.Interface().(runtime.Object), b.Interface().(runtime.Object)
	before.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind)
	after.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind)
	before.(metav1.Object).SetUID(old.(metav1.Object).GetUID()) // an object without one would be taken for a new one

	// What the comparison goes on from: the owners that the new object names, or else the old one's; on the way through a
	// subresource always the old one's. Of these the old object itself need not have those that the new one has: comparing
	// them costs more than all else.
	was, wants := old.(metav1.Object).GetManagedFields(), obj.(metav1.Object).GetManagedFields()
	from, to := before.(metav1.Object), after.(metav1.Object)
	switch {
	case subresource != "":
		from.SetManagedFields(was)
		to.SetManagedFields(wants)
	case wants == nil:
		from.SetManagedFields(nil)
		to.SetManagedFields(was)
	case reflect.DeepEqual(was, wants):
		from.SetManagedFields(nil)
		to.SetManagedFields(wants)
	default:
		from.SetManagedFields(was)
		to.SetManagedFields(wants)
	}
	return before, after
}

// part copies the fields of the structs x and y to a and b, except those that are equal.
func part(a, b, x, y reflect.Value) {
	for i := range x.NumField() {
		p, q := x.Field(i), y.Field(i)
		if !a.Field(i).CanSet() || equal(p, q) {
			continue
		}
		if p.Kind() == reflect.Struct && formOf(p) == structure {
			part(a.Field(i), b.Field(i), p, q)
			if !a.Field(i).IsZero() && !b.Field(i).IsZero() {
				continue // else it may look as if it were not there
			}
		}
		if p.Kind() == reflect.Pointer && !p.IsNil() && !q.IsNil() && formOf(p.Elem()) == structure {
			a.Field(i).Set(reflect.New(p.Type().Elem()))
			b.Field(i).Set(reflect.New(p.Type().Elem()))
			part(a.Field(i).Elem(), b.Field(i).Elem(), p.Elem(), q.Elem())
			continue
		}
		a.Field(i).Set(p)
		b.Field(i).Set(q)
	}
}

func equal(p, q reflect.Value) bool {
	return reflect.DeepEqual(p.Interface(), q.Interface())
}
