package fieldowner

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// FuzzSet: what is read is written as it was, and means to fieldpath what it means here.
func FuzzSet(f *testing.F) {
	for _, raw := range []string{
		`{}`,
		`{"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"main\"}":{".":{},"f:image":{}}}}}`,
		`{"f:metadata":{"f:finalizers":{".":{},"v:\"a/b\"":{}}}}`,
		`{"f:ports":{"k:{\"containerPort\":80,\"protocol\":\"TCP\"}":{}}}`,
		`{"f:a":{".":{}}}`, `{"f:b":{},"f:a":{}}`, `{"x:a":{}}`, `{"f:a":[]}`, ` {}`, `{"f:a`, `{"f:a":{},"f:a":{}}`,
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		n, ok := readSet([]byte(raw))
		if !ok {
			return
		}
		var want fieldpath.Set
		if err := want.FromJSON(strings.NewReader(raw)); err != nil {
			return // keys that are not understood are kept as they are
		}
		written := n.write(nil)
		again, ok := readSet(written)
		if !ok || string(again.write(nil)) != string(written) {
			t.Fatalf("%s is written as %s, which is not read", raw, written)
		}
		var got fieldpath.Set
		if err := got.FromJSON(strings.NewReader(string(written))); err != nil || !got.Equals(&want) {
			t.Fatalf("%s is written as %s, which is another set: %v", raw, written, err)
		}
	})
}

func TestReadSet_RefusesWhatOthersMustRead(t *testing.T) {
	for name, raw := range map[string]string{
		"white space":              `{ "f:a":{}}`,
		"fields out of order":      `{"f:b":{},"f:a":{}}`,
		"a field twice":            `{"f:a":{},"f:a":{}}`,
		"a value that is no set":   `{"f:a":1}`,
		"an unknown kind of key":   `{"x:a":{}}`,
		"an escaped name":          `{"f:\u0061":{}}`,
		"more than one set":        `{}{}`,
		"half a set":               `{"f:a":{}`,
		"nesting without an end":   strings.Repeat(`{"f:a":`, 10_000),
		"nesting that is too deep": strings.Repeat(`{"f:a":`, 200) + "{}" + strings.Repeat("}", 200),
		"nothing":                  ``,
	} {
		if _, ok := readSet([]byte(raw)); ok {
			t.Errorf("%s was read: %.60s", name, raw)
		}
	}
}

func TestSet_Algebra(t *testing.T) {
	const has = `{"f:metadata":{"f:labels":{".":{},"f:app":{},"f:tier":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"b\"}":{".":{},"f:image":{}}}}}`
	for _, c := range []struct{ name, op, other, want string }{
		{"a field that is there", "less", `{"f:metadata":{"f:labels":{"f:app":{}}}}`, `{"f:metadata":{"f:labels":{".":{},"f:tier":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"b\"}":{".":{},"f:image":{}}}}}`},
		{"a parent goes without its children", "less", `{"f:metadata":{"f:labels":{}}}`, `{"f:metadata":{"f:labels":{"f:app":{},"f:tier":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"b\"}":{".":{},"f:image":{}}}}}`},
		{"what is not there", "less", `{"f:spec":{"f:containers":{"k:{\"name\":\"c\"}":{}}},"f:status":{}}`, has},
		{"branches that become empty go", "less", `{"f:spec":{"f:containers":{"k:{\"name\":\"b\"}":{".":{},"f:image":{}}}}}`, `{"f:metadata":{"f:labels":{".":{},"f:app":{},"f:tier":{}}}}`},
		{"items stand in the order of their keys", "more", `{"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{},"k:{\"name\":\"c\"}":{}}}}`,
			`{"f:metadata":{"f:labels":{".":{},"f:app":{},"f:tier":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"a\"}":{},"k:{\"name\":\"b\"}":{".":{},"f:image":{}},"k:{\"name\":\"c\"}":{}}}}`},
		{"fields stand in the order of their names", "more", `{"f:data":{},"f:metadata":{"f:labels":{"f:more":{}}}}`,
			`{"f:data":{},"f:metadata":{"f:labels":{".":{},"f:app":{},"f:more":{},"f:tier":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"b\"}":{".":{},"f:image":{}}}}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, ok := readSet([]byte(has))
			o, also := readSet([]byte(c.other))
			if !ok || !also {
				t.Fatal("not read")
			}
			if c.op == "less" {
				n.subtract(o)
			} else if !n.add(o) {
				t.Fatal("not added")
			}
			if diff := cmp.Diff(c.want, string(n.write(nil))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzReadAbout: what is left unread makes no difference to what is subtracted and added.
func FuzzReadAbout(f *testing.F) {
	const has = `{"f:metadata":{"f:labels":{".":{},"f:app":{},"f:tier":{}}},"f:spec":{"f:containers":{"k:{\"name\":\"b\"}":{".":{},"f:image":{}}},"f:nodeName":{}},"f:status":{}}`
	f.Add(has, `{"f:metadata":{"f:labels":{"f:app":{}}}}`, `{"f:spec":{"f:nodeName":{}}}`)
	f.Add(has, `{"f:spec":{}}`, `{"f:spec":{"f:containers":{"k:{\"name\":\"b\"}":{"f:tty":{}}}}}`)
	f.Add(has, `{"f:spec":{"f:containers":{"k:{\"name\":\"b\"}":{".":{},"f:image":{}}}}}`, `{"f:a":{"f:b":{}}}`)
	f.Fuzz(func(t *testing.T, raw, less, more string) {
		n, ok := readSet([]byte(raw))
		a, also := readSet([]byte(less))
		b, too := readSet([]byte(more))
		if !ok || !also || !too {
			return
		}
		part, ok := readAbout([]byte(raw), a, b)
		if !ok {
			t.Fatalf("%s is read as a whole, and not in part", raw)
		}
		if got, want := part.subtract(a), n.subtract(a); got != want {
			t.Errorf("subtracting %s from %s changes it: %t, of the whole: %t", less, raw, got, want)
		}
		if got, want := part.add(b), n.add(b); got != want {
			t.Errorf("adding %s to %s: %t, to the whole: %t", more, raw, got, want)
		}
		if diff := cmp.Diff(string(n.write(nil)), string(part.write(nil))); diff != "" {
			t.Errorf("%s less %s and more %s (-whole +part):\n%s", raw, less, more, diff)
		}
	})
}

// What an update of a hundred thousand keys changes was looked for one by one, and put in one by one: minutes of work.
func TestAttack_SetsOfManyFields(t *testing.T) {
	set := func(first, many int) *node {
		n := &node{}
		for i := first; i < first+many; i++ {
			n.children = append(n.children, node{key: fmt.Sprintf("f:%07d", i), member: true})
		}
		return n
	}
	const many = 200_000
	n := set(0, many)
	if !n.subtract(set(many/2, many)) || len(n.children) != many/2 {
		t.Fatalf("%d fields are left, want %d", len(n.children), many/2)
	}
	if !n.add(set(many/4, many)) || len(n.children) != many/4+many {
		t.Fatalf("there are %d fields, want %d", len(n.children), many/4+many)
	}
	if !slices.IsSortedFunc(n.children, func(a, b node) int { return strings.Compare(a.key, b.key) }) {
		t.Error("they are not in order")
	}
	about := set(0, many)
	if read, ok := readAbout(n.text(), about, about); !ok || len(read.children) != len(n.children) {
		t.Error("they are not read")
	}
}
