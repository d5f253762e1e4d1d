package rbac

import (
	"hash/maphash"
	"maps"
	"testing"

	"pgregory.net/rapid"
)

func TestPersistent_BehavesLikeAMap(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		m := newPersistent[string, int](maphash.MakeSeed())
		model := map[string]int{}
		type version struct {
			m     persistent[string, int]
			model map[string]int
		}
		var past []version
		keys := rapid.StringMatching(`[a-f]{0,3}`)
		r.Repeat(map[string]func(*rapid.T){
			"set": func(r *rapid.T) {
				k, v := keys.Draw(r, "key"), rapid.Int().Draw(r, "value")
				m, model[k] = m.set(k, v), v
			},
			"without": func(r *rapid.T) {
				k := keys.Draw(r, "key")
				m = m.without(k)
				delete(model, k)
			},
			"keep a version": func(r *rapid.T) { past = append(past, version{m, maps.Clone(model)}) },
			"": func(r *rapid.T) {
				for _, v := range append(past, version{m, model}) {
					if got := maps.Collect(v.m.all()); !maps.Equal(got, v.model) || v.m.len() != len(v.model) {
						t.Fatalf("%d keys %v, want %v", v.m.len(), got, v.model)
					}
					for k, want := range v.model {
						if got, found := v.m.get(k); !found || got != want {
							t.Fatalf("%q is %d (%v), want %d", k, got, found, want)
						}
					}
				}
			},
		})
	})
}

// Two different keys of the very same hash are too rare to happen in a test of their own accord.
func TestPersistent_KeysOfOneHash(t *testing.T) {
	insert := func(n *node[string, int], hash uint64, key string, value int) *node[string, int] {
		return n.with(&entry[string, int]{hash: hash, key: key, value: value}, 0)
	}
	const near = 0xfffffffffffffff7 // shares all but the lowest five bits' way with the others
	root := &node[string, int]{}
	for i, key := range []string{"a", "b", "c"} {
		root = insert(root, ^uint64(0), key, i)
	}
	root = insert(root, near, "d", 3)
	root = insert(root, 1<<63|near, "e", 4)
	root = insert(root, ^uint64(0), "b", 10)
	collect := func(n *node[string, int]) map[string]int {
		all := map[string]int{}
		n.visit(func(k string, v int) bool { all[k] = v; return true })
		return all
	}
	if got, want := collect(root), map[string]int{"a": 0, "b": 10, "c": 2, "d": 3, "e": 4}; !maps.Equal(got, want) {
		t.Fatalf("%v, want %v", got, want)
	}
	less := root.without("b", ^uint64(0), 0).without("d", near, 0)
	if got, want := collect(less), map[string]int{"a": 0, "c": 2, "e": 4}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if len(collect(root)) != 5 {
		t.Error("removing changed the version before")
	}
	empty := less.without("a", ^uint64(0), 0).without("c", ^uint64(0), 0).without("e", 1<<63|near, 0)
	if empty != nil {
		t.Errorf("left over: %v", collect(empty))
	}
}

func TestPersistent_StopsWhenAsked(t *testing.T) {
	m := newPersistent[int, int](maphash.MakeSeed())
	for i := range 100 {
		m = m.set(i, i)
	}
	seen := 0
	for range m.all() {
		if seen++; seen == 3 {
			break
		}
	}
	if seen != 3 {
		t.Errorf("saw %d", seen)
	}
}
