package fieldowner

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"
)

// compare finds what typed.TypedValue.Compare finds of two objects: the fields that the new one has and the old one has not,
// or has with another value, and those that only the old one has. Each is nil if it is empty. It says false of what it does
// not understand. Equal parts are passed over without a look at what they are.
func (s *shape) compare(old, obj reflect.Value) (set, gone *node, ok bool) {
	var w walk
	set, gone = w.both(s.root, old, obj)
	return set, gone, !w.lost
}

// walk goes through two values of one type.
type walk struct {
	lost  bool   // something is not as expected
	stack []node // what is below the values that are being visited, so that each gets a slice of the right size
}

// both compares two values, of which the zero Value is one that is not there.
func (w *walk) both(p *plan, l, r reflect.Value) (set, gone *node) {
	switch {
	case w.lost:
		return nil, nil
	case !l.IsValid():
		n := w.one(p, r)
		return &n, nil
	case !r.IsValid():
		n := w.one(p, l)
		return nil, &n
	case identical(l, r):
		return nil, nil
	}
	l, r = through(l), through(r)
	nothing, now := isNull(l), isNull(r)
	switch {
	case nothing && now:
		return nil, nil
	case p.lost:
		w.lost = true
		return nil, nil
	case p.leaf:
		if nothing || now || !alike(l, r) {
			return &node{member: true}, nil
		}
		return nil, nil
	}
	var pair pair
	some := false
	switch p.form {
	case structure:
		for i := range p.fields {
			f := &p.fields[i]
			a, b := f.from(l, nothing), f.from(r, now)
			if a.IsValid() || b.IsValid() {
				some = true
				set, gone := w.both(f.of, a, b)
				pair.add(f.key, set, gone)
			}
		}
	case mapping:
		some = w.entries(p, l, r, &pair)
	case list:
		some = w.items(p, l, r, &pair)
	}
	if !some && nothing != now { // null is not the same as empty
		return &node{member: true}, nil
	}
	return pair.set, pair.gone
}

// pair is what has been found below one field.
type pair struct{ set, gone *node }

// add takes what has been found of two values that a key leads to.
func (p *pair) add(key string, set, gone *node) {
	p.set, p.gone = under(p.set, key, set), under(p.gone, key, gone)
}

func under(n *node, key string, found *node) *node {
	if found == nil {
		return n
	}
	if n == nil {
		n = &node{}
	}
	found.key = key
	n.children = append(n.children, *found)
	return n
}

func (f *member) from(v reflect.Value, null bool) reflect.Value {
	if null {
		return reflect.Value{}
	}
	if v = f.at.GetFrom(v); f.at.CanOmit(v) {
		return reflect.Value{}
	}
	return v
}

func (w *walk) entries(p *plan, l, r reflect.Value, found *pair) bool {
	var names []string
	for _, v := range []reflect.Value{l, r} {
		if !isNull(v) {
			for _, k := range v.MapKeys() {
				names = append(names, k.String())
			}
		}
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		key, ok := fieldKey(name)
		if !ok {
			w.lost = true
			return true
		}
		set, gone := w.both(p.elem, entry(l, name), entry(r, name))
		found.add(key, set, gone)
	}
	return len(names) > 0
}

func entry(m reflect.Value, name string) reflect.Value {
	if isNull(m) {
		return reflect.Value{}
	}
	return m.MapIndex(reflect.ValueOf(name).Convert(m.Type().Key()))
}

func fieldKey(name string) (string, bool) {
	return "f:" + name, plainText(name)
}

// items compares two lists item by item, whatever their order.
func (w *walk) items(p *plan, l, r reflect.Value, found *pair) bool {
	before, after := w.known(p, l), w.known(p, r)
	i, j := 0, 0
	for !w.lost && (i < len(before) || j < len(after)) {
		order := 0
		switch {
		case i == len(before):
			order = 1
		case j == len(after):
			order = -1
		default:
			order = compareItems(before[i], after[j])
		}
		var a, b reflect.Value
		var key string
		if order <= 0 {
			a, key = before[i].value, before[i].key
			i++
		}
		if order >= 0 {
			b, key = after[j].value, after[j].key
			j++
		}
		set, gone := w.both(p.elem, a, b)
		found.add(key, set, gone)
	}
	return len(before)+len(after) > 0
}

// one is the set of all that a value has, which is new or gone as a whole.
func (w *walk) one(p *plan, v reflect.Value) node {
	n := node{member: true}
	if v = through(v); isNull(v) || p.leaf || w.lost {
		return n
	}
	if p.lost {
		w.lost = true
		return n
	}
	first := len(w.stack)
	below := func(key string, of *plan, v reflect.Value) {
		c := w.one(of, v)
		c.key = key
		w.stack = append(w.stack, c)
	}
	switch p.form {
	case structure:
		for i := range p.fields {
			f := &p.fields[i]
			if at := f.from(v, false); at.IsValid() {
				below(f.key, f.of, at)
			}
		}
	case mapping:
		for _, k := range slices.SortedFunc(slices.Values(v.MapKeys()), func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) }) {
			key, ok := fieldKey(k.String())
			w.lost = w.lost || !ok
			below(key, p.elem, v.MapIndex(k))
		}
	case list:
		for _, it := range w.known(p, v) {
			below(it.key, p.elem, it.value)
		}
	}
	n.children, w.stack = popped(w.stack, first)
	return n
}

// popped takes what is on a stack from a place on.
func popped(stack []node, from int) (nodes, rest []node) {
	if len(stack) > from {
		nodes = slices.Clone(stack[from:])
	}
	return nodes, stack[:from]
}

// item is one item of a list, with what it is known by.
type item struct {
	key   string
	parts []keyPart
	value reflect.Value
}

// keyPart is a key's name and value.
type keyPart struct {
	name   string
	text   string
	number int64
	isText bool
}

// compareItems is the order of fieldpath.PathElement.Compare.
func compareItems(a, b item) int {
	return slices.CompareFunc(a.parts, b.parts, func(p, q keyPart) int {
		switch {
		case p.name != q.name:
			return strings.Compare(p.name, q.name)
		case p.isText != q.isText: // numbers first
			if q.isText {
				return -1
			}
			return 1
		}
		return cmp.Or(strings.Compare(p.text, q.text), cmp.Compare(p.number, q.number))
	})
}

// known returns a list's items by the order of their keys. Two with the same keys are left to others.
func (w *walk) known(p *plan, v reflect.Value) []item {
	if isNull(v) {
		return nil
	}
	items := make([]item, v.Len())
	sorted := true
	for i := range items {
		it := through(v.Index(i))
		if isNull(it) {
			w.lost = true
			return nil
		}
		known, ok := p.item(it)
		if !ok {
			w.lost = true
			return nil
		}
		known.value = it
		items[i] = known
		sorted = sorted && (i == 0 || compareItems(items[i-1], known) < 0)
	}
	if !sorted {
		slices.SortFunc(items, compareItems)
		for i := 1; i < len(items); i++ {
			if items[i].key == items[i-1].key {
				w.lost = true
				return nil
			}
		}
	}
	return items
}

// item tells what an item is known by.
func (p *plan) item(v reflect.Value) (item, bool) {
	if len(p.keys) == 0 {
		known, ok := partOf("", v)
		if !ok {
			return item{}, false
		}
		it := item{parts: []keyPart{known}}
		if known.isText && !plainText(known.text) {
			it.key, ok = keyOf(fieldpath.ValueElement(value.NewValueInterface(known.text)))
			return it, ok
		}
		it.key = string(known.append([]byte("v:")))
		return it, true
	}
	it := item{parts: make([]keyPart, 0, len(p.keys))}
	plain := true
	for i := range p.keys {
		k := &p.keys[i]
		at := k.at.GetFrom(v)
		if k.at.CanOmit(at) {
			if k.fallback == nil {
				continue
			}
			at = reflect.ValueOf(k.fallback)
		}
		known, ok := partOf(k.name, through(at))
		if !ok {
			return item{}, false
		}
		plain = plain && (!known.isText || plainText(known.text))
		it.parts = append(it.parts, known)
	}
	if len(it.parts) == 0 {
		return item{}, false
	}
	slices.SortFunc(it.parts, func(a, b keyPart) int { return strings.Compare(a.name, b.name) })
	if !plain {
		var keys value.FieldList
		for _, k := range it.parts {
			v := value.NewValueInterface(k.number)
			if k.isText {
				v = value.NewValueInterface(k.text)
			}
			keys = append(keys, value.Field{Name: k.name, Value: v})
		}
		var ok bool
		it.key, ok = keyOf(fieldpath.PathElement{Key: &keys})
		return it, ok
	}
	b := make([]byte, 0, 48)
	b = append(b, "k:{"...)
	for i, k := range it.parts {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, `\"`...), k.name...), `\":`...)
		b = k.append(b)
	}
	it.key = string(append(b, '}'))
	return it, true
}

func partOf(name string, v reflect.Value) (keyPart, bool) {
	switch {
	case !v.IsValid():
		return keyPart{}, false
	case v.Kind() == reflect.String:
		return keyPart{name: name, text: v.String(), isText: true}, true
	case v.CanInt():
		return keyPart{name: name, number: v.Int()}, true
	case v.Kind() == reflect.Float64 && v.Float() == float64(int64(v.Float())): // a whole number that a schema gives
		return keyPart{name: name, number: int64(v.Float())}, true
	}
	return keyPart{}, false
}

func (p *keyPart) append(b []byte) []byte {
	if p.isText {
		return append(append(append(b, `\"`...), p.text...), `\"`...)
	}
	return strconv.AppendInt(b, p.number, 10)
}

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

// identical tells whether two values of one type hold the same.
func identical(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.String:
		return a.String() == b.String()
	case reflect.Bool:
		return a.Bool() == b.Bool()
	}
	if a.CanInt() {
		return a.Int() == b.Int()
	}
	if a.CanAddr() && b.CanAddr() { // a pointer takes no memory
		return reflect.DeepEqual(a.Addr().Interface(), b.Addr().Interface())
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// alike tells whether two values are written alike.
func alike(a, b reflect.Value) bool {
	if identical(a, b) {
		return true
	}
	switch a.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int32, reflect.Int64:
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
