package fieldowner

import (
	"cmp"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
	"sigs.k8s.io/structured-merge-diff/v6/value"

	"coracle/apiserver/memory"
	"coracle/apiserver/part"
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
	lists        // the items of the lists that are being visited
}

// lists is where the items of the lists are that are being visited, one list behind the other, so that hardly any memory is taken
// for each.
type lists struct {
	items []item
	parts []keyPart
}

// leave forgets the items of the lists that were read last.
func (l *lists) leave(items, parts int) { l.items, l.parts = l.items[:items], l.parts[:parts] }

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
	case l.Kind() == reflect.Struct && p.form == structure && !p.leaf && !p.lost: // all fields are compared anyway
		if l.CanAddr() && r.CanAddr() && memory.Of(l).Same(memory.Of(r), l.Type().Size()) {
			return nil, nil
		}
	case part.EqualValues(l, r):
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
		some = w.pairs(p, l, r, &pair)
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
	switch {
	case null:
		return reflect.Value{}
	case v.CanAddr():
		at, empty := f.place.In(memory.Of(v))
		if empty || f.none(at) {
			return reflect.Value{}
		}
		return at.Value(f.typ)
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
func (w *walk) pairs(p *plan, l, r reflect.Value, found *pair) bool {
	defer w.leave(len(w.items), len(w.parts))
	before, ok := w.known(p, l)
	after, also := w.known(p, r)
	w.lost = w.lost || !ok || !also
	i, j := 0, 0
	for !w.lost && (i < len(before) || j < len(after)) {
		order := 0
		switch {
		case i == len(before):
			order = 1
		case j == len(after):
			order = -1
		default:
			order = compareItems(&before[i], &after[j])
		}
		var a, b reflect.Value
		var of *item
		if order <= 0 {
			a, of = before[i].value, &before[i]
			i++
		}
		if order >= 0 {
			b, of = after[j].value, &after[j]
			j++
		}
		set, gone := w.both(p.elem, a, b)
		if set != nil || gone != nil {
			key, ok := of.key()
			w.lost = w.lost || !ok
			found.add(key, set, gone)
		}
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
		items, parts := len(w.items), len(w.parts)
		known, ok := w.known(p, v)
		w.lost = w.lost || !ok
		for i := range known {
			key, ok := known[i].key()
			w.lost = w.lost || !ok
			below(key, p.elem, known[i].value)
		}
		w.leave(items, parts)
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
	parts []keyPart // in the order of their names; of an item that is known by itself one without
	value reflect.Value
	at    int // where it goes, of one that is merged
}

// keyPart is a key's name and value.
type keyPart struct {
	name   string
	text   string
	number int64
	isText bool
}

// compareItems is the order of fieldpath.PathElement.Compare.
func compareItems(a, b *item) int {
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

// known returns a list's items by the order of their keys. Two with the same keys are left to others: then it says false, as for
// all that it does not understand.
func (l *lists) known(p *plan, v reflect.Value) ([]item, bool) {
	if isNull(v) {
		return nil, true
	}
	first := len(l.items)
	l.items, l.parts = slices.Grow(l.items, v.Len()), slices.Grow(l.parts, v.Len()*max(1, len(p.keys)))
	sorted := true
	for i := range v.Len() {
		it := item{value: through(v.Index(i))}
		ok := !isNull(it.value)
		if ok {
			it.parts, ok = l.partsOf(p, it.value)
		}
		if !ok {
			return nil, false
		}
		sorted = sorted && (i == 0 || compareItems(&l.items[len(l.items)-1], &it) < 0)
		l.items = append(l.items, it)
	}
	items := l.items[first:len(l.items):len(l.items)]
	if !sorted {
		sortItems(items)
		for i := 1; i < len(items); i++ {
			if compareItems(&items[i-1], &items[i]) == 0 {
				return nil, false
			}
		}
	}
	return items, true
}

func sortItems(items []item) {
	slices.SortFunc(items, func(a, b item) int { return compareItems(&a, &b) })
}

// partsOf are what an item is known by.
func (l *lists) partsOf(p *plan, v reflect.Value) ([]keyPart, bool) {
	first := len(l.parts)
	if len(p.keys) == 0 {
		known, ok := partOf("", v)
		l.parts = append(l.parts, known)
		return l.parts[first:len(l.parts):len(l.parts)], ok
	}
	for i := range p.keys {
		k := &p.keys[i]
		at := k.from(v, false)
		if !at.IsValid() {
			if k.fallback == nil {
				continue
			}
			at = reflect.ValueOf(k.fallback)
		}
		known, ok := partOf(k.name, through(at))
		if !ok {
			return nil, false
		}
		l.parts = append(l.parts, known)
	}
	return l.sortParts(first), len(l.parts) > first
}

func (l *lists) sortParts(first int) []keyPart {
	parts := l.parts[first:len(l.parts):len(l.parts)]
	slices.SortFunc(parts, func(a, b keyPart) int { return strings.Compare(a.name, b.name) })
	return parts
}

// key is an item's path element.
func (it *item) key() (string, bool) {
	key, ok := it.appendKey(make([]byte, 0, 48))
	return string(key), ok
}

// appendKey appends an item's path element as it stands between the quotes of JSON.
func (it *item) appendKey(b []byte) ([]byte, bool) {
	alone := it.parts[0].name == ""
	for i := range it.parts {
		if k := &it.parts[i]; k.isText && !plainText(k.text) {
			key, ok := keyOf(it.pathElement(alone))
			return append(b, key...), ok
		}
	}
	if alone {
		return it.parts[0].append(append(b, "v:"...)), true
	}
	b = append(b, "k:{"...)
	for i := range it.parts {
		if i > 0 {
			b = append(b, ',')
		}
		k := &it.parts[i]
		b = append(append(append(b, `\"`...), k.name...), `\":`...)
		b = k.append(b)
	}
	return append(b, '}'), true
}

func (it *item) pathElement(alone bool) fieldpath.PathElement {
	var keys value.FieldList
	for _, k := range it.parts {
		v := value.NewValueInterface(k.number)
		if k.isText {
			v = value.NewValueInterface(k.text)
		}
		if alone {
			return fieldpath.ValueElement(v)
		}
		keys = append(keys, value.Field{Name: k.name, Value: v})
	}
	return fieldpath.PathElement{Key: &keys}
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
	return !v.IsValid() || nullable(v) && v.IsNil()
}

// nullable tells whether values of a type can be written as null.
func nullable(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Slice, reflect.Map:
		return true
	}
	return false
}

// alike tells whether two values are written alike.
func alike(a, b reflect.Value) bool {
	if part.EqualValues(a, b) {
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
