package bolt

import (
	"time"

	bolt "go.etcd.io/bbolt"

	"coracle/storage"
)

// pending is what the journal holds and the database does not yet. The committer alone looks at it: who wants to read the database
// has it brought there first (settled). That is rare: what is asked for all the time, a watch cache keeps.
type pending struct {
	journal journal
	records []logged
	heads   map[string]head // newest state of each key that a record is about
}

// logged is where the record of a revision stands in the journal's image.
type logged struct {
	revision int64
	kind     storage.EventType
	key      string
	from, to int
}

// head is the state of a key; one that was deleted has none.
type head struct {
	kv      storage.KV
	deleted bool
}

const (
	// checkpointBytes is how much may gather before the database gets it: some hundred pods, whose pages are then written once.
	checkpointBytes = 1 << 20
	// checkpointAfter is how long anything may wait.
	checkpointAfter = time.Second
)

func (p *pending) none() bool { return len(p.records) == 0 }
func (p *pending) full() bool { return len(p.journal.image) >= checkpointBytes }

// shrink gives back what a burst of writes needed.
func (p *pending) shrink() {
	p.records, p.heads = nil, nil
	p.journal.shrink()
}

// batch is what is added to pending at a time, wholly or not at all.
type batch struct {
	*pending
	begun  int // where in the journal's image
	before int // number of records
	next   int64
	heads  map[string]head
	events []storage.Event
}

func (p *pending) begin(first int64) *batch {
	return &batch{pending: p, before: len(p.records), next: first}
}

// latest is a key's state after what the batch holds already, nil for none.
func (b *batch) latest(tx *bolt.Tx, key string) (*storage.KV, error) {
	h, ok := b.heads[key]
	if !ok {
		h, ok = b.pending.heads[key]
	}
	if ok {
		if h.deleted {
			return nil, nil
		}
		return &h.kv, nil
	}
	kv, err := latest(tx, key, maxRevision)
	if err != nil {
		return nil, err
	}
	return &kv, nil
}

// add takes a write into the batch, and returns what it becomes.
func (b *batch) add(w *write, prev *storage.KV) *storage.Event {
	rev := b.next
	r := record{kind: w.kind, created: rev, key: w.key, value: w.value}
	e := storage.Event{Type: w.kind, KV: storage.KV{Key: w.key, Value: w.value, Created: rev, Revision: rev}, Prev: prev}
	if prev != nil {
		r.created, r.previous = prev.Created, prev.Revision
		e.KV.Created = prev.Created
	}
	if w.kind == storage.Delete {
		e.KV.Value = prev.Value
	}
	if b.heads == nil {
		b.heads = map[string]head{}
		b.begun = b.journal.begin(rev)
	}
	from, to := b.journal.add(r)
	b.records = append(b.records, logged{revision: rev, kind: w.kind, key: w.key, from: from, to: to})
	b.heads[w.key] = head{kv: e.KV, deleted: w.kind == storage.Delete}
	b.events = append(b.events, e)
	b.next++
	return &e
}

// write makes the batch durable. Without one that changes something there is nothing to write.
func (b *batch) write() error {
	if len(b.events) == 0 {
		return nil
	}
	if err := b.journal.write(b.begun); err != nil {
		return err
	}
	if b.pending.heads == nil {
		b.pending.heads = b.heads
		return nil
	}
	for key, h := range b.heads {
		b.pending.heads[key] = h
	}
	return nil
}

func (b *batch) rollback() {
	if len(b.events) > 0 {
		b.journal.rollback(b.begun)
		b.records = b.records[:b.before]
	}
}
