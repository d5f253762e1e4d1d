package bolt

import (
	"context"
	"errors"
	"strings"
	"sync"

	bolt "go.etcd.io/bbolt"

	"coracle/storage"
)

// errSlow ends a watch whose reader does not keep up.
var errSlow = errors.New("the watch was ended: its reader is too slow")

// maxQueued bounds the events that wait for one reader.
const maxQueued = 100_000

// watcher is one watch. Events gather in its queue; a goroutine of its own hands them on, so that
// the committer never waits for a reader.
type watcher struct {
	store  *Store
	prefix string
	out    chan []storage.Event
	stop   context.CancelFunc

	mu    sync.Mutex
	queue []storage.Event
	ended error
	wake  chan struct{}
	err   error // why out was closed
}

// Watch delivers the events after a revision.
func (s *Store) Watch(ctx context.Context, prefix string, after int64) (storage.Watcher, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &watcher{store: s, prefix: prefix, out: make(chan []storage.Event), stop: cancel, wake: make(chan struct{}, 1)}

	// Registered first and read from the log second: what is committed in between is in both, and
	// is told apart by its revision.
	s.mu.Lock()
	newest := s.revision.Load()
	if s.closed {
		s.mu.Unlock()
		cancel()
		return nil, storage.ErrClosed
	}
	s.watchers[w] = struct{}{}
	s.mu.Unlock()

	past, err := s.history(ctx, prefix, after, newest)
	if err != nil {
		w.Stop()
		return nil, err
	}
	go w.run(ctx, past, max(after, newest))
	return w, nil
}

// history reads the log after one revision and up to another.
func (s *Store) history(ctx context.Context, prefix string, after, upTo int64) ([]storage.Event, error) {
	var events []storage.Event
	err := s.view(ctx, func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		switch compacted := revisionOf(meta.Get(metaCompacted)); {
		case after < compacted:
			return storage.CompactedError{Revision: compacted}
		case after > revisionOf(meta.Get(metaRevision)): // what is committed can be listed before it is published
			return storage.ErrFutureRevision
		}
		c := tx.Bucket(bucketRev).Cursor()
		for k, v := c.Seek(revisionKey(after + 1)); k != nil && revisionOf(k) <= upTo; k, v = c.Next() {
			rev := revisionOf(k)
			r, err := decode(v)
			if err != nil {
				return err
			}
			if !strings.HasPrefix(r.key, prefix) {
				continue
			}
			e := storage.Event{Type: r.kind, KV: storage.KV{Key: r.key, Value: r.value, Created: r.created, Revision: rev}}
			if r.previous != 0 {
				prev, err := state(tx, r.previous)
				if err != nil {
					return err
				}
				e.Prev = &prev
				if r.kind == storage.Delete {
					e.KV.Value = prev.Value
				}
			}
			events = append(events, e)
		}
		return nil
	})
	return events, err
}

// publish hands committed events to the watchers, in order, and makes their revision the newest.
func (s *Store) publish(events []storage.Event) {
	if len(events) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revision.Store(events[len(events)-1].KV.Revision)
	for w := range s.watchers {
		w.add(events)
	}
	for f := range s.followers {
		if err := f.add(events); err != nil {
			delete(s.followers, f)
			f.failed <- err
		}
	}
}

func (w *watcher) add(events []storage.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended != nil {
		return
	}
	for _, e := range events {
		if strings.HasPrefix(e.KV.Key, w.prefix) {
			w.queue = append(w.queue, e)
		}
	}
	if len(w.queue) > maxQueued {
		w.queue, w.ended = nil, errSlow
	}
	w.signal()
}

func (w *watcher) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run hands on the past, and then what gathers in the queue, except for what the past held already.
func (w *watcher) run(ctx context.Context, past []storage.Event, seen int64) {
	defer close(w.out)
	defer w.Stop()
	for {
		if len(past) > 0 {
			select {
			case w.out <- past:
			case <-ctx.Done():
				w.end(ctx.Err())
				return
			}
		}
		w.mu.Lock()
		past, w.queue = w.queue, nil
		ended := w.ended
		w.mu.Unlock()
		for len(past) > 0 && past[0].KV.Revision <= seen {
			past = past[1:]
		}
		if len(past) > 0 {
			continue
		}
		if ended != nil {
			w.end(ended)
			return
		}
		select {
		case <-w.wake:
		case <-ctx.Done():
			w.end(ctx.Err())
			return
		}
	}
}

func (w *watcher) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended != nil {
		err = w.ended
	}
	w.err = err
}

// Events delivers batches of events in order.
func (w *watcher) Events() <-chan []storage.Event { return w.out }

// Err tells why Events was closed.
func (w *watcher) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Stop ends the watch.
func (w *watcher) Stop() {
	w.store.mu.Lock()
	delete(w.store.watchers, w)
	w.store.mu.Unlock()
	w.stop()
}

// endWatches tells every watcher that the store is closed.
func (s *Store) endWatches() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for w := range s.watchers {
		w.mu.Lock()
		if w.ended == nil {
			w.ended = storage.ErrClosed
		}
		w.signal()
		w.mu.Unlock()
	}
}
