package fieldowner

import (
	"bytes"
	"reflect"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"coracle/apiserver/memory"
)

// fresh is what somebody owns who has made an object, as FieldsV1: what compare finds of it beside an object with nothing in it,
// but for what nobody can own. It is written while the object is gone through, once. resets are paths that are nobody's as well.
// The text is nil if there is nothing; false is said of what compare does not understand either.
func (s *shape) fresh(obj reflect.Value, resets [][]string) (text []byte, ok bool) {
	w, pooled := s.walks.Get().(*freshWalk)
	if !pooled {
		w = &freshWalk{}
	}
	if w.value(s.root, obj, spot{level: atObject, resets: resets}) {
		text = bytes.Clone(w.text)
	}
	ok = !w.lost
	if cap(w.text) <= mostKept { // the next one needs as much memory
		w.reset()
		s.walks.Put(w)
	}
	return text, ok
}

// mostKept bounds the text for which memory is kept.
const mostKept = 16 << 10

// freshWalk goes through an object that was not there before.
type freshWalk struct {
	lists
	lost  bool
	text  []byte
	names []string
}

func (w *freshWalk) reset() {
	clear(w.items[:cap(w.items)])
	clear(w.parts[:cap(w.parts)])
	clear(w.names[:cap(w.names)])
	*w = freshWalk{lists: lists{w.items[:0], w.parts[:0]}, text: w.text[:0], names: w.names[:0]}
}

// spot is where in an object a value is.
type spot struct {
	level  level
	whole  bool       // all of the value is new: there was none in its place, not even one with nothing in it
	resets [][]string // the paths from here that are nobody's
}

type level int

const (
	atObject level = iota
	atMetadata
	within
)

// field is where a field is, and whether anybody can own it.
func (s spot) field(name string) (spot, bool) {
	at := spot{level: within}
	switch {
	case s.level == atObject && (name == "apiVersion" || name == "kind"), s.level == atMetadata && unowned(name):
		return at, false
	case s.level == atObject && name == "metadata":
		at.level = atMetadata
	}
	for _, path := range s.resets {
		if path[0] == name {
			if len(path) == 1 {
				return at, false
			}
			at.resets = append(at.resets, path[1:])
		}
	}
	return at, true
}

// all tells that there is nothing to be thought of below a value: it is new, and so is all that is in it, and somebody's.
func (s spot) all() bool { return s.whole && s.level == within && len(s.resets) == 0 }

// value writes what is new of an addressable value, and tells whether that is anything.
func (w *freshWalk) value(p *plan, v reflect.Value, at spot) bool {
	if w.lost || !at.whole && v.IsZero() {
		return false
	}
	fromNull := at.whole || nullable(v)
	v = through(v)
	null := isNull(v)
	switch {
	case !at.whole && (fromNull && null || p.leaf && !fromNull && !null && alike(reflect.Zero(v.Type()), v)):
		return false
	case null || p.leaf:
		w.text = append(w.text, "{}"...)
		return true
	case p.lost:
		w.lost = true
		return false
	}
	begin := len(w.text)
	w.text = append(w.text, '{')
	if at.whole && at.level != atMetadata {
		w.text = append(w.text, `".":{}`...)
	}
	head := len(w.text)
	there := w.members(p, memory.Of(v), spot{level: at.level, whole: fromNull, resets: at.resets})
	if len(w.text) == head {
		if at.level == atMetadata || !at.whole && !(fromNull && !there) { // null is not the same as empty
			w.text = w.text[:begin]
			return false
		}
		w.text = w.text[:begin+1]
	}
	w.text = append(w.text, '}')
	return true
}

// members writes what is new below a value, and tells whether anything is there.
func (w *freshWalk) members(p *plan, v memory.Place, at spot) (there bool) {
	switch p.form {
	case mapping:
		return w.mapped(p, v)
	case list:
		return w.listed(p, v)
	}
	for i, place := range p.places {
		below, empty := place.In(v)
		if empty {
			continue
		}
		f := &p.fields[i]
		if f.none(below) {
			continue
		}
		there = true
		to, owned := at.field(f.key[len("f:"):])
		to.whole = at.whole || !f.always
		begin := len(w.text)
		if to.all() {
			w.field(f, below)
		} else {
			w.key(f.text[:len(f.text)-len("{}")])
			owned = w.value(f.of, below.Value(f.typ), to) && owned
		}
		if !owned { // which must be understood all the same
			w.text = w.text[:begin]
		}
	}
	return there
}

// field writes a field that is new with all that is in it.
func (w *freshWalk) field(f *member, v memory.Place) {
	w.key(f.text)
	if !f.of.leaf {
		w.text = w.text[:len(w.text)-len("{}")]
		w.all(f.of, follow(v, f.pointers))
	}
}

// all writes all that is in a value.
func (w *freshWalk) all(p *plan, v memory.Place) {
	switch {
	case p.leaf || v.Nowhere():
		w.text = append(w.text, "{}"...)
		return
	case p.lost:
		w.lost = w.lost || !isNull(through(v.Value(p.typ)))
		w.text = append(w.text, "{}"...)
		return
	}
	begin := len(w.text)
	w.text = append(w.text, `{".":{}`...)
	head := len(w.text)
	switch p.form {
	case structure:
		for i, place := range p.places {
			if below, empty := place.In(v); !empty && !p.fields[i].none(below) {
				w.field(&p.fields[i], below)
			}
		}
	case mapping:
		w.mapped(p, v)
	case list:
		w.listed(p, v)
	}
	if len(w.text) == head {
		w.text = w.text[:begin+1]
	}
	w.text = append(w.text, '}')
}

// key begins an element, behind the last if there is one.
func (w *freshWalk) key(text string) {
	if w.text[len(w.text)-1] != '{' {
		w.text = append(w.text, ',')
	}
	w.text = append(w.text, text...)
}

// mapped writes what is in a mapping, and tells whether that is anything.
func (w *freshWalk) mapped(p *plan, v memory.Place) bool {
	first := len(w.names)
	switch p.typ {
	case reflect.TypeFor[map[string]string]():
		for name := range *memory.As[map[string]string](v) {
			w.names = append(w.names, name)
		}
	case reflect.TypeFor[corev1.ResourceList]():
		for name := range *memory.As[corev1.ResourceList](v) {
			w.names = append(w.names, string(name))
		}
	default:
		for _, name := range v.Value(p.typ).MapKeys() {
			w.names = append(w.names, name.String())
		}
	}
	names := w.names[first:]
	slices.Sort(names)
	for _, name := range names {
		w.lost = w.lost || !plainText(name)
		w.key(`"f:`)
		w.text = append(append(w.text, name...), `":`...)
		var below memory.Place
		if !p.elem.leaf {
			copied := reflect.New(p.typ.Elem()).Elem()
			copied.Set(entry(v.Value(p.typ), name))
			below = follow(memory.Of(copied), p.pointers)
		}
		w.all(p.elem, below)
	}
	w.names = w.names[:first]
	return len(names) > 0
}

// listed writes what is in a list, and tells whether that is anything.
func (w *freshWalk) listed(p *plan, v memory.Place) bool {
	if p.named != "" && w.inOrder(p, v) {
		_, n := v.Items()
		return n > 0
	}
	items, parts := len(w.items), len(w.parts)
	known, ok := w.known(p, v.Value(p.typ))
	w.lost = w.lost || !ok
	for i := range known {
		w.key(`"`)
		w.text, ok = known[i].appendKey(w.text)
		w.lost = w.lost || !ok
		w.text = append(w.text, `":`...)
		w.all(p.elem, memory.Of(known[i].value))
	}
	w.leave(items, parts)
	return len(known) > 0
}

// inOrder writes the items of a list that are known by a name, if they stand in the order of their names. Else it writes nothing.
func (w *freshWalk) inOrder(p *plan, v memory.Place) bool {
	begin, last := len(w.text), ""
	first, n := v.Items()
	for i := range n {
		item := first.Item(i, p.elem.typ.Size())
		at, _ := p.keys[0].place.In(item)
		name := *memory.As[string](at)
		if name <= last || !plainText(name) { // nothing is known by no name
			w.text = w.text[:begin]
			return false
		}
		last = name
		w.key(p.named)
		w.text = append(append(w.text, name...), `\"}":`...)
		w.all(p.elem, item)
	}
	return true
}

// follow follows so many pointers, until one leads nowhere.
func follow(v memory.Place, pointers int) memory.Place {
	for ; pointers > 0 && !v.Nowhere(); pointers-- {
		v = v.Pointee()
	}
	return v
}
