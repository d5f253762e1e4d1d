// Package storagetest is the suite that every engine of storage.Store passes.
package storagetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"coracle/storage"
)

// Run runs the suite. open returns an empty store, which it closes when the test ends.
func Run(t *testing.T, open func(t *testing.T) storage.Store) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, s storage.Store)
	}{
		{"a key is created once", createOnce},
		{"an update needs the present revision", updateExpects},
		{"a deletion needs the present revision", deleteExpects},
		{"revisions grow by one with each change", revisions},
		{"a listing shows one revision", listAtRevision},
		{"a listing comes in pages", listPages},
		{"a prefix ends where it says", prefixes},
		{"a watch tells the past and then the present", watch},
		{"a watch tells of its prefix alone", watchPrefix},
		{"who follows misses nothing of what many write", followsWriters},
		{"following ends when it cannot go on", followEnds},
		{"nobody waits long for writes that do not come", expects},
		{"the future cannot be read", future},
		{"compaction forgets history and keeps the present", compaction},
		{"of many writers of one key one wins each time", contention},
		{"writers of many keys do not disturb each other", parallel},
		{"a watch ends with its context", watchContext},
		{"a closed store says so", closed},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

func create(t *testing.T, s storage.Store, key, value string) int64 {
	t.Helper()
	rev, err := s.Create(t.Context(), key, []byte(value))
	if err != nil {
		t.Fatalf("create %s: %v", key, err)
	}
	return rev
}

func update(t *testing.T, s storage.Store, key, value string, at int64) int64 {
	t.Helper()
	rev, err := s.Update(t.Context(), key, []byte(value), at)
	if err != nil {
		t.Fatalf("update %s: %v", key, err)
	}
	return rev
}

func remove(t *testing.T, s storage.Store, key string, at int64) int64 {
	t.Helper()
	rev, err := s.Delete(t.Context(), key, at)
	if err != nil {
		t.Fatalf("delete %s: %v", key, err)
	}
	return rev
}

func wantErr(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("the error is %v, want %v", got, want)
	}
}

func createOnce(t *testing.T, s storage.Store) {
	rev := create(t, s, "/a", "1")
	got, err := s.Get(t.Context(), "/a")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(storage.KV{Key: "/a", Value: []byte("1"), Created: rev, Revision: rev}, got); diff != "" {
		t.Error(diff)
	}
	_, err = s.Create(t.Context(), "/a", []byte("2"))
	wantErr(t, err, storage.ErrExists)
	_, err = s.Get(t.Context(), "/b")
	wantErr(t, err, storage.ErrNotFound)

	// After a deletion the key is free again, and what is made is new.
	remove(t, s, "/a", rev)
	_, err = s.Get(t.Context(), "/a")
	wantErr(t, err, storage.ErrNotFound)
	again := create(t, s, "/a", "3")
	if got, _ := s.Get(t.Context(), "/a"); got.Created != again {
		t.Errorf("it was created at %d, want %d", got.Created, again)
	}
}

func updateExpects(t *testing.T, s storage.Store) {
	rev := create(t, s, "/a", "1")
	next := update(t, s, "/a", "2", rev)
	_, err := s.Update(t.Context(), "/a", []byte("3"), rev)
	wantErr(t, err, storage.ErrConflict)
	_, err = s.Update(t.Context(), "/b", []byte("3"), rev)
	wantErr(t, err, storage.ErrNotFound)
	got, _ := s.Get(t.Context(), "/a")
	if diff := cmp.Diff(storage.KV{Key: "/a", Value: []byte("2"), Created: rev, Revision: next}, got); diff != "" {
		t.Error(diff)
	}
}

func deleteExpects(t *testing.T, s storage.Store) {
	rev := create(t, s, "/a", "1")
	next := update(t, s, "/a", "2", rev)
	_, err := s.Delete(t.Context(), "/a", rev)
	wantErr(t, err, storage.ErrConflict)
	remove(t, s, "/a", next)
	_, err = s.Delete(t.Context(), "/a", next)
	wantErr(t, err, storage.ErrNotFound)
}

func revisions(t *testing.T, s storage.Store) {
	before, err := s.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if rev := create(t, s, fmt.Sprintf("/%d", i), ""); rev != before+int64(i)+1 {
			t.Fatalf("change %d has revision %d, want %d", i, rev, before+int64(i)+1)
		}
	}
	// What fails takes no revision.
	s.Create(t.Context(), "/0", nil)
	if now, _ := s.Revision(t.Context()); now != before+20 {
		t.Errorf("the revision is %d, want %d", now, before+20)
	}
}

// list renders a listing as key=value.
func list(t *testing.T, s storage.Store, prefix string, o storage.ListOptions) ([]string, storage.Page) {
	t.Helper()
	page, err := s.List(t.Context(), prefix, o)
	if err != nil {
		t.Fatalf("list %s %+v: %v", prefix, o, err)
	}
	got := []string{}
	for _, kv := range page.KVs {
		got = append(got, kv.Key+"="+string(kv.Value))
	}
	return got, page
}

func listAtRevision(t *testing.T, s storage.Store) {
	a := create(t, s, "/a", "1")
	b := create(t, s, "/b", "1")
	a2 := update(t, s, "/a", "2", a)
	gone := remove(t, s, "/b", b)
	back := create(t, s, "/b", "3")
	for rev, want := range map[int64][]string{
		a: {"/a=1"}, b: {"/a=1", "/b=1"}, a2: {"/a=2", "/b=1"}, gone: {"/a=2"}, back: {"/a=2", "/b=3"}, 0: {"/a=2", "/b=3"},
	} {
		got, page := list(t, s, "/", storage.ListOptions{Revision: rev})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("at revision %d: %s", rev, diff)
		}
		if rev != 0 && page.Revision != rev {
			t.Errorf("the listing at %d says it is of %d", rev, page.Revision)
		}
	}
}

func listPages(t *testing.T, s storage.Store) {
	var want []string
	for i := range 10 {
		create(t, s, fmt.Sprintf("/p/%02d", i), "v")
		want = append(want, fmt.Sprintf("/p/%02d=v", i))
	}
	create(t, s, "/q/0", "v")
	first, page := list(t, s, "/p/", storage.ListOptions{Limit: 4})
	rev := page.Revision
	create(t, s, "/p/99", "later")
	got := first
	for page.More {
		from := page.KVs[len(page.KVs)-1].Key + "\x00"
		var more []string
		more, page = list(t, s, "/p/", storage.ListOptions{Revision: rev, From: from, Limit: 4})
		if page.Revision != rev {
			t.Fatalf("a later page is of revision %d, the first of %d", page.Revision, rev)
		}
		got = append(got, more...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, page := list(t, s, "/p/", storage.ListOptions{Revision: rev, Limit: 10}); page.More {
		t.Error("a page that holds all says that more follow")
	}
}

func prefixes(t *testing.T, s storage.Store) {
	for _, key := range []string{"/a", "/a/b", "/ab", "/a/b/c", "/b"} {
		create(t, s, key, "v")
	}
	got, _ := list(t, s, "/a/", storage.ListOptions{})
	if diff := cmp.Diff([]string{"/a/b=v", "/a/b/c=v"}, got); diff != "" {
		t.Error(diff)
	}
	if got, _ := list(t, s, "/none/", storage.ListOptions{}); len(got) != 0 {
		t.Errorf("an unused prefix lists %v", got)
	}
}

// follow reads n events.
func follow(t *testing.T, w storage.Watcher, n int) []storage.Event {
	t.Helper()
	var got []storage.Event
	for len(got) < n {
		select {
		case batch, ok := <-w.Events():
			if !ok {
				t.Fatalf("the watch ended after %d events: %v", len(got), w.Err())
			}
			got = append(got, batch...)
		case <-t.Context().Done():
			t.Fatal("the test has ended")
		}
	}
	return got
}

func watch(t *testing.T, s storage.Store) {
	a := create(t, s, "/a", "1")
	a2 := update(t, s, "/a", "2", a)
	w, err := s.Watch(t.Context(), "/", a)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	b := create(t, s, "/b", "1")
	gone := remove(t, s, "/a", a2)
	one := storage.KV{Key: "/a", Value: []byte("1"), Created: a, Revision: a}
	two := storage.KV{Key: "/a", Value: []byte("2"), Created: a, Revision: a2}
	want := []storage.Event{
		{Type: storage.Put, KV: two, Prev: &one},
		{Type: storage.Put, KV: storage.KV{Key: "/b", Value: []byte("1"), Created: b, Revision: b}},
		{Type: storage.Delete, KV: storage.KV{Key: "/a", Value: []byte("2"), Created: a, Revision: gone}, Prev: &two},
	}
	if diff := cmp.Diff(want, follow(t, w, 3)); diff != "" {
		t.Error(diff)
	}
}

func watchPrefix(t *testing.T, s storage.Store) {
	w, err := s.Watch(t.Context(), "/a/", 1)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	for _, key := range []string{"/a", "/a/1", "/b/1", "/ab", "/a/2"} {
		create(t, s, key, "v")
	}
	var got []string
	for _, e := range follow(t, w, 2) {
		got = append(got, e.KV.Key)
	}
	if diff := cmp.Diff([]string{"/a/1", "/a/2"}, got); diff != "" {
		t.Error(diff)
	}
}

func future(t *testing.T, s storage.Store) {
	rev := create(t, s, "/a", "1")
	_, err := s.List(t.Context(), "/", storage.ListOptions{Revision: rev + 1})
	wantErr(t, err, storage.ErrFutureRevision)
	_, err = s.Watch(t.Context(), "/", rev+1)
	wantErr(t, err, storage.ErrFutureRevision)
}

func compaction(t *testing.T, s storage.Store) {
	a := create(t, s, "/a", "1")
	b := create(t, s, "/b", "1")
	a2 := update(t, s, "/a", "2", a)
	remove(t, s, "/b", b)
	at := create(t, s, "/c", "1")
	a3 := update(t, s, "/a", "3", a2)
	if err := s.Compact(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	if err := s.Compact(t.Context(), a); err != nil {
		t.Errorf("compacting what is compacted: %v", err)
	}
	_, err := s.List(t.Context(), "/", storage.ListOptions{Revision: a2})
	wantErr(t, err, storage.ErrCompacted)
	_, err = s.Watch(t.Context(), "/", b)
	wantErr(t, err, storage.ErrCompacted)

	got, _ := list(t, s, "/", storage.ListOptions{Revision: at})
	if diff := cmp.Diff([]string{"/a=2", "/c=1"}, got); diff != "" {
		t.Errorf("at the compacted revision: %s", diff)
	}
	got, _ = list(t, s, "/", storage.ListOptions{})
	if diff := cmp.Diff([]string{"/a=3", "/c=1"}, got); diff != "" {
		t.Errorf("now: %s", diff)
	}
	w, err := s.Watch(t.Context(), "/", at)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	e := follow(t, w, 1)[0]
	if e.KV.Revision != a3 || e.Prev == nil || string(e.Prev.Value) != "2" {
		t.Errorf("the event after the compaction is %+v", e)
	}
}

func contention(t *testing.T, s storage.Store) {
	rev := create(t, s, "/counter", "")
	const writers, rounds = 8, 25
	for range rounds {
		var wg sync.WaitGroup
		won := make(chan int64, writers)
		for range writers {
			wg.Go(func() {
				next, err := s.Update(t.Context(), "/counter", []byte("x"), rev)
				switch {
				case err == nil:
					won <- next
				case !errors.Is(err, storage.ErrConflict):
					t.Errorf("update: %v", err)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("%d writers won", len(won))
		}
		rev = <-won
	}
}

// createMany has many create keys at the same time.
func createMany(t *testing.T, s storage.Store, writers, each int) *sync.WaitGroup {
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for j := range each {
				if _, err := s.Create(t.Context(), fmt.Sprintf("/%d/%d", i, j), []byte("v")); err != nil {
					t.Errorf("create: %v", err)
				}
			}
		})
	}
	return &wg
}

func parallel(t *testing.T, s storage.Store) {
	const writers, each = 16, 50
	before, _ := s.Revision(t.Context())
	w, err := s.Watch(t.Context(), "/", before)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	createMany(t, s, writers, each).Wait()
	events := follow(t, w, writers*each)
	for i, e := range events {
		if want := before + int64(i) + 1; e.KV.Revision != want {
			t.Fatalf("event %d has revision %d, want %d", i, e.KV.Revision, want)
		}
	}
	_, page := list(t, s, "/", storage.ListOptions{})
	inOrder := slices.IsSortedFunc(page.KVs, func(a, b storage.KV) int { return strings.Compare(a.Key, b.Key) })
	if len(page.KVs) != writers*each || !inOrder {
		t.Errorf("%d keys are listed, want %d in order", len(page.KVs), writers*each)
	}
}

func watchContext(t *testing.T, s storage.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	w, err := s.Watch(ctx, "/", 1)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	for range w.Events() {
	}
	wantErr(t, w.Err(), context.Canceled)
	w.Stop()
	w.Stop()
}

func closed(t *testing.T, s storage.Store) {
	w, err := s.Watch(t.Context(), "/", 1)
	if err != nil {
		t.Fatal(err)
	}
	_, end := following(t.Context(), t, s, 1, never)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for range w.Events() {
	}
	wantErr(t, w.Err(), storage.ErrClosed)
	wantErr(t, <-end, storage.ErrClosed)
	_, err = s.Follow(t.Context(), 1, nil)
	wantErr(t, err, storage.ErrClosed)
	_, err = s.Create(t.Context(), "/a", nil)
	wantErr(t, err, storage.ErrClosed)
	_, err = s.Get(t.Context(), "/a")
	wantErr(t, err, storage.ErrClosed)
	_, err = s.Watch(t.Context(), "/", 1)
	wantErr(t, err, storage.ErrClosed)
}
