package fieldowner

import (
	"encoding/json"
	"reflect"
	"slices"

	kjson "sigs.k8s.io/json"
)

// merge puts what somebody wants into an object, as typed.TypedValue.Merge does, and returns the fields that he wants, as
// typed.TypedValue.ToFieldSet does. It says false, and may have changed the object, where it is not certain that the object holds
// afterwards exactly what is wanted: of nulls, of empty lists, of what is written otherwise than it was given, and of unknown fields.
func (s *shape) merge(obj reflect.Value, wanted map[string]any) (*node, bool) {
	var m merging
	set := m.value(s.root, obj, wanted)
	set.member = false
	return &set, !m.lost
}

// key is an item's path element.
func (m *merging) key(it *item) string {
	key, ok := it.key()
	m.lost = m.lost || !ok
	return key
}

// merging goes through what is wanted, and the object beside it.
type merging struct {
	lists
	lost bool
}

// value puts what is wanted into a value. What it returns is a member of the set.
func (m *merging) value(p *plan, to reflect.Value, wanted any) (set node) {
	set.member = true
	if p.lost || !to.CanSet() {
		m.lost = true
	}
	if m.lost {
		return set
	}
	if to.Kind() == reflect.Pointer {
		if to.IsNil() {
			to.Set(reflect.New(to.Type().Elem()))
		}
		return m.value(p, to.Elem(), wanted)
	}
	if p.leaf {
		m.lost = listsWithin(wanted, false) || !put(to, wanted)
		return set
	}
	switch p.form {
	case structure:
		members, ok := wanted.(map[string]any)
		if m.lost = !ok; !m.lost {
			set.children = m.members(p, to, members)
		}
	case mapping:
		entries, ok := wanted.(map[string]any)
		if m.lost = !ok || len(entries) == 0 && to.IsNil(); !m.lost {
			set.children = m.entries(p, to, entries)
		}
	case list:
		items, ok := wanted.([]any)
		if m.lost = !ok || len(items) == 0; !m.lost {
			set.children = m.items(p, to, items)
		}
	}
	return set
}

func (m *merging) members(p *plan, to reflect.Value, wanted map[string]any) []node {
	children := make([]node, 0, len(wanted))
	for i := range p.fields {
		f := &p.fields[i]
		v, some := wanted[f.key[len("f:"):]]
		if !some {
			continue
		}
		c := m.value(f.of, f.at.GetFrom(to), v)
		if m.lost = m.lost || f.undeclared || !f.from(to, false).IsValid(); m.lost { // it is not written as it was wanted
			return nil
		}
		c.key, c.member = f.key, len(c.children) == 0 // that there is a container is nobody's, unless it is empty
		children = append(children, c)
	}
	m.lost = m.lost || len(children) != len(wanted) // there is no such field
	return children
}

func (m *merging) entries(p *plan, to reflect.Value, wanted map[string]any) []node {
	if to.IsNil() {
		to.Set(reflect.MakeMap(to.Type()))
	}
	names := make([]string, 0, len(wanted))
	for name := range wanted {
		names = append(names, name)
	}
	slices.Sort(names)
	children := make([]node, 0, len(wanted))
	for _, name := range names {
		key, ok := fieldKey(name)
		at := reflect.New(to.Type().Elem()).Elem()
		if have := entry(to, name); have.IsValid() {
			at.Set(have)
		}
		c := m.value(p.elem, at, wanted[name])
		if m.lost = m.lost || !ok; m.lost {
			return nil
		}
		to.SetMapIndex(reflect.ValueOf(name).Convert(to.Type().Key()), at)
		c.key = key
		children = append(children, c)
	}
	return children
}

// items merges lists item by item. Those that are there stay as they stand, which must be the order of what is wanted; new ones
// come before the next that both have.
func (m *merging) items(p *plan, to reflect.Value, wanted []any) []node {
	elem := to.Type().Elem()
	if m.lost = elem.Kind() == reflect.Pointer; m.lost {
		return nil
	}
	want := make([]item, len(wanted))
	place := make(map[string]int, len(wanted))
	for i, v := range wanted {
		parts, ok := m.partsWanted(p, v)
		if !ok {
			m.lost = true
			return nil
		}
		want[i].parts, want[i].value = parts, reflect.ValueOf(v)
		place[m.key(&want[i])] = i
	}
	out, next := reflect.MakeSlice(to.Type(), 0, to.Len()+len(wanted)), 0
	fresh := func(upto int) {
		for ; next < upto; next++ {
			want[next].at = out.Len()
			out = reflect.Append(out, reflect.Zero(elem))
		}
	}
	for i := range to.Len() {
		have := item{value: to.Index(i)}
		var ok bool
		if have.parts, ok = m.partsOf(p, have.value); !ok {
			m.lost = true
			return nil
		}
		if at, shared := place[m.key(&have)]; shared {
			fresh(at)
			m.lost = m.lost || next > at
			want[at].at = out.Len()
			next++
		}
		out = reflect.Append(out, have.value)
	}
	fresh(len(wanted))
	if m.lost = m.lost || len(place) != len(wanted); m.lost { // one is there twice
		return nil
	}
	to.Set(out)
	sortItems(want)
	children := make([]node, 0, len(want))
	for i := range want {
		c := m.value(p.elem, out.Index(want[i].at), want[i].value.Interface())
		c.key = m.key(&want[i])
		children = append(children, c)
	}
	return children
}

// partsWanted are what an item that is wanted is known by.
func (m *merging) partsWanted(p *plan, wanted any) ([]keyPart, bool) {
	first := len(m.parts)
	if len(p.keys) == 0 {
		known, ok := partWanted("", wanted)
		m.parts = append(m.parts, known)
		return m.parts[first:len(m.parts):len(m.parts)], ok
	}
	members, ok := wanted.(map[string]any)
	for _, k := range p.keys {
		v, some := members[k.name]
		if !some {
			if v = k.fallback; v == nil {
				continue
			}
		}
		known, understood := partWanted(k.name, v)
		ok = ok && understood
		m.parts = append(m.parts, known)
	}
	return m.sortParts(first), ok && len(m.parts) > first
}

// partWanted leaves those to others that may be written as if they were none.
func partWanted(name string, wanted any) (keyPart, bool) {
	v := reflect.ValueOf(wanted)
	if !v.IsValid() || v.IsZero() {
		return keyPart{}, false
	}
	return partOf(name, v)
}

// listsWithin tells whether there are lists of several items inside what is owned as a whole: nothing in one of those may be twice, if
// the schema says so.
func listsWithin(wanted any, within bool) bool {
	switch v := wanted.(type) {
	case map[string]any:
		for _, below := range v {
			if listsWithin(below, true) {
				return true
			}
		}
	case []any:
		if within && len(v) > 1 {
			return true
		}
		for _, below := range v {
			if listsWithin(below, true) {
				return true
			}
		}
	}
	return false
}

// put gives a value that is owned as a whole what is wanted. It says false if that would not be written as it was given.
func put(to reflect.Value, wanted any) bool {
	switch v := wanted.(type) {
	case string:
		if to.Kind() == reflect.String {
			to.SetString(v)
			return true
		}
	case bool:
		if to.Kind() == reflect.Bool {
			to.SetBool(v)
			return true
		}
	case int64:
		if to.CanInt() {
			to.SetInt(v)
			return to.Int() == v
		}
	}
	b, err := json.Marshal(wanted)
	if err != nil {
		return false
	}
	read := reflect.New(to.Type())
	if json.Unmarshal(b, read.Interface()) != nil {
		return false
	}
	if b, err = json.Marshal(read.Interface()); err != nil {
		return false
	}
	var again any
	if kjson.UnmarshalCaseSensitivePreserveInts(b, &again) != nil || !reflect.DeepEqual(again, wanted) {
		return false
	}
	to.Set(read.Elem())
	return true
}
