package fieldowner

import (
	"reflect"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"sigs.k8s.io/structured-merge-diff/v6/schema"
	"sigs.k8s.io/structured-merge-diff/v6/typed"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// shape is what is known of a kind before any object of it: how its Go type is walked, and an object with nothing in it.
type shape struct {
	root  *plan
	empty reflect.Value
	walks sync.Pool // of *freshWalk
}

// plan is how values of one Go type are walked in one place of a schema.
type plan struct {
	form   form
	leaf   bool // owned as a whole: a scalar, or what the schema calls atomic
	lost   bool // the type and the schema do not go together, or it takes more than is here
	fields []member
	elem   *plan     // of a list's items and a mapping's values
	keys   []listKey // what a list's items are known by: nothing where they are scalars, and known by themselves
}

// member is a field of a struct.
type member struct {
	key    string // f:NAME
	at     *value.FieldCacheEntry
	of     *plan
	always bool // it is written even if there is nothing in it

	undeclared bool // the schema does not name it
}

type listKey struct {
	name     string
	at       *value.FieldCacheEntry
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
			metadata.fields = nil
			for _, below := range f.of.fields {
				if below.key != "f:managedFields" {
					metadata.fields = append(metadata.fields, below)
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
	made := &plan{form: formOf(t)}
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
				empty := f.GetFrom(reflect.New(t).Elem())
				made.fields = append(made.fields, member{key: "f:" + f.JsonName, at: f, of: p.plan(empty.Type(), below), always: !f.CanOmit(empty), undeclared: !declared})
			}
		}
	case made.form == mapping && atom.Map != nil:
		if made.leaf = atom.Map.ElementRelationship == schema.Atomic; !made.leaf {
			made.elem = p.plan(t.Elem(), atom.Map.ElementType)
		}
	default:
		made.lost = true
	}
	return made
}

// items plans a list whose items are told apart.
func (p *planner) items(list *plan, t reflect.Type, l *schema.List) {
	list.elem = p.plan(t, l.ElementType)
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
		list.keys = append(list.keys, listKey{name, at, field.Default})
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
