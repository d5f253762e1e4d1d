package cache_test

import (
	"context"
	"fmt"
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

func TestObjects_OfStatesThatArePastAreLetGo(t *testing.T) {
	c, _ := open(t, cache.Options{})
	object := &handed{}
	first, err := c.Create(t.Context(), key("pods", "a"), []byte("0"), object)
	if err != nil {
		t.Fatal(err)
	}
	kept := &handed{}
	if _, err := c.Create(t.Context(), key("pods", "b"), []byte("0"), kept); err != nil {
		t.Fatal(err)
	}
	for e, n := first, 0; n < 400; n++ {
		if e, err = c.Update(t.Context(), key("pods", "a"), fmt.Append(nil, n), nil, e.Revision); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := first.Object(); err != nil || got == object {
		t.Errorf("the object of a state that is long past is %v (%v), want one decoded anew", got, err)
	}
	if e, ok := c.Get(key("pods", "b")); !ok {
		t.Error("the other key is gone")
	} else if got, _ := e.Object(); got != kept {
		t.Error("the object of a state that holds still was let go")
	}
}

func TestObjects_ThatNobodyAsksForAreLetGo(t *testing.T) {
	c, _ := open(t, cache.Options{})
	forgotten, asked := &handed{}, &handed{}
	for name, object := range map[string]*handed{"forgotten": forgotten, "asked": asked} {
		if _, err := c.Create(t.Context(), key("pods", name), []byte("0"), object); err != nil {
			t.Fatal(err)
		}
	}
	has := func(name string, object *handed) bool {
		t.Helper()
		e, ok := c.Get(key("pods", name))
		if !ok {
			t.Fatalf("%s is gone", name)
		}
		got, err := e.Object()
		if err != nil {
			t.Fatal(err)
		}
		return got == object
	}
	other := create(t, c, key("pods", "other"), "0")
	const changes = 9000 // two rounds
	for n := range changes {
		other = update(t, c, other.Key, fmt.Sprint(n), other.Revision)
		if n%1000 == 0 && !has("asked", asked) {
			t.Fatalf("after %d changes an object was let go that is asked for", n)
		}
	}
	if has("forgotten", forgotten) {
		t.Error("an object that nobody has asked for during thousands of changes is still there")
	}
}
