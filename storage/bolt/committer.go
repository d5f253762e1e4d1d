package bolt

import (
	"context"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"coracle/storage"
)

// write is one change that waits to be committed.
type write struct {
	kind     storage.EventType
	key      string
	value    []byte
	create   bool  // the key must not exist
	expected int64 // else this must be its revision
	compact  int64 // instead of all that: forget what was before

	event *storage.Event // what it became
	err   error
	done  chan struct{}
}

// Create stores a key that does not exist.
func (s *Store) Create(ctx context.Context, key string, value []byte) (int64, error) {
	return s.submit(ctx, &write{kind: storage.Put, key: key, value: value, create: true})
}

// Update replaces a key's value.
func (s *Store) Update(ctx context.Context, key string, value []byte, revision int64) (int64, error) {
	return s.submit(ctx, &write{kind: storage.Put, key: key, value: value, expected: revision})
}

// Delete removes a key.
func (s *Store) Delete(ctx context.Context, key string, revision int64) (int64, error) {
	return s.submit(ctx, &write{kind: storage.Delete, key: key, expected: revision})
}

// submit hands a write to the committer and waits for its fate. A caller whose context ends while the write
// is under way gets the context's error, and cannot know whether it was made: as on any network.
func (s *Store) submit(ctx context.Context, w *write) (int64, error) {
	if w.compact == 0 {
		if err := checkKey(w.key); err != nil {
			return 0, err
		}
	}
	w.done = make(chan struct{})
	select {
	case <-s.closing:
		return 0, storage.ErrClosed
	default:
	}
	select {
	case s.writes <- w:
	case <-s.closing:
		return 0, storage.ErrClosed
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	select {
	case <-w.done:
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-s.committed:
		// Accepted while the store was being closed: by the committer's last batch, or too late for it.
		select {
		case <-w.done:
		default:
			return 0, storage.ErrClosed
		}
	}
	if w.err != nil || w.event == nil {
		return 0, w.err
	}
	return w.event.KV.Revision, nil
}

// maxKey is bbolt's bound on a key, less the revision that stands behind ours.
const maxKey = bolt.MaxKeySize - 9

func checkKey(key string) error {
	if key == "" || len(key) > maxKey {
		return fmt.Errorf("a key has 1 to %d bytes, and this one has %d", maxKey, len(key))
	}
	for i := range len(key) {
		if key[i] == 0 {
			return errors.New("a key holds no zero byte")
		}
	}
	return nil
}

// maxBatch bounds the writes of one transaction, so that the first of them does not wait for ever.
const maxBatch = 4096

// commitLoop commits whatever has gathered while the commit before was under way.
func (s *Store) commitLoop() {
	defer close(s.committed)
	for {
		var batch []*write
		select {
		case w := <-s.writes:
			batch = append(batch, w)
		case <-s.closing:
			s.commit(s.gather(nil)) // those that were accepted before
			return
		}
		s.commit(s.gather(batch))
	}
}

func (s *Store) gather(batch []*write) []*write {
	for len(batch) < maxBatch {
		select {
		case w := <-s.writes:
			batch = append(batch, w)
		default:
			return batch
		}
	}
	return batch
}

// commit makes a batch durable, tells the watchers, and then the writers. A write that fails on its own
// (the key exists, the revision is another) does not disturb the others.
func (s *Store) commit(batch []*write) {
	if len(batch) == 0 {
		return
	}
	var events []storage.Event
	revision := s.revision.Load()
	err := s.db.Update(func(tx *bolt.Tx) error {
		events = events[:0]
		next := revision
		for _, w := range batch {
			w.event, w.err = nil, nil
			if w.compact > 0 {
				if err := compact(tx, w.compact); err != nil {
					return err
				}
				continue
			}
			e, err := apply(tx, w, next+1)
			switch {
			case err == nil:
				next++
				w.event = e
				events = append(events, *e)
			case isExpectation(err):
				w.err = err
			default:
				return err
			}
		}
		if next == revision {
			return nil
		}
		return tx.Bucket(bucketMeta).Put(metaRevision, revisionKey(next))
	})
	if err != nil {
		err = fmt.Errorf("the database could not be written: %w", err)
		for _, w := range batch {
			w.event, w.err = nil, err
		}
	} else {
		for _, w := range batch {
			if w.compact > s.compacted.Load() {
				s.compacted.Store(w.compact)
			}
		}
		s.publish(events)
	}
	for _, w := range batch {
		close(w.done)
	}
}

func isExpectation(err error) bool {
	return errors.Is(err, storage.ErrExists) || errors.Is(err, storage.ErrNotFound) || errors.Is(err, storage.ErrConflict)
}

// apply writes one change at a revision.
func apply(tx *bolt.Tx, w *write, rev int64) (*storage.Event, error) {
	prev, err := latest(tx, w.key, maxRevision)
	exists := err == nil
	switch {
	case err != nil && !errors.Is(err, storage.ErrNotFound):
		return nil, err
	case w.create && exists:
		return nil, storage.ErrExists
	case !w.create && !exists:
		return nil, storage.ErrNotFound
	case !w.create && prev.Revision != w.expected:
		return nil, storage.ErrConflict
	}
	r := record{kind: w.kind, created: rev, key: w.key, value: w.value}
	e := &storage.Event{Type: w.kind, KV: storage.KV{Key: w.key, Value: w.value, Created: rev, Revision: rev}}
	if exists {
		r.created, r.previous = prev.Created, prev.Revision
		e.KV.Created, e.Prev = prev.Created, &prev
	}
	if w.kind == storage.Delete {
		e.KV.Value = prev.Value
	}
	if err := tx.Bucket(bucketRev).Put(revisionKey(rev), r.encode()); err != nil {
		return nil, err
	}
	return e, tx.Bucket(bucketKey).Put(indexKey(w.key, rev), []byte{byte(w.kind)})
}
