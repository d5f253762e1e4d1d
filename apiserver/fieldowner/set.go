package fieldowner

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// node is a set of fields as managedFields writes it (FieldsV1): a tree whose edges are path elements. It is what
// fieldpath.Set is, kept in the written form, so that what does not change need not be understood.
type node struct {
	key      string // the path element as it stands between the quotes of JSON: f:spec, k:{\"name\":\"main\"}
	member   bool   // the field itself belongs to the set
	children []node // in the order of fieldpath.PathElement
	unread   string // instead of both: the text of what nobody has asked about
}

func (n *node) empty() bool {
	return n == nil || !n.member && len(n.children) == 0 && n.unread == ""
}

// maxDepth bounds the nesting of a set that is read. No kind of Kubernetes is half as deep.
const maxDepth = 100

// readSet reads a set in the form in which this package and managedfields write it, without white space and in order.
// It says false of any other form.
func readSet(raw []byte) (*node, bool) {
	r := reader{rest: string(raw), all: true}
	return r.set()
}

// readAbout reads as much of a set as it takes to subtract or add two others: what is below any other field stays text. Most
// changes are about little of what somebody owns.
func readAbout(raw []byte, a, b *node) (*node, bool) {
	r := reader{rest: string(raw), about: [2]*node{a, b}}
	return r.set()
}

type reader struct {
	rest  string
	all   bool
	about [2]*node // what is to be read if not all, below the field that is being read
	stack []node   // the children of those that are being read
	// indexes are finders of nodes among about that have many children.
	indexes map[*node]func(key string) *node
}

// find is child, for as many keys as are read.
func (r *reader) find(n *node, key string) *node {
	const many = 64
	if n == nil || len(n.children) < many {
		return n.child(key)
	}
	f := r.indexes[n]
	if f == nil {
		if r.indexes == nil {
			r.indexes = map[*node]func(string) *node{}
		}
		f = n.finder(len(n.children))
		r.indexes[n] = f
	}
	return f(key)
}

func (r *reader) set() (*node, bool) {
	n := &node{}
	if !r.object(n, maxDepth) || len(r.rest) != 0 {
		return nil, false
	}
	n.member = false // nobody owns an object as a whole
	return n, true
}

// below reads what stands behind a field's name.
func (r *reader) below(child *node, depth int) bool {
	if r.all {
		return r.object(child, depth)
	}
	outer := r.about
	r.about = [2]*node{r.find(outer[0], child.key), r.find(outer[1], child.key)}
	defer func() { r.about = outer }()
	if r.about[0] != nil || r.about[1] != nil || strings.HasPrefix(r.rest, "{}") {
		return r.object(child, depth)
	}
	return r.skip(child)
}

// skip leaves what stands there unread.
func (r *reader) skip(n *node) bool {
	open, quoted := 0, false
	for i := 0; i < len(r.rest); i++ {
		switch b := r.rest[i]; {
		case quoted:
			switch b {
			case '\\':
				i++
			case '"':
				quoted = false
			}
		case b == '"':
			quoted = true
		case b == '{':
			open++
		case b == '}':
			if open--; open == 0 {
				n.unread, r.rest = r.rest[:i+1], r.rest[i+1:]
				return true
			}
		}
		if open == 0 {
			return false // no object
		}
	}
	return false
}

func (r *reader) take(b byte) bool {
	if len(r.rest) == 0 || r.rest[0] != b {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

// object reads {"KEY":{...},...} into n.
func (r *reader) object(n *node, depth int) bool {
	if depth == 0 || !r.take('{') {
		return false
	}
	if r.take('}') {
		n.member = true
		return true
	}
	for first, last := len(r.stack), ""; ; {
		key, ok := r.key()
		if !ok || !r.take(':') {
			return false
		}
		child := node{key: key}
		if !r.below(&child, depth-1) {
			return false
		}
		switch {
		case key == ".":
			n.member = true
		case last >= key && strings.HasPrefix(key, "f:"):
			return false
		default:
			last = key
			r.stack = append(r.stack, child)
		}
		if r.take('}') {
			n.children, r.stack = popped(r.stack, first)
			return true
		}
		if !r.take(',') {
			return false
		}
	}
}

// key reads a JSON string and leaves it escaped.
func (r *reader) key() (string, bool) {
	if !r.take('"') {
		return "", false
	}
	for i := 0; i < len(r.rest); i++ {
		switch r.rest[i] {
		case '\\':
			i++
		case '"':
			key := r.rest[:i]
			r.rest = r.rest[i+1:]
			known := len(key) > 2 && key[1] == ':' && strings.IndexByte("fkvi", key[0]) >= 0 && (key[0] != 'f' || strings.IndexByte(key, '\\') < 0)
			return key, known || key == "."
		}
	}
	return "", false
}

// text is a set as FieldsV1.
func (n *node) text() []byte { return n.write(make([]byte, 0, n.size())) }

// size is how long that is, or a little more.
func (n *node) size() int {
	size := len(`{}`) + len(n.unread)
	if n.member {
		size += len(`".":{},`)
	}
	for i := range n.children {
		size += len(`"":,`) + len(n.children[i].key) + n.children[i].size()
	}
	return size
}

// write appends a set as FieldsV1.
func (n *node) write(b []byte) []byte {
	if n.unread != "" {
		return append(b, n.unread...)
	}
	b = append(b, '{')
	if n.member && len(n.children) > 0 {
		b = append(b, `".":{},`...)
	}
	for i := range n.children {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, n.children[i].key...)
		b = append(b, `":`...)
		b = n.children[i].write(b)
	}
	return append(b, '}')
}

func (n *node) child(key string) *node {
	if n == nil {
		return nil
	}
	for i := range n.children {
		if n.children[i].key == key {
			return &n.children[i]
		}
	}
	return nil
}

// finder returns what finds children of n by their keys, for so many that are looked for: one after the other where there are few,
// else by an index, since there may be a hundred thousand of both.
func (n *node) finder(wanted int) func(key string) *node {
	const few = 1 << 10
	if wanted*len(n.children) <= few {
		return n.child
	}
	at := make(map[string]int, len(n.children))
	for i := range n.children {
		at[n.children[i].key] = i
	}
	return func(key string) *node {
		if i, ok := at[key]; ok {
			return &n.children[i]
		}
		return nil
	}
}

// subtract takes the fields of o out of n, and tells whether there were any.
func (n *node) subtract(o *node) bool {
	if o == nil {
		return false
	}
	changed := n.member && o.member
	n.member = n.member && !o.member
	find := n.finder(len(o.children))
	for i := range o.children {
		if c := find(o.children[i].key); c != nil && c.subtract(&o.children[i]) {
			changed = true
		}
	}
	if changed {
		n.children = slices.DeleteFunc(n.children, func(c node) bool { return c.empty() })
	}
	return changed
}

// add puts the fields of o into n. It says false if two path elements cannot be put into order.
func (n *node) add(o *node) bool {
	if n.unread != "" || o.unread != "" {
		return false
	}
	n.member = n.member || o.member
	find := n.finder(len(o.children))
	var fresh []node
	var at []int // where each of them goes
	for i := range o.children {
		more := &o.children[i]
		if c := find(more.key); c != nil {
			if !c.add(more) {
				return false
			}
			continue
		}
		place, ok := n.place(more.key)
		made := node{key: more.key}
		if !ok || !made.add(more) || len(at) > 0 && place < at[len(at)-1] {
			return false
		}
		fresh, at = append(fresh, made), append(at, place)
	}
	if len(fresh) == 0 {
		return true
	}
	all := make([]node, 0, len(n.children)+len(fresh))
	from := 0
	for i, place := range at {
		all = append(append(all, n.children[from:place]...), fresh[i])
		from = place
	}
	n.children = append(all, n.children[from:]...)
	return true
}

// place finds where a key belongs that is not there yet.
func (n *node) place(key string) (int, bool) {
	ok := true
	at, _ := slices.BinarySearchFunc(n.children, key, func(c node, key string) int {
		order, understood := compareKeys(c.key, key)
		ok = ok && understood
		return order
	})
	return at, ok
}

// compareKeys is the order of fieldpath.PathElement.Compare.
func compareKeys(a, b string) (int, bool) {
	if strings.HasPrefix(a, "f:") && strings.HasPrefix(b, "f:") {
		return strings.Compare(a, b), true
	}
	p, ok := pathElement(a)
	q, understood := pathElement(b)
	return p.Compare(q), ok && understood
}

func pathElement(key string) (fieldpath.PathElement, bool) {
	var text string
	if err := json.Unmarshal([]byte(`"`+key+`"`), &text); err != nil {
		return fieldpath.PathElement{}, false
	}
	e, err := fieldpath.DeserializePathElement(text)
	return e, err == nil
}

// drop takes a field and all that is below it out of n.
func (n *node) drop(path []string) {
	if n == nil || len(path) == 0 {
		return
	}
	i := slices.IndexFunc(n.children, func(c node) bool { return c.key[2:] == path[0] && c.key[0] == 'f' })
	if i < 0 {
		return
	}
	if len(path) > 1 {
		n.children[i].drop(path[1:])
	}
	if len(path) == 1 || n.children[i].empty() {
		n.children = slices.Delete(n.children, i, i+1)
	}
}

// plainText tells whether a string stands in JSON as it is, in all forms that managedfields gives it.
func plainText(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			return false
		}
	}
	return true
}

// keyOf is a path element as managedfields writes it, for what is not plain.
func keyOf(e fieldpath.PathElement) (string, bool) {
	raw, err := fieldpath.NewSet(fieldpath.Path{e}).ToJSON()
	if err != nil {
		return "", false
	}
	raw, ok := bytes.CutPrefix(raw, []byte(`{"`))
	raw, also := bytes.CutSuffix(raw, []byte(`":{}}`))
	return string(raw), ok && also
}

// unowned are fields of metadata that are nobody's: those by which an object is found, and those that the server alone sets.
// Source: k8s.io/apimachinery/pkg/util/managedfields (stripMetaManager).
func unowned(name string) bool {
	switch name {
	case "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields", "resourceVersion":
		return true
	}
	return false
}

// owned is the part of a set that somebody can own. The set stays as it is.
func (n *node) owned() *node {
	if n == nil {
		return nil
	}
	out := &node{member: n.member}
	for _, c := range n.children {
		switch c.key {
		case "f:apiVersion", "f:kind":
			c.member = false
		case "f:metadata":
			c.member = false
			c.children = slices.Clone(c.children)
			for i := range c.children {
				below := &c.children[i]
				below.member = below.member && !unowned(strings.TrimPrefix(below.key, "f:"))
			}
			c.children = slices.DeleteFunc(c.children, func(c node) bool { return c.empty() })
		}
		if !c.empty() {
			out.children = append(out.children, c)
		}
	}
	return out
}
