// Package memo remembers, within bounds, what was costly to find out.
//
// It holds no opinion on how long something is true: whoever recalls a value must see whether it still holds.
package memo

import "sync"

// Memo is a map that forgets what was not asked for in a while. It is safe for use by many goroutines.
//
// It has two halves. What is new or recalled goes into the young one; when that is full, it becomes the old one, and the
// old one is forgotten.
type Memo[K comparable, V any] struct {
	half int // entries in each half

	mu         sync.Mutex // guards the maps
	young, old map[K]V
}

// New returns an empty memo of at most so many entries.
func New[K comparable, V any](entries int) *Memo[K, V] {
	return &Memo[K, V]{half: max(1, entries/2), young: map[K]V{}}
}

// Get recalls a value.
func (m *Memo[K, V]) Get(k K) (V, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if v, ok := m.young[k]; ok {
		return v, true
	}
	v, ok := m.old[k]
	if ok {
		m.put(k, v)
	}
	return v, ok
}

// Set remembers a value.
func (m *Memo[K, V]) Set(k K, v V) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(k, v)
}

func (m *Memo[K, V]) put(k K, v V) {
	if _, ok := m.young[k]; !ok && len(m.young) >= m.half {
		m.old, m.young = m.young, make(map[K]V, m.half)
	}
	m.young[k] = v
}

// Clear forgets everything.
func (m *Memo[K, V]) Clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.young, m.old = map[K]V{}, nil
}
