package cache

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/google/btree"

	"coracle/storage"
)

// Options change how a cache behaves. The zero value is right for a store that only this process writes to.
type Options struct {
	// Shared: others write to the store as well, so a read asks it first how far it has got.
	Shared bool
	// Events is how many of the newest events are kept in memory. Default: 10,000.
	Events int
	// Queue bounds the events that wait for one watcher. Default: 10,000.
	Queue int
}

// Cache serves a store from memory. Its methods may be called from many goroutines.
type Cache struct {
	store   storage.Store
	codec   Codec
	options Options
	done    chan struct{} // closed when the cache has stopped

	mu       sync.RWMutex
	tree     *btree.BTreeG[*Entry]
	snapshot *btree.BTreeG[*Entry] // a clone of tree that readers go through, nil when tree has changed since
	revision int64
	ring     []*Event // the newest events, in order
	floor    int64    // all events after this revision are in ring
	watchers map[string]map[*Watcher]struct{}
	hooks    []hook
	waiting  []waiter
	failed   error  // why the cache has stopped
	visited  string // the last key at which the present round has looked, see cool
	left     int    // how many changes are left of it

	written sync.Map // objects of values that are being written, by the address of the value's first byte
}

type hook struct {
	prefix string
	call   func(*Event)
}

type waiter struct {
	revision int64
	reached  chan struct{}
}

const (
	defaultEvents = 10_000
	defaultQueue  = 10_000
)

// New returns a cache filled with the store's present state and its newest events. It stops when ctx ends.
func New(ctx context.Context, store storage.Store, codec Codec, o Options) (*Cache, error) {
	if o.Events == 0 {
		o.Events = defaultEvents
	}
	if o.Queue == 0 {
		o.Queue = defaultQueue
	}
	c := &Cache{
		store: store, codec: codec, options: o, done: make(chan struct{}),
		tree:     newTree(),
		watchers: map[string]map[*Watcher]struct{}{},
	}
	ended, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	go c.run(ctx, ended)
	return c, nil
}

func newTree() *btree.BTreeG[*Entry] {
	return btree.NewG(32, func(a, b *Entry) bool { return a.Key < b.Key })
}

// entry makes the entry of a stored value.
func (c *Cache) entry(kv storage.KV) (*Entry, error) {
	body, err := c.codec.Body(kv)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", kv.Key, err)
	}
	e := &Entry{Key: kv.Key, Revision: kv.Revision, Created: kv.Created, Body: body, codec: c.codec}
	if object, ok := c.written.LoadAndDelete(address(kv.Value)); ok {
		c.codec.Adopt(object, kv.Revision)
		e.object.Store(&object)
	}
	return e, nil
}

// hand keeps a value's object until the value comes back from the store, if the store returns the bytes that it was given. The
// function that it returns forgets the object.
func (c *Cache) hand(value []byte, object any) (forget func()) {
	at := address(value)
	if object == nil || at == nil {
		return func() {}
	}
	c.written.Store(at, object)
	return func() { c.written.Delete(at) }
}

func address(value []byte) *byte {
	if len(value) == 0 {
		return nil
	}
	return &value[0]
}

// Revision is the newest revision that the cache has reached.
func (c *Cache) Revision() int64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.revision
}

// WaitFor returns when the cache has reached a revision.
// Errors: the context's, and why the cache has stopped.
func (c *Cache) WaitFor(ctx context.Context, revision int64) error {
	c.mu.Lock()
	if c.revision >= revision || c.failed != nil {
		err := c.failed
		if c.revision >= revision {
			err = nil
		}
		c.mu.Unlock()
		return err
	}
	reached := make(chan struct{})
	c.waiting = append(c.waiting, waiter{revision, reached})
	c.mu.Unlock()
	select {
	case <-reached:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.done:
		return c.err()
	}
}

func (c *Cache) err() error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.failed
}

// Get returns a key's state, and whether it exists.
func (c *Cache) Get(key string) (*Entry, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.tree.Get(&Entry{Key: key})
}

// Sync waits until what is read is as new as the store was when Sync was called.
// With a store of this process there is nothing to wait for.
func (c *Cache) Sync(ctx context.Context) error {
	if !c.options.Shared {
		return nil
	}
	revision, err := c.store.Revision(ctx)
	if err != nil {
		return err
	}
	return c.WaitFor(ctx, revision)
}

// Snapshot is part of the keys under a prefix, as of one revision.
type Snapshot struct {
	Entries   []*Entry
	Revision  int64
	More      bool
	Remaining int64 // how many keys follow, when that is known
}

// view returns the present state as a tree that changes no more.
func (c *Cache) view() (*btree.BTreeG[*Entry], int64) {
	c.mu.RLock()
	if t := c.snapshot; t != nil {
		defer c.mu.RUnlock()
		return t, c.revision
	}
	c.mu.RUnlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.snapshot == nil {
		c.snapshot = c.tree.Clone() // copies nothing: later writes copy the nodes that they change
	}
	return c.snapshot, c.revision
}

// ListAt returns the keys under a prefix, from a key on and at most limit of them if that is not 0:
// as of now, or as of a past revision if that is not 0.
// Errors: storage.ErrCompacted, storage.ErrFutureRevision.
func (c *Cache) ListAt(ctx context.Context, prefix string, revision int64, from string, limit int) (Snapshot, error) {
	tree, now := c.view()
	if revision != 0 && revision != now {
		return c.listPast(ctx, prefix, revision, from, limit)
	}
	s := Snapshot{Revision: now}
	tree.AscendGreaterOrEqual(&Entry{Key: max(prefix, from)}, func(e *Entry) bool {
		switch {
		case !strings.HasPrefix(e.Key, prefix):
			return false
		case limit > 0 && len(s.Entries) == limit:
			s.More = true
			s.Remaining++
		default:
			s.Entries = append(s.Entries, e)
		}
		return true
	})
	return s, nil
}

// listPast asks the store, which keeps history.
func (c *Cache) listPast(ctx context.Context, prefix string, revision int64, from string, limit int) (Snapshot, error) {
	page, err := c.store.List(ctx, prefix, storage.ListOptions{Revision: revision, From: from, Limit: limit})
	if err != nil {
		return Snapshot{}, err
	}
	s := Snapshot{Revision: page.Revision, More: page.More, Entries: make([]*Entry, len(page.KVs))}
	for i, kv := range page.KVs {
		// What has not changed since is here already.
		if e, ok := c.Get(kv.Key); ok && e.Revision == kv.Revision {
			s.Entries[i] = e
		} else if s.Entries[i], err = c.entry(kv); err != nil {
			return Snapshot{}, err
		}
	}
	return s, nil
}

// Create stores a key that must not exist. The object, if it is not nil, is what decoding the value gives, which is spared then; it
// is the cache's from now on. Errors: storage.ErrExists.
func (c *Cache) Create(ctx context.Context, key string, value []byte, object any) (*Entry, error) {
	defer c.hand(value, object)()
	revision, err := c.store.Create(ctx, key, value)
	return c.arrived(ctx, key, revision, err)
}

// Update replaces a key's value. The object is as for Create. Errors: storage.ErrNotFound, storage.ErrConflict.
func (c *Cache) Update(ctx context.Context, key string, value []byte, object any, expected int64) (*Entry, error) {
	defer c.hand(value, object)()
	revision, err := c.store.Update(ctx, key, value, expected)
	return c.arrived(ctx, key, revision, err)
}

// Delete removes a key and returns its last state. Errors: storage.ErrNotFound, storage.ErrConflict.
func (c *Cache) Delete(ctx context.Context, key string, expected int64) (*Entry, error) {
	last, _ := c.Get(key)
	revision, err := c.store.Delete(ctx, key, expected)
	if err == nil {
		err = c.WaitFor(ctx, revision)
	}
	if err != nil {
		return nil, err
	}
	if last == nil {
		return &Entry{Key: key, Revision: revision, codec: c.codec}, nil
	}
	gone := &Entry{Key: key, Revision: revision, Created: last.Created, Body: last.Body, codec: c.codec}
	return gone, nil
}

// Expect tells the store of writes that are on their way, or with a negative number that they have been made or will not come.
func (c *Cache) Expect(writes int) { c.store.Expect(writes) }

var errVanished = errors.New("the key was changed again at once")

// arrived waits for a write to arrive and returns its entry.
func (c *Cache) arrived(ctx context.Context, key string, revision int64, err error) (*Entry, error) {
	if err == nil {
		err = c.WaitFor(ctx, revision)
	}
	if err != nil {
		return nil, err
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	if e, ok := c.tree.Get(&Entry{Key: key}); ok && e.Revision == revision {
		return e, nil
	}
	// Somebody has changed it since: what was written is in the ring.
	for i := len(c.ring) - 1; i >= 0; i-- {
		if e := c.ring[i]; e.Revision == revision {
			return e.Entry, nil
		}
	}
	return nil, errVanished
}
