package typedjson

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"coracle/apiserver/memory"
)

// plans are made once of each type.
type plans struct {
	ofRoots sync.Map // reflect.Type to *plan, nil for a type that has none
	making  sync.Mutex
	ofTypes map[reflect.Type]*plan // guarded by making
}

// plan is how values of a type are written and read.
type plan struct {
	typ    reflect.Type
	size   uintptr // in memory
	shape  shape
	elem   *plan          // of lists, tables and pointers
	places []memory.Field // of the fields of objects, in the order in which they are written
	fields []field        // the same
	byName *names         // of objects: those of embedded ones as well
	spare  sync.Pool      // of lists: of *reflect.Value, lists of zero items
}

type shape uint8

const (
	text shape = iota
	number
	truth
	binary       // a []byte, written in base64
	list         // a slice
	texts        // a []string
	table        // a map with keys that are text
	textTable    // a map[string]string
	pointer      //
	object       // a struct
	moment       // a metav1.Time
	numberOrText // an intstr.IntOrString
	amount       // a resource.Quantity
	amounts      // a corev1.ResourceList
	own          // a struct that writes and reads itself
)

type field struct {
	key      string // as it is written, with the colon; "" of an embedded struct
	omitZero bool   // not written if it is zero, as its type sees it
	plan     *plan
}

// zeroer is asked by encoding/json whether an omitzero field is zero.
type zeroer interface{ IsZero() bool }

// of returns the plan of a type, nil if it is left to the libraries.
func (p *plans) of(t reflect.Type) *plan {
	if made, ok := p.ofRoots.Load(t); ok {
		return made.(*plan)
	}
	p.making.Lock()
	defer p.making.Unlock()
	if p.ofTypes == nil {
		p.ofTypes = map[reflect.Type]*plan{}
	}
	made := p.make(t)
	p.ofRoots.Store(t, made)
	return made
}

// make returns the plan of a type, nil if it has none: there are numbers with fractions in it, interfaces, the type itself, or what
// the kinds of Kubernetes do not have. p.making is held.
func (p *plans) make(t reflect.Type) *plan {
	if made, ok := p.ofTypes[t]; ok {
		return made
	}
	p.ofTypes[t] = nil // while it is being made: what holds itself finds this
	made := &plan{typ: t, size: t.Size()}
	if !p.fill(made) {
		return nil
	}
	p.ofTypes[t] = made
	return made
}

func (p *plans) fill(made *plan) bool {
	t := made.typ
	if t.Kind() != reflect.Pointer {
		switch writes, reads := customised(t); {
		case t == reflect.TypeFor[metav1.Time]():
			made.shape = moment
			return true
		case t == reflect.TypeFor[intstr.IntOrString]():
			made.shape = numberOrText
			return true
		case t == reflect.TypeFor[resource.Quantity]():
			made.shape = amount
			return true
		case writes && reads && t.Kind() == reflect.Struct:
			made.shape = own
			return t.Implements(reflect.TypeFor[json.Marshaler]()) && reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]())
		case writes || reads:
			return false
		}
	}
	switch t.Kind() {
	case reflect.String:
		made.shape = text
		return t != reflect.TypeFor[json.Number]()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		made.shape = number
		return true
	case reflect.Bool:
		made.shape = truth
		return true
	case reflect.Pointer:
		made.shape = pointer
		made.elem = p.make(t.Elem())
		return made.elem != nil && made.elem.shape != pointer
	case reflect.Slice:
		switch {
		case t.Elem() == reflect.TypeFor[byte]():
			made.shape = binary
			return true
		case t == reflect.TypeFor[[]string]():
			made.shape = texts
			return true
		}
		made.shape = list
		made.elem = p.make(t.Elem())
		return made.elem != nil
	case reflect.Map:
		if t == reflect.TypeFor[map[string]string]() {
			made.shape = textTable
			return true
		}
		if t == reflect.TypeFor[corev1.ResourceList]() {
			made.shape = amounts
			return true
		}
		made.shape = table
		if writes, reads := customised(t.Key()); t.Key().Kind() != reflect.String || writes || reads {
			return false
		}
		made.elem = p.make(t.Elem())
		return made.elem != nil
	case reflect.Struct:
		made.shape = object
		return p.fillObject(made)
	}
	return false
}

// customised tells whether the type, or a pointer to it, has methods that write and read it in a way of its own.
func customised(t reflect.Type) (writes, reads bool) {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Marshaler]()) || p.Implements(reflect.TypeFor[encoding.TextMarshaler]()),
		p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

func (p *plans) fillObject(made *plan) bool {
	t := made.typ
	var all []named
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		if tag == "-" {
			continue
		}
		name, options, _ := strings.Cut(tag, ",")
		below := p.make(f.Type)
		if below == nil || !f.IsExported() {
			return false
		}
		if f.Anonymous && name == "" {
			if below.shape != object {
				return false
			}
			made.fields = append(made.fields, field{plan: below})
			made.places = append(made.places, memory.FieldAt(f.Offset))
			for _, e := range below.byName.all {
				all = append(all, named{name: e.name, offset: f.Offset + e.offset, plan: e.plan})
			}
			continue
		}
		if name == "" {
			name = f.Name
		}
		said := strings.Split(options, ",")
		at, place := field{plan: below, omitZero: slices.Contains(said, "omitzero")}, memory.FieldAt(f.Offset)
		if slices.Contains(said, "omitempty") {
			place, _ = memory.Omitted(f.Offset, f.Type)
		}
		at.key = `"` + name + `":`
		if strings.ContainsFunc(name, uncommon) || at.omitZero && f.Type.Kind() != reflect.Struct || slices.Contains(said, "string") {
			return false
		}
		made.fields, made.places = append(made.fields, at), append(made.places, place)
		all = append(all, named{name: name, offset: f.Offset, plan: below})
	}
	made.byName = newNames(all)
	return made.byName != nil
}

// uncommon tells of a letter that a name may have to be written otherwise for, or that encoding/json does not take in one.
func uncommon(r rune) bool {
	return r >= utf8.RuneSelf || !plain[r] || r == '\'' || r == '`' || r == ' '
}
