package storagetest

import (
	"context"
	"errors"
	"testing"

	"coracle/storage"
)

// following follows s. What is taken comes out of the first channel, the end out of the second.
func following(ctx context.Context, t *testing.T, s storage.Store, after int64, fail func(storage.Event) error) (<-chan storage.Event, <-chan error) {
	t.Helper()
	events := make(chan storage.Event, 10_000)
	ended, err := s.Follow(ctx, after, func(batch []storage.Event) error {
		for _, e := range batch {
			if err := fail(e); err != nil {
				return err
			}
			events <- e
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return events, ended
}

func never(storage.Event) error { return nil }

// followsWriters follows from the middle of the past while others write: nothing is missed, nothing comes twice.
func followsWriters(t *testing.T, s storage.Store) {
	const writers, each = 8, 50
	past := create(t, s, "/past", "v")
	first := create(t, s, "/next", "v")
	writing := createMany(t, s, writers, each)
	ctx, cancel := context.WithCancel(t.Context())
	events, end := following(ctx, t, s, past, never)
	for want := first; want <= first+writers*each; want++ {
		select {
		case e := <-events:
			if e.KV.Revision != want {
				t.Fatalf("revision %d, want %d", e.KV.Revision, want)
			}
		case err := <-end:
			t.Fatalf("ended before revision %d: %v", want, err)
		}
	}
	writing.Wait()
	cancel()
	wantErr(t, <-end, context.Canceled)
	create(t, s, "/nobody listens", "v")
	if len(events) > 0 {
		t.Errorf("after its end it took revision %d", (<-events).KV.Revision)
	}
}

func followEnds(t *testing.T, s storage.Store) {
	rev := create(t, s, "/a", "v")
	_, err := s.Follow(t.Context(), rev+1, nil)
	wantErr(t, err, storage.ErrFutureRevision)
	enough := errors.New("enough")
	_, err = s.Follow(t.Context(), rev-1, func([]storage.Event) error { return enough })
	wantErr(t, err, enough)
	events, end := following(t.Context(), t, s, rev-1, func(e storage.Event) error {
		if e.KV.Key == "/b" {
			return enough
		}
		return nil
	})
	if len(events) != 1 {
		t.Errorf("it has taken %d events of the past", len(events))
	}
	create(t, s, "/b", "v") // is none the worse for it
	wantErr(t, <-end, enough)

	update(t, s, "/a", "w", rev)
	if err := s.Compact(t.Context(), create(t, s, "/c", "v")); err != nil {
		t.Fatal(err)
	}
	_, err = s.Follow(t.Context(), rev, nil)
	wantErr(t, err, storage.ErrCompacted)
}

// expects announces writes that do not come.
func expects(t *testing.T, s storage.Store) {
	s.Expect(3)
	create(t, s, "/a", "v")
	s.Expect(-1)
	create(t, s, "/b", "v")
	s.Expect(-2)
	create(t, s, "/c", "v")
}
