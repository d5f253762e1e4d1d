package bolt

import (
	"context"
	"errors"
	"fmt"
	"time"

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
	settle   bool  // or: bring everything into the database

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
	if w.compact == 0 && !w.settle {
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

const (
	// maxBatch and maxBatchBytes bound what is made durable at a time, so that the first of many writes does not wait for ever.
	maxBatch      = 4096
	maxBatchBytes = 4 << 20
	// linger is how long a batch waits for writes that are on their way: about what a server with two cores takes to make three ready.
	linger = time.Millisecond
)

// commitLoop makes durable whatever has gathered while the batch before was written.
func (s *Store) commitLoop() {
	defer close(s.committed)
	due := time.NewTimer(checkpointAfter) // a first one finds nothing to do
	defer due.Stop()
	for {
		select {
		case w := <-s.writes:
			idle := s.pending.none()
			s.commit(s.await(s.gather([]*write{w})))
			if idle && !s.pending.none() {
				due.Reset(checkpointAfter)
			}
		case <-due.C:
			if s.pending.none() {
				s.pending.shrink()
				continue
			}
			s.checkpoint() // when it fails the journal holds it all, until the next time
			due.Reset(checkpointAfter)
		case <-s.closing:
			s.commit(s.gather(nil)) // those that were accepted before
			return
		}
	}
}

func (s *Store) gather(batch []*write) []*write {
	size := 0
	for _, w := range batch {
		size += len(w.value)
	}
	for len(batch) < maxBatch && size < maxBatchBytes {
		select {
		case w := <-s.writes:
			batch = append(batch, w)
			size += len(w.value)
		default:
			return batch
		}
	}
	return batch
}

// await adds the writes that are on their way, if they come soon: each batch costs an fsync, however much is in it. Who writes alone
// waits for nobody.
func (s *Store) await(batch []*write) []*write {
	if int64(len(batch)) >= s.expected.Load() {
		return batch
	}
	over := time.NewTimer(linger)
	defer over.Stop()
	for int64(len(batch)) < s.expected.Load() && len(batch) < maxBatch {
		select {
		case w := <-s.writes:
			batch = s.gather(append(batch, w))
		case <-s.fewer:
		case <-over.C:
			return batch
		case <-s.closing:
			return batch
		}
	}
	return batch
}

// Expect tells the committer of writes that are on their way.
func (s *Store) Expect(writes int) {
	s.expected.Add(int64(writes))
	if writes < 0 {
		select {
		case s.fewer <- struct{}{}:
		default:
		}
	}
}

// commit makes a batch durable, tells the watchers, and then the writers. A write that fails on its own
// (the key exists, the revision is another) does not disturb the others.
func (s *Store) commit(batch []*write) {
	events, err := s.log(batch)
	if err != nil {
		err = unwritten(err)
		for _, w := range batch {
			w.event, w.err = nil, err
		}
	}
	s.publish(events)
	for _, w := range batch {
		switch {
		case w.compact > 0:
			w.err = s.compact(w.compact)
		case w.settle:
			w.err = s.checkpoint()
		}
		close(w.done)
	}
}

func unwritten(err error) error { return fmt.Errorf("the database could not be written: %w", err) }

// log writes the changes of a batch to the journal, and returns what has happened.
func (s *Store) log(batch []*write) ([]storage.Event, error) {
	if s.pending.full() {
		if err := s.checkpoint(); err != nil {
			return nil, err
		}
	}
	revision := s.revision.Load()
	b := s.pending.begin(revision + 1)
	err := s.db.View(func(tx *bolt.Tx) error {
		for _, w := range batch {
			if w.compact > 0 || w.settle {
				continue
			}
			prev, err := b.latest(tx, w.key)
			if err != nil && !errors.Is(err, storage.ErrNotFound) {
				return err
			}
			if w.err = w.refused(prev); w.err == nil {
				w.event = b.add(w, prev)
			}
		}
		return nil
	})
	if err == nil {
		err = b.write()
	}
	if err != nil {
		b.rollback()
		return nil, err
	}
	if len(b.events) > 0 {
		s.behind.Store(true)
	}
	return b.events, nil
}

// refused tells why a write cannot be made upon a key's state, nil for none.
func (w *write) refused(prev *storage.KV) error {
	switch {
	case w.create && prev != nil:
		return storage.ErrExists
	case !w.create && prev == nil:
		return storage.ErrNotFound
	case !w.create && prev.Revision != w.expected:
		return storage.ErrConflict
	}
	return nil
}
