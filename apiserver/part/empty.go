package part

import (
	"reflect"
	"sync"
)

// Lists knows where objects have lists and mappings. The zero value is ready for use, from many goroutines.
type Lists struct{ known sync.Map } // of *places, by reflect.Type

// places is where the values of a type have lists and mappings.
type places struct {
	list   bool    // the value is one itself
	elem   *places // in what a pointer leads to, and in each item of a list: nil for nowhere
	fields []place // in the fields of a struct
}

type place struct {
	index int
	in    *places
}

// Drop makes none of each empty list and mapping of an object, as of one that is read from protobuf. Of a mapping's values it
// knows nothing.
func (l *Lists) Drop(obj any) {
	v := reflect.ValueOf(obj).Elem()
	in, ok := l.known.Load(v.Type())
	if !ok {
		in, _ = l.known.LoadOrStore(v.Type(), placesIn(v.Type(), map[reflect.Type]*places{}))
	}
	in.(*places).drop(v)
}

func (p *places) drop(v reflect.Value) {
	switch {
	case p.fields != nil:
		for _, f := range p.fields {
			f.in.drop(v.Field(f.index))
		}
	case v.IsNil():
	case p.list && v.Len() == 0:
		v.SetZero()
	case p.list && p.elem != nil:
		for i := range v.Len() {
			p.elem.drop(v.Index(i))
		}
	case p.elem != nil:
		p.elem.drop(v.Elem())
	}
}

// placesIn returns nil of a type that has none.
func placesIn(t reflect.Type, known map[reflect.Type]*places) *places {
	if p, ok := known[t]; ok {
		return p
	}
	p := &places{}
	known[t] = p // types that hold themselves have lists, else they would have no end
	switch t.Kind() {
	case reflect.Pointer:
		p.elem = placesIn(t.Elem(), known)
	case reflect.Map:
		p.list = true
	case reflect.Slice:
		if p.list = t.Elem().Kind() != reflect.Uint8; p.list { // bytes are, of which protobuf tells none from nil, no list
			p.elem = placesIn(t.Elem(), known)
		}
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); f.IsExported() {
				if in := placesIn(f.Type, known); in != nil {
					p.fields = append(p.fields, place{i, in})
				}
			}
		}
	}
	if !p.list && p.elem == nil && p.fields == nil {
		p = nil
	}
	known[t] = p
	return p
}
