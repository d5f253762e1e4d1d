package cache_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"coracle/storage"
	"coracle/storage/cache"
)

func TestWrites_CanBeReadWhenTheyAreAcknowledged(t *testing.T) {
	c, _ := open(t, cache.Options{})
	a := key("ns", "a")
	e := create(t, c, a, "1")
	if got, ok := c.Get(a); !ok || got != e {
		t.Fatalf("after the creation one reads %+v", got)
	}
	next := update(t, c, a, "2", e.Revision)
	if got, _ := c.Get(a); string(got.Body) != fmt.Sprintf("2@%d", next.Revision) || got.Created != e.Revision {
		t.Errorf("after the update one reads %s, created at %d", got.Body, got.Created)
	}
	gone := remove(t, c, a, next.Revision)
	if _, ok := c.Get(a); ok {
		t.Error("after the deletion it is still there")
	}
	if gone.Revision != next.Revision+1 {
		t.Errorf("the deletion has revision %d, want %d", gone.Revision, next.Revision+1)
	}
}

func TestWrites_ThatFailSayWhy(t *testing.T) {
	c, _ := open(t, cache.Options{})
	a, none := key("ns", "a"), key("ns", "none")
	e := create(t, c, a, "1")
	_, exists := c.Create(t.Context(), a, nil, nil)
	_, conflict := c.Update(t.Context(), a, nil, nil, e.Revision+7)
	_, missing := c.Update(t.Context(), none, nil, nil, e.Revision)
	_, conflictDelete := c.Delete(t.Context(), a, e.Revision+7)
	_, missingDelete := c.Delete(t.Context(), none, e.Revision)
	for want, got := range map[error][]error{
		storage.ErrExists: {exists}, storage.ErrConflict: {conflict, conflictDelete}, storage.ErrNotFound: {missing, missingDelete},
	} {
		for _, err := range got {
			if !errors.Is(err, want) {
				t.Errorf("the error is %v, want %v", err, want)
			}
		}
	}
	if got, _ := c.Get(a); got != e {
		t.Error("a failed write changed the key")
	}
}

func TestObject_IsDecodedOnceForAllReaders(t *testing.T) {
	c, _ := open(t, cache.Options{})
	e := create(t, c, key("ns", "a"), "1")
	var wg sync.WaitGroup
	seen := make([]any, 16)
	for i := range seen {
		wg.Go(func() { seen[i], _ = e.Object() })
	}
	wg.Wait()
	want := fmt.Sprintf("%sns/a=1@%d", pods, e.Revision)
	for _, got := range seen {
		if got != want {
			t.Errorf("a reader got %v, want %s", got, want)
		}
	}
}

// bodies renders part of a listing.
func bodies(t *testing.T, c *cache.Cache, prefix string, at int64, from string, limit int) (string, cache.Snapshot) {
	t.Helper()
	s, err := c.ListAt(t.Context(), prefix, at, from, limit)
	if err != nil {
		t.Fatalf("list %s at %d: %v", prefix, at, err)
	}
	var names []string
	for _, e := range s.Entries {
		names = append(names, strings.TrimPrefix(e.Key, pods)+"="+string(e.Body))
	}
	return strings.Join(names, " "), s
}

func TestListAt(t *testing.T) {
	c, _ := open(t, cache.Options{})
	a := create(t, c, key("x", "a"), "1").Revision
	b := create(t, c, key("y", "b"), "1").Revision
	a2 := update(t, c, key("x", "a"), "2", a).Revision
	gone := remove(t, c, key("y", "b"), b).Revision
	create(t, c, "/registry/core/podtemplates/x/t", "not a pod")

	for _, test := range []struct {
		name   string
		prefix string
		at     int64
		want   string
	}{
		{"as of now it shows what there is", pods, 0, fmt.Sprintf("x/a=2@%d", a2)},
		{"a past revision shows what was there then", pods, b, fmt.Sprintf("x/a=1@%d y/b=1@%d", a, b)},
		{"an update is seen from its revision on", pods, a2, fmt.Sprintf("x/a=2@%d y/b=1@%d", a2, b)},
		{"a deletion is seen from its revision on", pods, gone, fmt.Sprintf("x/a=2@%d", a2)},
		{"one namespace at a past revision", pods + "y/", a2, fmt.Sprintf("y/b=1@%d", b)},
		{"a namespace without objects", pods + "z/", 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, s := bodies(t, c, test.prefix, test.at, "", 0)
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if want := max(test.at, 0); want != 0 && s.Revision != want {
				t.Errorf("the listing says it is of %d, want %d", s.Revision, want)
			}
		})
	}
	t.Run("the future is refused", func(t *testing.T) {
		if _, err := c.ListAt(t.Context(), pods, c.Revision()+1, "", 0); !errors.Is(err, storage.ErrFutureRevision) {
			t.Errorf("the error is %v", err)
		}
	})
}

func TestListAt_PagesShowOneRevisionWhateverHappensMeanwhile(t *testing.T) {
	c, _ := open(t, cache.Options{})
	var want []string
	for i := range 10 {
		e := create(t, c, key("x", fmt.Sprintf("%02d", i)), "v")
		want = append(want, fmt.Sprintf("x/%02d=v@%d", i, e.Revision))
	}
	got, s := bodies(t, c, pods, 0, "", 3)
	if !s.More || s.Remaining != 7 {
		t.Errorf("the first page says more=%t remaining=%d", s.More, s.Remaining)
	}
	pages := []string{got}
	for i := 0; s.More; i++ {
		at, last := s.Revision, s.Entries[len(s.Entries)-1].Key
		// The next page's first key goes, and a new key comes.
		first := key("x", fmt.Sprintf("%02d", 3*(i+1)))
		if e, ok := c.Get(first); ok {
			remove(t, c, first, e.Revision)
		}
		create(t, c, key("x", fmt.Sprintf("%02d-later", 3*(i+1))), "v")
		if got, s = bodies(t, c, pods, at, last+"\x00", 3); s.Revision != at {
			t.Fatalf("page %d is of revision %d, want %d", i+2, s.Revision, at)
		}
		pages = append(pages, got)
	}
	if diff := cmp.Diff(strings.Join(want, " "), strings.Join(pages, " ")); diff != "" {
		t.Error(diff)
	}
}

func TestCompaction_ForgetsThePastAndKeepsThePresent(t *testing.T) {
	c, s := open(t, cache.Options{Events: 4})
	old := create(t, c, key("x", "a"), "1").Revision
	at := old
	for i := range 20 {
		at = update(t, c, key("x", "a"), fmt.Sprint(i), at).Revision
	}
	if err := s.Compact(t.Context(), at-1); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ListAt(t.Context(), pods, old, "", 0); !errors.Is(err, storage.ErrCompacted) {
		t.Errorf("a listing of what was compacted: %v", err)
	}
	if _, err := c.Watch(t.Context(), pods, old, cache.WatchOptions{}); !errors.Is(err, storage.ErrCompacted) {
		t.Errorf("a watch from what was compacted: %v", err)
	}
	if got, _ := bodies(t, c, pods, at-1, "", 0); got != fmt.Sprintf("x/a=18@%d", at-1) {
		t.Errorf("at the compacted revision there is %s", got)
	}
	if got, _ := bodies(t, c, pods, 0, "", 0); got != fmt.Sprintf("x/a=19@%d", at) {
		t.Errorf("now there is %s", got)
	}
}

func TestRestart(t *testing.T) {
	for name, compacted := range map[string]bool{"with the whole log": false, "after a compaction": true} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "test.db")
			store := openStore(t, path)
			c := over(t, store, cache.Options{})
			first := create(t, c, key("x", "a"), "1").Revision
			seen := create(t, c, key("x", "b"), "1").Revision
			second := update(t, c, key("x", "a"), "2", first).Revision
			gone := remove(t, c, key("x", "b"), seen).Revision
			if compacted {
				if err := store.Compact(t.Context(), seen); err != nil {
					t.Fatal(err)
				}
			}
			store.Close()

			again := over(t, openStore(t, path), cache.Options{})
			if got, _ := bodies(t, again, pods, 0, "", 0); got != fmt.Sprintf("x/a=2@%d", second) {
				t.Errorf("there is %s", got)
			}
			// A client that had seen the first two changes goes on as if nothing had happened.
			w := watch(t, again, pods, seen, cache.WatchOptions{})
			third := create(t, again, key("x", "c"), "1").Revision
			want := []string{
				fmt.Sprintf("modified x/a 2@%d was 1@%d", second, first),
				fmt.Sprintf("deleted x/b 1@%d was 1@%d", gone, seen),
				fmt.Sprintf("added x/c 1@%d", third),
			}
			if diff := cmp.Diff(want, take(t, w, 3)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestClosedStore_EndsReadersAndWatches(t *testing.T) {
	c, s := open(t, cache.Options{})
	w := watch(t, c, pods, c.Revision(), cache.WatchOptions{})
	s.Close()
	if err := ended(t, w); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("the watch ended with %v", err)
	}
	if err := c.WaitFor(t.Context(), 1<<40); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("waiting says %v", err)
	}
	if _, err := c.Watch(t.Context(), pods, 0, cache.WatchOptions{}); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("a new watch says %v", err)
	}
	if _, err := c.Create(t.Context(), key("x", "a"), nil, nil); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("a write says %v", err)
	}
}

func TestWriters_ManyAtOnceAreSeenInOneOrder(t *testing.T) {
	c, _ := open(t, cache.Options{Queue: 10_000})
	const writers, each = 8, 40
	watchers := make([]*cache.Watcher, 4)
	for i := range watchers {
		watchers[i] = watch(t, c, pods, c.Revision(), cache.WatchOptions{})
	}
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			own := key("w", fmt.Sprint(i))
			e, err := c.Create(t.Context(), own, []byte("0"), nil)
			for n := 1; n < each && err == nil; n++ {
				if got, ok := c.Get(own); !ok || got.Revision != e.Revision {
					t.Errorf("writer %d reads what is not its own write", i)
				}
				e, err = c.Update(t.Context(), own, fmt.Append(nil, n), nil, e.Revision)
			}
			if err != nil {
				t.Errorf("writer %d: %v", i, err)
			}
		})
		wg.Go(func() { // readers see listings that never mix revisions
			for range each {
				s, err := c.ListAt(t.Context(), pods, 0, "", 0)
				if err != nil {
					t.Errorf("list: %v", err)
				}
				for _, e := range s.Entries {
					if e.Revision > s.Revision {
						t.Errorf("a listing of %d holds %s of %d", s.Revision, e.Key, e.Revision)
					}
				}
			}
		})
	}
	wg.Wait()
	first := take(t, watchers[0], writers*each)
	for i, w := range watchers[1:] {
		if diff := cmp.Diff(first, take(t, w, writers*each)); diff != "" {
			t.Errorf("watcher %d saw another order: %s", i+1, diff)
		}
	}
}
