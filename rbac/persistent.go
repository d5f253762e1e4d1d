package rbac

import (
	"hash/maphash"
	"iter"
	"math/bits"
)

// persistent is a map that never changes: set and without return another one, which shares all but the few
// nodes on the way to the key. Whoever holds one keeps seeing the world as it was, for free, and readers
// need no lock. The zero value is not usable: start with newPersistent.
//
// It is a hash array mapped trie: five bits of the hash choose the way at each level, so that a look-up
// in 100,000 keys visits four nodes. Source: Bagwell, Ideal Hash Trees (2001).
type persistent[K comparable, V any] struct {
	seed maphash.Seed
	root *node[K, V]
	size int
}

type node[K comparable, V any] struct {
	present uint32      // which of the 32 ways lead somewhere
	ways    []way[K, V] // those, in order
}

// way leads to further nodes or to an entry: one of the two is set.
type way[K comparable, V any] struct {
	node  *node[K, V]
	entry *entry[K, V]
}

type entry[K comparable, V any] struct {
	hash  uint64
	key   K
	value V
	next  *entry[K, V] // another key of the very same hash
}

func newPersistent[K comparable, V any](seed maphash.Seed) persistent[K, V] {
	return persistent[K, V]{seed: seed}
}

const bitsPerLevel = 5

// at returns the bit of the way for a hash at a level, and its index among those present.
func (n *node[K, V]) at(hash uint64, shift uint) (bit uint32, index int) {
	bit = 1 << (hash >> shift & (1<<bitsPerLevel - 1))
	return bit, bits.OnesCount32(n.present & (bit - 1))
}

func (m persistent[K, V]) len() int { return m.size }

func (m persistent[K, V]) get(key K) (value V, found bool) {
	if m.root == nil {
		return value, false
	}
	hash := maphash.Comparable(m.seed, key)
	n := m.root
	for shift := uint(0); ; shift += bitsPerLevel {
		bit, i := n.at(hash, shift)
		if n.present&bit == 0 {
			return value, false
		}
		if w := &n.ways[i]; w.node != nil {
			n = w.node
			continue
		}
		for e := n.ways[i].entry; e != nil; e = e.next {
			if e.key == key {
				return e.value, true
			}
		}
		return value, false
	}
}

func (m persistent[K, V]) set(key K, value V) persistent[K, V] {
	added := &entry[K, V]{hash: maphash.Comparable(m.seed, key), key: key, value: value}
	root := m.root
	if root == nil {
		root = &node[K, V]{}
	}
	if _, found := m.get(key); !found {
		m.size++
	}
	m.root = root.with(added, 0)
	return m
}

func (m persistent[K, V]) without(key K) persistent[K, V] {
	if _, found := m.get(key); !found {
		return m
	}
	m.size--
	m.root = m.root.without(key, maphash.Comparable(m.seed, key), 0)
	return m
}

// all yields every key, in no order.
func (m persistent[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		if m.root != nil {
			m.root.visit(yield)
		}
	}
}

func (n *node[K, V]) visit(yield func(K, V) bool) bool {
	for _, w := range n.ways {
		if w.node != nil {
			if !w.node.visit(yield) {
				return false
			}
			continue
		}
		for e := w.entry; e != nil; e = e.next {
			if !yield(e.key, e.value) {
				return false
			}
		}
	}
	return true
}

func (n *node[K, V]) with(added *entry[K, V], shift uint) *node[K, V] {
	bit, i := n.at(added.hash, shift)
	if n.present&bit == 0 {
		ways := make([]way[K, V], 0, len(n.ways)+1)
		ways = append(ways, n.ways[:i]...)
		ways = append(ways, way[K, V]{entry: added})
		ways = append(ways, n.ways[i:]...)
		return &node[K, V]{present: n.present | bit, ways: ways}
	}
	switch there := n.ways[i]; {
	case there.node != nil:
		return n.replace(i, way[K, V]{node: there.node.with(added, shift+bitsPerLevel)})
	case there.entry.hash == added.hash:
		added.next = there.entry.without(added.key)
		return n.replace(i, way[K, V]{entry: added})
	default: // two hashes that agree so far: go deeper until they part
		deeper := (&node[K, V]{}).with(there.entry, shift+bitsPerLevel)
		return n.replace(i, way[K, V]{node: deeper.with(added, shift+bitsPerLevel)})
	}
}

// without returns the node less the key, nil when nothing is left of it.
func (n *node[K, V]) without(key K, hash uint64, shift uint) *node[K, V] {
	bit, i := n.at(hash, shift)
	there := n.ways[i]
	if there.node != nil {
		there.node = there.node.without(key, hash, shift+bitsPerLevel)
	} else {
		there.entry = there.entry.without(key)
	}
	if there.node != nil || there.entry != nil {
		return n.replace(i, there)
	}
	if len(n.ways) == 1 {
		return nil
	}
	ways := make([]way[K, V], 0, len(n.ways)-1)
	ways = append(ways, n.ways[:i]...)
	ways = append(ways, n.ways[i+1:]...)
	return &node[K, V]{present: n.present &^ bit, ways: ways}
}

func (n *node[K, V]) replace(i int, w way[K, V]) *node[K, V] {
	ways := make([]way[K, V], len(n.ways))
	copy(ways, n.ways)
	ways[i] = w
	return &node[K, V]{present: n.present, ways: ways}
}

// without returns the chain less the key.
func (e *entry[K, V]) without(key K) *entry[K, V] {
	switch {
	case e == nil:
		return nil
	case e.key == key:
		return e.next
	}
	kept := *e
	kept.next = e.next.without(key)
	return &kept
}
