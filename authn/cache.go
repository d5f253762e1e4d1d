package authn

import "sync"

// cache remembers what was costly to find out. It is bounded: when the young half is full, the old half is forgotten.
// Whether what is remembered still holds is for the caller to see, each time.
type cache[K comparable, V any] struct {
	half int // entries in each half

	mu         sync.Mutex // guards the maps
	young, old map[K]V
}

func newCache[K comparable, V any](entries int) *cache[K, V] {
	return &cache[K, V]{half: max(1, entries/2), young: map[K]V{}}
}

func (c *cache[K, V]) get(k K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v, ok := c.young[k]; ok {
		return v, true
	}
	v, ok := c.old[k]
	if ok {
		c.put(k, v) // in use: keep it
	}
	return v, ok
}

func (c *cache[K, V]) set(k K, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(k, v)
}

func (c *cache[K, V]) put(k K, v V) {
	if len(c.young) >= c.half {
		c.old, c.young = c.young, make(map[K]V, c.half)
	}
	c.young[k] = v
}

func (c *cache[K, V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.young, c.old = map[K]V{}, nil
}
