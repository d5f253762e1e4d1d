package catalog

import (
	"slices"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Catalog is the set of kinds being served. Readers see one consistent set and take no lock.
type Catalog struct {
	writing sync.Mutex
	current atomic.Pointer[set]
}

type set struct {
	kinds      []*Kind
	byResource map[schema.GroupVersionResource]*Kind
	byKind     map[schema.GroupVersionKind]*Kind
	deprecated map[*Kind]string // of those kinds alone that are
	generation int64
}

// New returns a catalog of these kinds. Order matters: discovery lists groups and versions in it,
// and the first kind of a storage is the one whose form is stored.
func New(kinds []*Kind) *Catalog {
	c := &Catalog{}
	c.current.Store(newSet(slices.Clone(kinds), 1))
	return c
}

func newSet(kinds []*Kind, generation int64) *set {
	s := &set{
		kinds:      kinds,
		byResource: make(map[schema.GroupVersionResource]*Kind, len(kinds)),
		byKind:     make(map[schema.GroupVersionKind]*Kind, len(kinds)),
		deprecated: map[*Kind]string{},
		generation: generation,
	}
	for _, k := range kinds {
		s.byResource[k.GroupVersion().WithResource(k.Resource)] = k
		if s.byKind[k.GroupVersionKind] == nil {
			s.byKind[k.GroupVersionKind] = k
		}
		if text := k.Deprecation(); text != "" {
			s.deprecated[k] = text
		}
	}
	return s
}

// Kinds returns the rows in order. The slice must not be changed.
func (c *Catalog) Kinds() []*Kind { return c.current.Load().kinds }

// Generation grows with every change, so that whatever is derived from the catalog can be cached.
func (c *Catalog) Generation() int64 { return c.current.Load().generation }

// ByResource finds a kind by its place in the URL, nil for none.
func (c *Catalog) ByResource(gvr schema.GroupVersionResource) *Kind {
	return c.current.Load().byResource[gvr]
}

// ByKind finds a kind by its name, nil for none.
func (c *Catalog) ByKind(gvk schema.GroupVersionKind) *Kind {
	return c.current.Load().byKind[gvk]
}

// Deprecated is the kind's Deprecation, without making an object to ask it.
func (c *Catalog) Deprecated(k *Kind) string { return c.current.Load().deprecated[k] }

// Stored returns the kind whose form is kept for a storage: the first row of that storage.
func (c *Catalog) Stored(gr schema.GroupResource) *Kind {
	for _, k := range c.Kinds() {
		if k.GroupResource() == gr {
			return k
		}
	}
	return nil
}

// Replace swaps the rows for which drop is true for the given ones, in one step.
func (c *Catalog) Replace(drop func(*Kind) bool, add ...*Kind) {
	c.writing.Lock()
	defer c.writing.Unlock()
	old := c.current.Load()
	kinds := make([]*Kind, 0, len(old.kinds)+len(add))
	for _, k := range old.kinds {
		if !drop(k) {
			kinds = append(kinds, k)
		}
	}
	c.current.Store(newSet(append(kinds, add...), old.generation+1))
}
