package cache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"coracle/storage"
)

// begin fills the cache with what the store holds, and has the store tell what happens from there on, until ended says why it does not.
func (c *Cache) begin(ctx context.Context) (ended <-chan error, err error) {
	if err := c.fill(ctx); err != nil {
		return nil, err
	}
	return c.store.Follow(ctx, c.Revision(), c.take)
}

// fill reads the store's present state, and as much of its log as the ring holds, so that watches go on
// where they were before a restart.
func (c *Cache) fill(ctx context.Context) error {
	page, err := c.store.List(ctx, "", storage.ListOptions{})
	if err != nil {
		return err
	}
	entries := make(map[string]*Entry, len(page.KVs))
	for _, kv := range page.KVs {
		e, err := c.entry(kv)
		if err != nil {
			return err
		}
		entries[kv.Key] = e
	}
	ring, floor, err := c.past(ctx, page.Revision, entries)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tellMissed(entries, page.Revision)
	c.tree = newTree()
	for _, e := range entries {
		c.tree.ReplaceOrInsert(e)
	}
	c.snapshot = nil
	c.revision, c.ring, c.floor = page.Revision, ring, floor
	c.wake()
	return nil
}

// tellMissed tells the hooks the difference between what they know and what there is now, after the watch of
// the store broke: one event for each key that is another, the deleted ones last.
func (c *Cache) tellMissed(now map[string]*Entry, revision int64) {
	if len(c.hooks) == 0 {
		return
	}
	var missed []*Event
	for _, e := range now {
		prev, had := c.tree.Get(e)
		switch {
		case !had:
			missed = append(missed, &Event{Type: Added, Entry: e, Revision: e.Revision})
		case prev.Revision != e.Revision:
			missed = append(missed, &Event{Type: Modified, Entry: e, Prev: prev, Revision: e.Revision})
		}
	}
	slices.SortFunc(missed, func(a, b *Event) int { return cmp.Compare(a.Revision, b.Revision) })
	c.tree.Ascend(func(e *Entry) bool {
		if now[e.Key] == nil {
			missed = append(missed, &Event{Type: Deleted, Entry: e, Prev: e, Revision: revision})
		}
		return true
	})
	for _, e := range missed {
		c.tell(e)
	}
}

// tell calls the hooks.
func (c *Cache) tell(e *Event) {
	for _, h := range c.hooks {
		if strings.HasPrefix(e.Entry.Key, h.prefix) {
			h.call(e)
		}
	}
}

// past reads the newest events of the log, up to a revision.
func (c *Cache) past(ctx context.Context, upTo int64, present map[string]*Entry) ([]*Event, int64, error) {
	if upTo <= storage.FirstRevision {
		return nil, upTo, nil
	}
	after := max(upTo-int64(c.options.Events), storage.FirstRevision)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := c.store.Watch(ctx, "", after)
	if errors.Is(err, storage.ErrCompacted) {
		// The log begins somewhere after that: half of what is left until it fits.
		for errors.Is(err, storage.ErrCompacted) && after < upTo {
			after += (upTo - after + 1) / 2
			w, err = c.store.Watch(ctx, "", after)
		}
	}
	if err != nil {
		return nil, 0, err
	}
	defer w.Stop()
	var ring []*Event
	if after == upTo {
		return nil, upTo, nil
	}
	older := map[string]*Entry{}
	for batch := range w.Events() {
		for _, se := range batch {
			if se.KV.Revision > upTo {
				return ring, after, nil
			}
			e, err := c.event(se, func(key string) *Entry { return older[key] })
			if err != nil {
				return nil, 0, err
			}
			if now := present[e.Entry.Key]; now != nil && now.Revision == e.Revision {
				e.Entry = now
			}
			older[e.Entry.Key] = e.Entry
			ring = append(ring, e)
			if se.KV.Revision == upTo {
				return ring, after, nil
			}
		}
	}
	return nil, 0, w.Err()
}

// event makes the event of a change. known finds the entry before, which saves making it again.
func (c *Cache) event(se storage.Event, known func(key string) *Entry) (*Event, error) {
	entry, err := c.entry(se.KV)
	if err != nil {
		return nil, err
	}
	e := &Event{Type: Modified, Entry: entry, Revision: se.KV.Revision}
	if se.Type == storage.Delete {
		e.Type = Deleted
	}
	switch {
	case se.Prev == nil:
		e.Type = Added
	default:
		if prev := known(se.KV.Key); prev != nil && prev.Revision == se.Prev.Revision {
			e.Prev = prev
		} else if e.Prev, err = c.entry(*se.Prev); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// run sees to it that what happens in the store is taken in, until ctx ends or the store is closed.
func (c *Cache) run(ctx context.Context, ended <-chan error) {
	defer close(c.done)
	for {
		err := <-ended
		for err != nil {
			if errors.Is(err, storage.ErrClosed) || ctx.Err() != nil {
				c.fail(storage.ErrClosed)
				return
			}
			// Whoever watches must begin anew: changes may have been missed.
			c.endWatches(fmt.Errorf("the watch of the store broke: %w", err))
			if ended, err = c.begin(ctx); err != nil {
				pause(ctx, retryAfter)
			}
		}
	}
}

// retryAfter is how long to wait when the store cannot be read, before it is tried again.
const retryAfter = 100 * time.Millisecond

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// take is called with what happens in the store, batch by batch.
func (c *Cache) take(batch []storage.Event) error {
	for _, se := range batch {
		e, err := c.event(se, func(key string) *Entry {
			prev, _ := c.Get(key)
			return prev
		})
		if err != nil {
			return err
		}
		c.ingest(e)
	}
	return nil
}

// ingest makes one event visible: to the hooks, to readers, to watchers, and then to those who wait for it.
func (c *Cache) ingest(e *Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tell(e)
	if e.Type == Deleted {
		c.tree.Delete(e.Entry)
	} else {
		c.tree.ReplaceOrInsert(e.Entry)
	}
	c.snapshot = nil
	c.revision = e.Revision
	c.remember(e)
	for w := range c.watchers[resource(e.Entry.Key)] {
		w.offer(e)
	}
	c.wake()
}

// wake tells those who wait for a revision that is reached.
func (c *Cache) wake() {
	still := c.waiting[:0]
	for _, w := range c.waiting {
		if w.revision <= c.revision {
			close(w.reached)
		} else {
			still = append(still, w)
		}
	}
	c.waiting = still
}

// remember keeps the newest events: the older half of a full ring goes at once, so that this costs little.
func (c *Cache) remember(e *Event) {
	if len(c.ring) >= 2*c.options.Events {
		c.floor = c.ring[c.options.Events-1].Revision
		c.ring = append(make([]*Event, 0, 2*c.options.Events), c.ring[c.options.Events:]...)
	}
	c.ring = append(c.ring, e)
	if behind := len(c.ring) - 1 - fresh; behind >= 0 {
		c.forget(c.ring[behind])
	}
	c.cool()
}

// round is in how many changes every key is visited once, to see whether its object is still asked for.
const round = 4096

// cool lets go of objects that nobody has asked for during a round of changes. Decoded, an object is a hundred pieces of memory, each
// of which every collection of garbage looks at, where its bytes are one. With each change as many keys are visited as it takes to
// come round in time.
func (c *Cache) cool() {
	if c.left == 0 {
		c.visited, c.left = "", round
	}
	c.left--
	n := (c.tree.Len() + round - 1) / round
	c.tree.AscendGreaterOrEqual(&Entry{Key: c.visited}, func(e *Entry) bool {
		if e.Key == c.visited {
			return true
		}
		if e.unused.Swap(true) {
			e.object.Store(nil)
		}
		c.visited = e.Key
		n--
		return n > 0
	})
}

// fresh is for how many events objects are kept that are no more: watchers still ask for them.
const fresh = 256

// forget lets go of what was made of an event, and of the decoded objects of states that are past. Whoever asks for one later makes it
// again.
func (c *Cache) forget(e *Event) {
	for form := range e.frames {
		for as := range e.frames[form] {
			e.frames[form][as].Store(nil)
		}
	}
	if e.Prev != nil {
		e.Prev.object.Store(nil)
	}
	if now, ok := c.tree.Get(e.Entry); !ok || now != e.Entry {
		e.Entry.object.Store(nil)
	}
}

// fail ends the cache: what is waited for comes no more.
func (c *Cache) fail(err error) {
	c.mu.Lock()
	c.failed = err
	c.mu.Unlock()
	c.endWatches(err)
}

// Subscribe calls f for every key under a prefix and for every later change, in order, before the change
// can be read and before its writer is told. f must be quick, and must not call the cache.
func (c *Cache) Subscribe(prefix string, f func(*Event)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tree.AscendGreaterOrEqual(&Entry{Key: prefix}, func(e *Entry) bool {
		if !strings.HasPrefix(e.Key, prefix) {
			return false
		}
		f(&Event{Type: Added, Entry: e, Revision: e.Revision})
		return true
	})
	c.hooks = append(c.hooks, hook{prefix, f})
}

// resource is the part of a key that all objects of a kind share: its first three segments.
func resource(key string) string {
	slashes := 0
	for i := range len(key) {
		if key[i] == '/' {
			if slashes++; slashes == 4 {
				return key[:i+1]
			}
		}
	}
	return key
}
