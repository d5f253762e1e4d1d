package fieldowner

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
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
	lost bool
	text []byte
}

func (w *freshWalk) reset() {
	clear(w.items[:cap(w.items)])
	clear(w.parts[:cap(w.parts)])
	*w = freshWalk{lists: lists{w.items[:0], w.parts[:0]}, text: w.text[:0]}
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

// value writes what is new of a value, and tells whether that is anything.
func (w *freshWalk) value(p *plan, v reflect.Value, at spot) bool {
	if w.lost || !at.whole && v.IsZero() {
		return false
	}
	var before reflect.Value
	if !at.whole {
		before = through(reflect.Zero(v.Type()))
	}
	v = through(v)
	fromNull, null := isNull(before), isNull(v)
	switch {
	case !at.whole && (fromNull && null || p.leaf && !fromNull && !null && alike(before, v)):
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
	there := w.members(p, v, spot{level: at.level, whole: fromNull, resets: at.resets})
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

// members writes what is below a value, and tells whether anything is there.
func (w *freshWalk) members(p *plan, v reflect.Value, at spot) (there bool) {
	switch p.form {
	case structure:
		for i := range p.fields {
			f := &p.fields[i]
			below := f.from(v, false)
			if !below.IsValid() {
				continue
			}
			there = true
			begin := len(w.text)
			to, owned := at.field(f.key[len("f:"):])
			to.whole = at.whole || !f.always
			w.element(func(b []byte) ([]byte, bool) { return append(b, f.key...), true }, f.of, below, to)
			if !owned { // which must be understood all the same
				w.text = w.text[:begin]
			}
		}
	case mapping:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, k := range keys {
			key, plain := fieldKey(k.String())
			w.lost = w.lost || !plain
			w.element(func(b []byte) ([]byte, bool) { return append(b, key...), plain }, p.elem, v.MapIndex(k), spot{level: within, whole: true})
		}
		return len(keys) > 0
	case list:
		items, parts := len(w.items), len(w.parts)
		known, ok := w.known(p, v)
		w.lost = w.lost || !ok
		for i := range known {
			w.element(known[i].appendKey, p.elem, known[i].value, spot{level: within, whole: true})
		}
		w.leave(items, parts)
		return len(known) > 0
	}
	return there
}

// element writes a path element and what is below it.
func (w *freshWalk) element(key func([]byte) ([]byte, bool), p *plan, v reflect.Value, at spot) {
	begin, ok := len(w.text), true
	if w.text[begin-1] != '{' {
		w.text = append(w.text, ',')
	}
	w.text, ok = key(append(w.text, '"'))
	w.lost = w.lost || !ok
	w.text = append(w.text, `":`...)
	if !w.value(p, v, at) {
		w.text = w.text[:begin]
	}
}
