package cache_test

import (
	"context"
	"slices"
	"testing"

	"coracle/storage"
	"coracle/storage/cache"
)

// copying is a store that gives back other bytes than it was given, as one in another process does.
type copying struct{ storage.Store }

func (c copying) Create(ctx context.Context, key string, value []byte) (int64, error) {
	return c.Store.Create(ctx, key, slices.Clone(value))
}

func TestObjects_AreThoseThatWereHandedOver(t *testing.T) {
	c, store := open(t, cache.Options{})
	object := &handed{}
	e, err := c.Create(t.Context(), key("pods", "a"), []byte("0"), object)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := e.Object(); err != nil || got != object || object.revision != e.Revision {
		t.Errorf("the object is %v (%v), adopted at %d; want that which was handed over, at %d", got, err, object.revision, e.Revision)
	}
	if _, err := c.Create(t.Context(), key("pods", "a"), []byte("1"), &handed{}); err == nil {
		t.Error("a key was created twice")
	}
	if e, ok := c.Get(key("pods", "a")); !ok {
		t.Error("the key is gone")
	} else if got, _ := e.Object(); got != object {
		t.Error("a write that failed has left its object")
	}

	other := over(t, copying{store}, cache.Options{})
	e, err = other.Create(t.Context(), key("pods", "b"), []byte("0"), &handed{})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := e.Object(); err != nil || got == object || e.Key+"="+string(e.Body) != got {
		t.Errorf("the object is %v (%v); want what the bytes say", got, err)
	}
}
