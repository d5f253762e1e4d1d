package fieldowner

import (
	"reflect"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// shape is what is known of a kind before any object of it: its schema, and an object with nothing in it.
type shape struct {
	schema *schema.Schema
	root   schema.TypeRef
	empty  reflect.Value
}

func shapeOf(converter managedfields.TypeConverter, empty runtime.Object) (*shape, error) {
	t, err := converter.ObjectToTyped(empty, typed.AllowDuplicates)
	if err != nil {
		return nil, err
	}
	return &shape{schema: t.Schema(), root: t.TypeRef(), empty: reflect.ValueOf(empty).Elem()}, nil
}

// unowned are fields that are nobody's: those by which an object is found, and those that the server alone sets.
// Source: k8s.io/apimachinery/pkg/util/managedfields (stripMetaManager).
var unowned = fieldpath.NewSet(
	fieldpath.MakePathOrDie("apiVersion"),
	fieldpath.MakePathOrDie("kind"),
	fieldpath.MakePathOrDie("metadata"),
	fieldpath.MakePathOrDie("metadata", "name"),
	fieldpath.MakePathOrDie("metadata", "namespace"),
	fieldpath.MakePathOrDie("metadata", "creationTimestamp"),
	fieldpath.MakePathOrDie("metadata", "selfLink"),
	fieldpath.MakePathOrDie("metadata", "uid"),
	fieldpath.MakePathOrDie("metadata", "clusterName"),
	fieldpath.MakePathOrDie("metadata", "generation"),
	fieldpath.MakePathOrDie("metadata", "managedFields"),
	fieldpath.MakePathOrDie("metadata", "resourceVersion"),
)

// created returns the fields that whoever creates obj owns: those that an empty object of the kind has not, or has with
// another value. It finds in one pass what comparing the two finds, and says false of what it does not understand.
func (s *shape) created(obj runtime.Object) (*fieldpath.Set, bool) {
	v := reflect.ValueOf(obj)
	if v.Kind() != reflect.Pointer || v.Elem().Type() != s.empty.Type() {
		return nil, false
	}
	w := walk{schema: s.schema}
	var all fieldpath.Set
	w.visit(&all, v.Elem(), s.empty, s.root)
	if w.lost {
		return nil, false
	}
	return all.Difference(unowned), true
}

// walk goes through an object and its schema together.
type walk struct {
	schema *schema.Schema
	lost   bool // something is not as expected
}

// visit adds what is below v to set, and tells whether v itself is new. was is what the empty object has in its place:
// the zero Value if nothing.
func (w *walk) visit(set *fieldpath.Set, v, was reflect.Value, ref schema.TypeRef) bool {
	atom, ok := w.schema.Resolve(ref)
	if !ok || w.lost {
		w.lost = true
		return false
	}
	added := !was.IsValid()
	if v = through(v); isNull(v) { // as it is in the empty object, if it is there
		return added
	}
	was = through(was)
	leaf := func() bool {
		return added || isNull(was) || !alike(v, was)
	}
	switch form := formOf(v); {
	case form == scalar && atom.Scalar != nil:
		return leaf()
	case form == list && atom.List != nil:
		if atom.List.ElementRelationship == schema.Atomic || v.Len() == 0 {
			return leaf()
		}
		w.items(set, v, atom.List)
	case form == structure && atom.Map != nil:
		if atom.Map.ElementRelationship == schema.Atomic {
			return leaf()
		}
		if !w.fields(set, v, was, atom.Map) {
			return added || isNull(was) // an empty one
		}
	case form == mapping && atom.Map != nil:
		if atom.Map.ElementRelationship == schema.Atomic || v.Len() == 0 {
			return leaf()
		}
		for entries := v.MapRange(); entries.Next(); {
			name := entries.Key().String()
			w.member(set, &name, entries.Value(), reflect.Value{}, atom.Map)
		}
	default:
		w.lost = true
	}
	return added
}

// fields visits what a struct has, and tells whether that is anything.
func (w *walk) fields(set *fieldpath.Set, v, was reflect.Value, m *schema.Map) bool {
	some := false
	for _, f := range value.TypeReflectEntryOf(v.Type()).OrderedFields() {
		now := f.GetFrom(v)
		if f.CanOmit(now) {
			continue
		}
		some = true
		var before reflect.Value
		if !isNull(was) {
			if b := f.GetFrom(was); !f.CanOmit(b) {
				before = b
			}
		}
		w.member(set, &f.JsonName, now, before, m)
	}
	return some
}

func (w *walk) member(set *fieldpath.Set, name *string, now, before reflect.Value, m *schema.Map) {
	ref := m.ElementType
	if f, ok := m.FindField(*name); ok {
		ref = f.Type
	}
	w.add(set, fieldpath.PathElement{FieldName: name}, now, before, ref)
}

func (w *walk) add(set *fieldpath.Set, at fieldpath.PathElement, now, before reflect.Value, ref schema.TypeRef) {
	var below fieldpath.Set
	if w.visit(&below, now, before, ref) {
		set.Members.Insert(at)
	}
	if !below.Empty() {
		*set.Children.Descend(at) = below
	}
}

// items visits the items of a list, which are known by their keys, or by their values.
func (w *walk) items(set *fieldpath.Set, v reflect.Value, l *schema.List) {
	for i := range v.Len() {
		item := through(v.Index(i))
		at, ok := w.element(item, l)
		if !ok || set.Members.Has(at) { // twice the same: let others sort that out
			w.lost = true
			return
		}
		w.add(set, at, item, reflect.Value{}, l.ElementType)
	}
}

func (w *walk) element(item reflect.Value, l *schema.List) (fieldpath.PathElement, bool) {
	if len(l.Keys) == 0 {
		v, ok := plain(item)
		return fieldpath.ValueElement(v), ok
	}
	if formOf(item) != structure {
		return fieldpath.PathElement{}, false
	}
	atom, ok := w.schema.Resolve(l.ElementType)
	if !ok || atom.Map == nil {
		return fieldpath.PathElement{}, false
	}
	fields := value.TypeReflectEntryOf(item.Type()).Fields()
	var keys value.FieldList
	for _, name := range l.Keys {
		f, ok := fields[name]
		if !ok {
			return fieldpath.PathElement{}, false
		}
		if now := f.GetFrom(item); !f.CanOmit(now) {
			v, ok := plain(through(now))
			if !ok {
				return fieldpath.PathElement{}, false
			}
			keys = append(keys, value.Field{Name: name, Value: v})
		} else if field, _ := atom.Map.FindField(name); field.Default != nil {
			keys = append(keys, value.Field{Name: name, Value: value.NewValueInterface(field.Default)})
		}
	}
	keys.Sort()
	return fieldpath.PathElement{Key: &keys}, len(keys) > 0
}

// plain is a scalar as a value.
func plain(v reflect.Value) (value.Value, bool) {
	switch {
	case !v.IsValid() || formOf(v) != scalar:
		return nil, false
	case v.Kind() == reflect.String:
		return value.NewValueInterface(v.String()), true
	case v.CanInt():
		return value.NewValueInterface(v.Int()), true
	}
	return nil, false
}

type form int

const (
	unknown form = iota
	scalar
	list
	structure
	mapping
)

// formOf tells which of the forms of JSON a value takes.
func formOf(v reflect.Value) form {
	if !v.IsValid() {
		return unknown
	}
	switch v.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return scalar
	}
	own := value.TypeReflectEntryOf(v.Type()).CanConvertToUnstructured()
	switch v.Kind() {
	case reflect.Struct:
		if !own {
			return structure
		}
		if v.Type().Implements(scalarJSON) {
			return scalar
		}
		return unknown
	case reflect.Map:
		if own || v.Type().Key().Kind() != reflect.String {
			return unknown
		}
		return mapping
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 && !own {
			return scalar
		}
		if own {
			return unknown
		}
		return list
	}
	return unknown
}

// scalarJSON is what metav1.Time, intstr.IntOrString and resource.Quantity have in common: they are written as a string or a
// number.
var scalarJSON = reflect.TypeFor[interface{ OpenAPISchemaType() []string }]()

// through follows pointers; it returns the zero Value where they lead nowhere.
func through(v reflect.Value) reflect.Value {
	for v.IsValid() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) {
		v = v.Elem()
	}
	return v
}

// isNull tells whether a value is written as null, or is none.
func isNull(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map:
		return v.IsNil()
	}
	return false
}

// alike tells whether two values are written alike.
func alike(a, b reflect.Value) bool {
	if reflect.DeepEqual(a.Interface(), b.Interface()) {
		return true
	}
	if formOf(a) == scalar {
		return false
	}
	p, q := reflect.New(a.Type()), reflect.New(b.Type())
	p.Elem().Set(a)
	q.Elem().Set(b)
	x, err := value.NewValueReflect(p.Interface())
	if err != nil {
		return false
	}
	y, err := value.NewValueReflect(q.Interface())
	return err == nil && value.Equals(x, y)
}
