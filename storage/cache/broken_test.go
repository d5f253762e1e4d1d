package cache_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"coracle/storage"
	"coracle/storage/cache"
)

// breakable is a store that can be cut off from who follows it, and whose listings can be made to fail.
type breakable struct {
	storage.Store
	mu      sync.Mutex
	cancel  context.CancelFunc
	failing int
	lists   int
}

var errBroken = errors.New("the store is out of reach")

func (b *breakable) Follow(ctx context.Context, after int64, take func([]storage.Event) error) (<-chan error, error) {
	broken, cancel := context.WithCancel(ctx)
	b.mu.Lock()
	b.cancel = cancel
	b.mu.Unlock()
	return b.Store.Follow(broken, after, take)
}

func (b *breakable) List(ctx context.Context, prefix string, o storage.ListOptions) (storage.Page, error) {
	b.mu.Lock()
	b.lists++
	fail := b.failing > 0
	b.failing--
	b.mu.Unlock()
	if fail {
		return storage.Page{}, errBroken
	}
	return b.Store.List(ctx, prefix, o)
}

func (b *breakable) cutOff(failing int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failing = failing
	b.cancel()
}

func TestFollowing_IsBegunAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	synctest.Test(t, func(t *testing.T) {
		store := openStore(t, path)
		b := &breakable{Store: store}
		c := over(t, b, cache.Options{})
		var told []string
		c.Subscribe(pods, func(e *cache.Event) { told = append(told, sentence(e)) })
		a := create(t, c, key("x", "a"), "1").Revision
		gone := create(t, c, key("x", "gone"), "1").Revision
		w := watch(t, c, pods, gone, cache.WatchOptions{})
		told = nil

		// While nothing can be read, somebody writes, and a reader waits for it.
		b.cutOff(3)
		synctest.Wait()
		a2, err := store.Update(t.Context(), key("x", "a"), []byte("2"), a)
		if err != nil {
			t.Fatal(err)
		}
		end, err := store.Delete(t.Context(), key("x", "gone"), gone)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.WaitFor(t.Context(), end); err != nil {
			t.Fatal(err)
		}
		if got, _ := bodies(t, c, pods, 0, "", 0); got != fmt.Sprintf("x/a=2@%d", a2) {
			t.Errorf("there is %s", got)
		}
		if err := ended(t, w); !errors.Is(err, context.Canceled) {
			t.Errorf("the watch that may have missed changes ended with %v", err)
		}
		want := []string{
			fmt.Sprintf("modified x/a 2@%d was 1@%d", a2, a),
			fmt.Sprintf("deleted x/gone 1@%d was 1@%d", gone, gone),
		}
		if diff := cmp.Diff(want, told); diff != "" {
			t.Errorf("the subscriber was told: %s", diff)
		}
		if b.lists > 6 {
			t.Errorf("the store was asked %d times: that is no pause", b.lists)
		}
		create(t, c, key("x", "after"), "1")
		store.Close()
		synctest.Wait()
	})
}
