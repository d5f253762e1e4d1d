package fieldowner

import (
	"reflect"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"coracle/apiserver/memory"
)

// shape is what is known of a kind before any object of it: how its Go type is walked, and an object with nothing in it.
type shape struct {
	root  *plan
	empty reflect.Value
	walks sync.Pool // of *freshWalk
}

// plan is how values of one Go type are walked in one place of a schema.
type plan struct {
	typ    reflect.Type // what pointers lead to, if it is one
	form   form
	leaf   bool // owned as a whole: a scalar, or what the schema calls atomic
	lost   bool // the type and the schema do not go together, or it takes more than is here
	fields []member
	places []memory.Field // of the fields
	elem   *plan          // of a list's items and a mapping's values
	keys   []listKey      // what a list's items are known by: nothing where they are scalars, and known by themselves
	named  string         // "k:{\"NAME\":\" of a list whose items are known by one text

	pointers int // lead from a list's item, or a mapping's value, to what elem is the plan of
}

// member is a field of a struct.
type member struct {
	key    string // f:NAME
	at     *value.FieldCacheEntry
	of     *plan
	always bool // it is written even if there is nothing in it

	undeclared bool // the schema does not name it

	place memory.Field // which is told to be empty if it is not written
	asked bool         // at must be asked as well
	typ   reflect.Type
	text  string // "f:NAME":{}

	pointers int // lead from the field to what of is the plan of
}

type listKey struct {
	member
	name     string
	fallback any // the value of an item that has none: nil if the key is then left out
}

func shapeOf(converter managedfields.TypeConverter, empty runtime.Object) (*shape, error) {
	t, err := converter.ObjectToTyped(empty, typed.AllowDuplicates)
	if err != nil {
		return nil, err
	}
	p := planner{schema: t.Schema(), known: map[place]*plan{}}
	root := *p.plan(reflect.TypeOf(empty), t.TypeRef())
	// What this package keeps is not looked at itself.
	for i, f := range root.fields {
		if f.key == "f:metadata" {
			metadata := *f.of
			metadata.fields, metadata.places = nil, nil
			for _, below := range f.of.fields {
				if below.key != "f:managedFields" {
					metadata.fields, metadata.places = append(metadata.fields, below), append(metadata.places, below.place)
				}
			}
			root.fields[i].of = &metadata
		}
	}
	return &shape{root: &root, empty: reflect.ValueOf(empty).Elem()}, nil
}

// planner makes plans, one for each type in each kind of place, so that types that hold themselves come to an end.
type planner struct {
	schema *schema.Schema
	known  map[place]*plan
}

type place struct {
	of     reflect.Type
	named  string
	inline schema.Atom
	whole  schema.ElementRelationship
}

func (p *planner) plan(t reflect.Type, ref schema.TypeRef) *plan {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	at := place{of: t, inline: ref.Inlined}
	if ref.NamedType != nil {
		at.named = *ref.NamedType
	}
	if ref.ElementRelationship != nil {
		at.whole = *ref.ElementRelationship
	}
	if known := p.known[at]; known != nil {
		return known
	}
	made := &plan{typ: t, form: formOf(t)}
	p.known[at] = made
	atom, ok := p.schema.Resolve(ref)
	switch {
	case !ok:
		made.lost = true
	case made.form == scalar && atom.Scalar != nil:
		made.leaf = true
	case made.form == list && atom.List != nil:
		if made.leaf = atom.List.ElementRelationship == schema.Atomic; !made.leaf {
			p.items(made, t.Elem(), atom.List)
		}
	case made.form == structure && atom.Map != nil:
		if made.leaf = atom.Map.ElementRelationship == schema.Atomic; !made.leaf {
			for _, f := range value.TypeReflectEntryOf(t).OrderedFields() {
				below := atom.Map.ElementType
				named, declared := atom.Map.FindField(f.JsonName)
				if declared {
					below = named.Type
				}
				m := memberAt(t, f)
				m.of, m.undeclared = p.plan(m.typ, below), !declared
				made.fields, made.places = append(made.fields, m), append(made.places, m.place)
			}
		}
	case made.form == mapping && atom.Map != nil:
		if made.leaf = atom.Map.ElementRelationship == schema.Atomic; !made.leaf {
			made.elem = p.plan(t.Elem(), atom.Map.ElementType)
			made.pointers = pointers(t.Elem())
		}
	default:
		made.lost = true
	}
	return made
}

// memberAt looks how a field of a struct lies in memory, and when it is written.
func memberAt(t reflect.Type, f *value.FieldCacheEntry) member {
	in := reflect.New(t).Elem()
	zero := f.GetFrom(in)
	m := member{key: "f:" + f.JsonName, at: f, always: !f.CanOmit(zero), typ: zero.Type()}
	m.text, m.pointers = `"`+m.key+`":{}`, pointers(m.typ)
	offset := zero.UnsafeAddr() - in.UnsafeAddr()
	place, told := memory.Omitted(offset, m.typ)
	switch m.typ.Kind() {
	case reflect.Slice:
		told = told && f.CanOmit(reflect.MakeSlice(m.typ, 0, 0))
	case reflect.Map:
		told = told && f.CanOmit(reflect.MakeMap(m.typ))
	}
	own := reflect.PointerTo(m.typ).Implements(reflect.TypeFor[interface{ IsZero() bool }]())
	m.asked = own || !told && !m.always
	if m.place = memory.FieldAt(offset); !m.asked && !m.always {
		m.place = place
	}
	return m
}

// pointers is how many pointers lead to what is none.
func pointers(t reflect.Type) (n int) {
	for ; t.Kind() == reflect.Pointer; t = t.Elem() {
		n++
	}
	return n
}

// none tells whether a field is not written that is not told to be empty.
func (f *member) none(at memory.Place) bool { return f.asked && f.at.CanOmit(at.Value(f.typ)) }

// items plans a list whose items are told apart.
func (p *planner) items(list *plan, t reflect.Type, l *schema.List) {
	list.elem = p.plan(t, l.ElementType)
	list.pointers = pointers(t)
	if len(l.Keys) == 0 {
		list.lost = list.elem.form != scalar
		return
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	atom, ok := p.schema.Resolve(l.ElementType)
	if !ok || atom.Map == nil || formOf(t) != structure {
		list.lost = true
		return
	}
	fields := value.TypeReflectEntryOf(t).Fields()
	for _, name := range l.Keys {
		at, ok := fields[name]
		if !ok {
			list.lost = true
			return
		}
		field, _ := atom.Map.FindField(name)
		list.keys = append(list.keys, listKey{memberAt(t, at), name, field.Default})
	}
	if key := list.keys[0]; len(list.keys) == 1 && list.pointers == 0 && key.typ.Kind() == reflect.String {
		list.named = `"k:{\"` + key.name + `\":\"`
	}
}

type form int

const (
	unknown form = iota
	scalar
	list
	structure
	mapping
)

// formOf tells which of the forms of JSON the values of a type take.
func formOf(t reflect.Type) form {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float32, reflect.Float64:
		return scalar
	}
	own := value.TypeReflectEntryOf(t).CanConvertToUnstructured()
	switch t.Kind() {
	case reflect.Struct:
		if !own {
			return structure
		}
		if t.Implements(reflect.TypeFor[interface{ OpenAPISchemaType() []string }]()) { // metav1.Time, intstr.IntOrString, resource.Quantity
			return scalar
		}
	case reflect.Map:
		if !own && t.Key().Kind() == reflect.String {
			return mapping
		}
	case reflect.Slice:
		if own {
			return unknown
		}
		if t.Elem().Kind() == reflect.Uint8 {
			return scalar
		}
		return list
	}
	return unknown
}
