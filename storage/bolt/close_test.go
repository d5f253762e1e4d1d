package bolt

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"coracle/storage"
)

// A write that races with Close is either made or refused: its caller never waits for ever.
func TestClose_AnswersEveryWriter(t *testing.T) {
	for round := range 20 {
		path := filepath.Join(t.TempDir(), "test.db")
		s, err := Open(path, Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var mu sync.Mutex
		var made []string
		for w := range 8 {
			wg.Go(func() {
				for i := 0; ; i++ {
					k := fmt.Sprintf("/%d/%d", w, i)
					_, err := s.Create(t.Context(), k, nil)
					if errors.Is(err, storage.ErrClosed) {
						return
					}
					if err != nil {
						t.Errorf("create: %v", err)
						return
					}
					mu.Lock()
					made = append(made, k)
					mu.Unlock()
				}
			})
		}
		for {
			mu.Lock()
			n := len(made)
			mu.Unlock()
			if n > round {
				break
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		again, err := Open(path, Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range made {
			if _, err := again.Get(t.Context(), k); err != nil {
				t.Errorf("%s was acknowledged: %v", k, err)
			}
		}
		again.Close()
	}
}

// A listing may be newer than what watchers have been told; a watch from it begins all the same.
func TestWatch_CanBeginWhereAListingEnds(t *testing.T) {
	s := open(t)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
				s.Create(t.Context(), fmt.Sprintf("/%d", i), nil)
			}
		}
	})
	for range 200 {
		page, err := s.List(t.Context(), "/", storage.ListOptions{Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		w, err := s.Watch(t.Context(), "/", page.Revision)
		if err != nil {
			t.Fatalf("from revision %d, which was listed: %v", page.Revision, err)
		}
		if batch := <-w.Events(); batch[0].KV.Revision != page.Revision+1 {
			t.Errorf("after %d comes %d", page.Revision, batch[0].KV.Revision)
		}
		w.Stop()
	}
	close(done)
	wg.Wait()
}
