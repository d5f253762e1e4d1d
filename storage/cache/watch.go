package cache

import (
	"context"
	"errors"
	"sort"
	"strings"
	"sync"

	"coracle/storage"
)

// ErrSlow ends a watch whose reader does not keep up.
var ErrSlow = errors.New("the watch was ended: its reader is too slow")

// WatchOptions change how a watch begins.
type WatchOptions struct {
	// Initial: first an Added event for every key there is, and a bookmark with InitialEnd.
	Initial bool
}

// Watcher is a running watch: a queue that the cache fills and the reader takes from.
type Watcher struct {
	cache  *Cache
	prefix string
	exact  bool
	of     string // the resource it is registered under
	limit  int
	ready  chan struct{}
	cancel context.CancelFunc // of a watch that reads the store itself

	mu      sync.Mutex
	queue   []*Event
	reached int64 // revision of the newest event that was offered or passed over
	ended   error
	stopped bool
}

// Watch streams the changes of the keys under a prefix (three segments or more, and a slash), or of one key: those after a
// revision, or, with Initial, what there is and then the changes.
// Errors: storage.ErrCompacted, storage.ErrFutureRevision, storage.ErrClosed.
func (c *Cache) Watch(ctx context.Context, prefix string, after int64, o WatchOptions) (*Watcher, error) {
	if err := c.Sync(ctx); err != nil {
		return nil, err
	}
	w := &Watcher{
		cache: c, prefix: prefix, exact: !strings.HasSuffix(prefix, "/"), of: resource(prefix),
		limit: c.options.Queue, ready: make(chan struct{}, 1),
	}
	err := w.register(after, o)
	if errors.Is(err, errBeforeRing) {
		err = w.fromStore(ctx, after)
	}
	if err != nil {
		return nil, err
	}
	return w, nil
}

// errBeforeRing says that a watch begins before the events that are kept in memory.
var errBeforeRing = errors.New("before the ring")

// register queues what a watch begins with, and lets the cache know of it.
func (w *Watcher) register(after int64, o WatchOptions) error {
	c := w.cache
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.failed != nil:
		return c.failed
	case o.Initial:
		w.begin()
	case after > c.revision:
		return storage.ErrFutureRevision
	case after < c.floor:
		return errBeforeRing
	default:
		first := sort.Search(len(c.ring), func(i int) bool { return c.ring[i].Revision > after })
		for _, e := range c.ring[first:] {
			if w.wants(e.Entry.Key) {
				w.queue = append(w.queue, e)
			}
		}
	}
	w.limit += len(w.queue) // what a watch begins with is no sign of a slow reader
	w.reached = c.revision
	w.signal()
	if c.watchers[w.of] == nil {
		c.watchers[w.of] = map[*Watcher]struct{}{}
	}
	c.watchers[w.of][w] = struct{}{}
	return nil
}

// begin queues what there is. The cache is locked.
func (w *Watcher) begin() {
	c := w.cache
	c.tree.AscendGreaterOrEqual(&Entry{Key: w.prefix}, func(e *Entry) bool {
		if !strings.HasPrefix(e.Key, w.prefix) {
			return false
		}
		if w.wants(e.Key) {
			w.queue = append(w.queue, &Event{Type: Added, Entry: e, Revision: e.Revision})
		}
		return true
	})
	w.queue = append(w.queue, &Event{Type: Bookmark, Revision: c.revision, InitialEnd: true})
}

// fromStore follows the store itself: for a watch that begins before what the ring holds.
func (w *Watcher) fromStore(ctx context.Context, after int64) error {
	ctx, w.cancel = context.WithCancel(ctx)
	sw, err := w.cache.store.Watch(ctx, w.prefix, after)
	if err != nil {
		w.cancel()
		return err
	}
	w.limit += 1 << 20 // the past comes at once
	w.reached = after
	go func() {
		defer sw.Stop()
		w.end(w.follow(ctx, sw))
	}()
	return nil
}

// follow queues what the store tells, once the cache knows it too: who has seen a change can read it.
func (w *Watcher) follow(ctx context.Context, sw storage.Watcher) error {
	for {
		select {
		case <-w.cache.done:
			return w.cache.err()
		case batch, ok := <-sw.Events():
			if !ok {
				return sw.Err()
			}
			for _, se := range batch {
				if err := w.cache.WaitFor(ctx, se.KV.Revision); err != nil {
					return err
				}
				e, err := w.cache.event(se, func(string) *Entry { return nil })
				if err != nil {
					return err
				}
				w.offer(e)
			}
		}
	}
}

func (w *Watcher) wants(key string) bool {
	if w.exact {
		return key == w.prefix
	}
	return strings.HasPrefix(key, w.prefix)
}

// offer queues an event if it is one of the watch's.
func (w *Watcher) offer(e *Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reached = e.Revision
	if w.ended != nil || w.stopped || !w.wants(e.Entry.Key) {
		return
	}
	if len(w.queue) >= w.limit {
		w.queue, w.ended = nil, ErrSlow
	} else {
		w.queue = append(w.queue, e)
	}
	w.signal()
}

func (w *Watcher) signal() {
	select {
	case w.ready <- struct{}{}:
	default:
	}
}

// RequestBookmark queues a bookmark behind all events so far: it tells how far the watch has got even when
// nothing has happened to its keys.
func (w *Watcher) RequestBookmark() {
	c := w.cache
	c.mu.RLock() // holds back further events, so that none before the revision comes after the bookmark
	defer c.mu.RUnlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended != nil || w.stopped {
		return
	}
	revision := c.revision
	if w.cancel != nil {
		revision = w.reached
	}
	if revision > 0 {
		w.queue = append(w.queue, &Event{Type: Bookmark, Revision: revision})
		w.signal()
	}
}

// Ready receives when there is something to take.
func (w *Watcher) Ready() <-chan struct{} { return w.ready }

// Take returns the events that wait, in order, and an error when the watch has ended and none wait any more:
// ErrSlow, storage.ErrClosed, or what broke it.
func (w *Watcher) Take() ([]*Event, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	batch := w.queue
	w.queue = nil
	if len(batch) == 0 {
		return nil, w.ended
	}
	if w.ended != nil {
		w.signal()
	}
	if w.limit > w.cache.options.Queue {
		w.limit = max(w.cache.options.Queue, w.limit-len(batch))
	}
	return batch, nil
}

// Stop ends the watch. It may be called more than once.
func (w *Watcher) Stop() {
	c := w.cache
	c.mu.Lock()
	if set := c.watchers[w.of]; set != nil {
		delete(set, w)
		if len(set) == 0 {
			delete(c.watchers, w.of)
		}
	}
	c.mu.Unlock()
	w.mu.Lock()
	w.stopped, w.queue = true, nil
	w.mu.Unlock()
	if w.cancel != nil {
		w.cancel()
	}
}

func (w *Watcher) end(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended == nil {
		w.ended = err
	}
	w.signal()
}

// endWatches ends every watch.
func (c *Cache) endWatches(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, set := range c.watchers {
		for w := range set {
			w.end(err)
		}
	}
	clear(c.watchers)
}
