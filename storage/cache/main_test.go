package cache_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"coracle/storage"
	"coracle/storage/bolt"
	"coracle/storage/cache"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// plain serves values as they are, with their revision behind: as objects carry their resourceVersion.
type plain struct{}

func (plain) Body(kv storage.KV) ([]byte, error) {
	return fmt.Appendf(nil, "%s@%d", kv.Value, kv.Revision), nil
}

func (plain) Adopt(object any, revision int64) {
	if o, ok := object.(*handed); ok {
		o.revision = revision
	}
}

// handed is an object that a test hands to a cache with its value.
type handed struct{ revision int64 }

func (plain) Decode(key string, body []byte) (any, error) { return key + "=" + string(body), nil }

func openStore(t testing.TB, path string) *bolt.Store {
	t.Helper()
	s, err := bolt.Open(path, bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// over fills a cache from a store. Both end with the test.
func over(t testing.TB, s storage.Store, o cache.Options) *cache.Cache {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	c, err := cache.New(ctx, s, plain{}, o)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		s.Close()
	})
	return c
}

func open(t testing.TB, o cache.Options) (*cache.Cache, *bolt.Store) {
	t.Helper()
	s := openStore(t, filepath.Join(t.TempDir(), "test.db"))
	return over(t, s, o), s
}

const pods = "/registry/core/pods/"

func key(namespace, name string) string { return pods + namespace + "/" + name }

func create(t testing.TB, c *cache.Cache, key, value string) *cache.Entry {
	t.Helper()
	e, err := c.Create(t.Context(), key, []byte(value), nil)
	if err != nil {
		t.Fatalf("create %s: %v", key, err)
	}
	return e
}

func update(t testing.TB, c *cache.Cache, key, value string, at int64) *cache.Entry {
	t.Helper()
	e, err := c.Update(t.Context(), key, []byte(value), nil, at)
	if err != nil {
		t.Fatalf("update %s: %v", key, err)
	}
	return e
}

func remove(t testing.TB, c *cache.Cache, key string, at int64) *cache.Entry {
	t.Helper()
	e, err := c.Delete(t.Context(), key, at)
	if err != nil {
		t.Fatalf("delete %s: %v", key, err)
	}
	return e
}

func watch(t testing.TB, c *cache.Cache, prefix string, after int64, o cache.WatchOptions) *cache.Watcher {
	t.Helper()
	w, err := c.Watch(t.Context(), prefix, after, o)
	if err != nil {
		t.Fatalf("watch %s after %d: %v", prefix, after, err)
	}
	t.Cleanup(w.Stop)
	return w
}

// take reads n events of a watch, as sentences.
func take(t testing.TB, w *cache.Watcher, n int) []string {
	t.Helper()
	var got []string
	for len(got) < n {
		select {
		case <-w.Ready():
		case <-t.Context().Done():
			t.Fatalf("the test ended after %v", got)
		}
		batch, err := w.Take()
		if err != nil {
			t.Fatalf("the watch ended after %v: %v", got, err)
		}
		for _, e := range batch {
			got = append(got, sentence(e))
		}
	}
	return got
}

func sentence(e *cache.Event) string {
	switch {
	case e.InitialEnd:
		return fmt.Sprintf("all at %d", e.Revision)
	case e.Type == cache.Bookmark:
		return fmt.Sprintf("bookmark %d", e.Revision)
	}
	verb := map[cache.EventType]string{cache.Added: "added", cache.Modified: "modified", cache.Deleted: "deleted"}[e.Type]
	text := fmt.Sprintf("%s %s %s", verb, e.Entry.Key[len(pods):], e.Entry.Body)
	if e.Prev != nil {
		text += fmt.Sprintf(" was %s", e.Prev.Body)
	}
	return text
}

// ended reads until a watch ends, and tells why.
func ended(t testing.TB, w *cache.Watcher) error {
	t.Helper()
	for {
		select {
		case <-w.Ready():
		case <-t.Context().Done():
			t.Fatal("the watch has not ended")
		}
		for {
			batch, err := w.Take()
			if err != nil {
				return err
			}
			if len(batch) == 0 {
				break
			}
		}
	}
}
