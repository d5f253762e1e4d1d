package cache_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"coracle/storage"
	"coracle/storage/cache"
)

func TestWatch_FromMemoryAndFromTheStoreTellsTheSame(t *testing.T) {
	for name, events := range map[string]int{"all events are in memory": 1000, "most events are in the store alone": 4} {
		t.Run(name, func(t *testing.T) {
			c, _ := open(t, cache.Options{Events: events})
			a := create(t, c, key("x", "a"), "0")
			after, at := a.Revision, a.Revision
			var want []string
			for i := range 30 {
				next := update(t, c, key("x", "a"), fmt.Sprint(i+1), at).Revision
				want = append(want, fmt.Sprintf("modified x/a %d@%d was %d@%d", i+1, next, i, at))
				at = next
			}
			w := watch(t, c, pods, after, cache.WatchOptions{})
			gone := remove(t, c, key("x", "a"), at).Revision
			want = append(want, fmt.Sprintf("deleted x/a 30@%d was 30@%d", gone, at))
			if diff := cmp.Diff(want, take(t, w, len(want))); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWatch_Scope(t *testing.T) {
	c, _ := open(t, cache.Options{})
	for _, test := range []struct{ name, prefix, want string }{
		{"all namespaces", pods, "x/a x/ab y/a"},
		{"one namespace", pods + "x/", "x/a x/ab"},
		{"one object, not those whose names begin alike", key("x", "a"), "x/a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := watch(t, c, test.prefix, c.Revision(), cache.WatchOptions{})
			var made []string
			for _, k := range []string{key("x", "a"), "/registry/core/podtemplates/x/a", key("x", "ab"), key("y", "a")} {
				create(t, c, k, "1")
				made = append(made, k)
			}
			w.RequestBookmark() // comes behind everything: nothing else can follow unseen
			var got []string
			for _, s := range take(t, w, strings.Count(test.want, " ")+2) {
				if rest, ok := strings.CutPrefix(s, "added "); ok {
					got = append(got, strings.Fields(rest)[0])
				}
			}
			if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
				t.Error(diff)
			}
			for _, k := range made {
				e, _ := c.Get(k)
				remove(t, c, k, e.Revision)
			}
		})
	}
}

func TestWatch_InitialEventsThenTheBookmarkThenChanges(t *testing.T) {
	c, _ := open(t, cache.Options{})
	a := create(t, c, key("x", "a"), "1").Revision
	b := create(t, c, key("x", "b"), "1").Revision
	a2 := update(t, c, key("x", "a"), "2", a).Revision
	w := watch(t, c, pods, 0, cache.WatchOptions{Initial: true})
	other := create(t, c, "/registry/core/nodes/n", "1").Revision
	b2 := update(t, c, key("x", "b"), "2", b).Revision
	w.RequestBookmark()
	want := []string{
		fmt.Sprintf("added x/a 2@%d", a2),
		fmt.Sprintf("added x/b 1@%d", b),
		fmt.Sprintf("all at %d", a2),
		fmt.Sprintf("modified x/b 2@%d was 1@%d", b2, b),
		fmt.Sprintf("bookmark %d", b2),
	}
	if diff := cmp.Diff(want, take(t, w, len(want))); diff != "" {
		t.Error(diff)
	}
	if other >= b2 {
		t.Error("the other resource's event should lie between")
	}
}

func TestWatch_TheFutureIsRefused(t *testing.T) {
	c, _ := open(t, cache.Options{})
	if _, err := c.Watch(t.Context(), pods, c.Revision()+1, cache.WatchOptions{}); !errors.Is(err, storage.ErrFutureRevision) {
		t.Errorf("the error is %v", err)
	}
}

func TestWatch_ASlowReaderIsCutOffAndOthersAreNot(t *testing.T) {
	c, _ := open(t, cache.Options{Queue: 5})
	slow := watch(t, c, pods, c.Revision(), cache.WatchOptions{})
	quick := watch(t, c, pods, c.Revision(), cache.WatchOptions{})
	for i := range 20 {
		create(t, c, key("x", fmt.Sprint(i)), "1")
		if got := take(t, quick, 1); len(got) != 1 {
			t.Fatalf("the quick reader got %v", got)
		}
	}
	if err := ended(t, slow); !errors.Is(err, cache.ErrSlow) {
		t.Errorf("the slow reader's watch ended with %v", err)
	}
}

func TestWatch_ALongBeginningIsNoSlowness(t *testing.T) {
	c, _ := open(t, cache.Options{Queue: 5})
	after := c.Revision()
	for i := range 50 {
		create(t, c, key("x", fmt.Sprintf("%02d", i)), "1")
	}
	for name, w := range map[string]*cache.Watcher{
		"initial events": watch(t, c, pods, 0, cache.WatchOptions{Initial: true}),
		"past events":    watch(t, c, pods, after, cache.WatchOptions{}),
	} {
		create(t, c, key("y", name[:4]), "1")
		if got := take(t, w, 51); len(got) < 51 {
			t.Errorf("%s: %d events", name, len(got))
		}
	}
}

func TestStop_MayBeCalledTwiceAndEndsTheEvents(t *testing.T) {
	c, _ := open(t, cache.Options{})
	w := watch(t, c, pods, c.Revision(), cache.WatchOptions{})
	w.Stop()
	w.Stop()
	create(t, c, key("x", "a"), "1")
	w.RequestBookmark()
	if batch, err := w.Take(); len(batch) != 0 || err != nil {
		t.Errorf("a stopped watch gives %d events and %v", len(batch), err)
	}
}

func TestFrame_IsMadeOncePerTypeForAllWatchers(t *testing.T) {
	c, _ := open(t, cache.Options{})
	one := watch(t, c, pods, c.Revision(), cache.WatchOptions{})
	two := watch(t, c, pods, c.Revision(), cache.WatchOptions{})
	create(t, c, key("x", "a"), "1")
	made := 0
	for _, w := range []*cache.Watcher{one, two} {
		<-w.Ready()
		batch, err := w.Take()
		if err != nil || len(batch) != 1 {
			t.Fatalf("%d events, %v", len(batch), err)
		}
		for range 2 {
			batch[0].Frame(0, cache.Added, func() ([]byte, error) { made++; return []byte("frame"), nil })
		}
	}
	if made != 1 {
		t.Errorf("the frame was made %d times", made)
	}
}

func TestSubscribe_ComesBeforeTheAcknowledgement(t *testing.T) {
	c, _ := open(t, cache.Options{})
	create(t, c, key("x", "before"), "1")
	create(t, c, "/registry/core/nodes/n", "1")
	var told []string
	c.Subscribe(pods, func(e *cache.Event) { told = append(told, sentence(e)) })
	a := create(t, c, key("x", "a"), "1").Revision
	// No lock and no waiting: what is acknowledged has been told.
	if n := len(told); n != 2 {
		t.Fatalf("when the write is acknowledged, the subscriber knows %v", told)
	}
	a2 := update(t, c, key("x", "a"), "2", a).Revision
	gone := remove(t, c, key("x", "a"), a2).Revision
	want := []string{
		fmt.Sprintf("added x/a 1@%d", a),
		fmt.Sprintf("modified x/a 2@%d was 1@%d", a2, a),
		fmt.Sprintf("deleted x/a 2@%d was 2@%d", gone, a2),
	}
	if diff := cmp.Diff(want, told[1:]); diff != "" {
		t.Error(diff)
	}
}
