package bolt

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"coracle/storage"
)

var (
	bucketRev  = []byte("rev")
	bucketKey  = []byte("key")
	bucketMeta = []byte("meta")

	metaFormat    = []byte("format")
	metaRevision  = []byte("revision")
	metaCompacted = []byte("compacted")
	metaID        = []byte("id")
)

const (
	// format is the layout's version.
	format = "coracle-2"
	// formatBefore had no journal, and no id.
	formatBefore = "coracle-1"
)

// newPage is the size of a page in a new file, in bytes. A pod with its owners is longer than the usual 4 KiB: each would have two pages
// of its own, and bbolt keeps memory for the next commit of single pages only.
const newPage = 16 << 10

// Options change how a store behaves. The zero value is right for serving.
type Options struct {
	// NoSync leaves out fsync: for tests, where a crash of the machine does not matter.
	NoSync bool
	// LockTimeout is how long to wait for another process to let go of the file. Default: 100 ms.
	LockTimeout time.Duration
}

// Store is a storage.Store in one file.
type Store struct {
	db        *bolt.DB
	revision  atomic.Int64 // newest committed
	compacted atomic.Int64
	pending   pending     // the committer's
	behind    atomic.Bool // there is something pending
	writes    chan *write
	expected  atomic.Int64  // writes that are on their way, those that have come and are not yet made among them
	fewer     chan struct{} // expected has become less
	closing   chan struct{}
	committed chan struct{} // closed when the committer has ended
	closeOnce sync.Once
	closeErr  error

	mu        sync.Mutex // guards what follows, and holds publishing and registering apart
	watchers  map[*watcher]struct{}
	followers map[*follower]struct{}
	closed    bool
}

var _ storage.Store = (*Store)(nil)

// Open opens the store in a file, or makes it. One process at a time can have it open.
// Errors are sentences for the person who named the file.
func Open(path string, o Options) (_ *Store, err error) {
	if o.LockTimeout == 0 {
		o.LockTimeout = 100 * time.Millisecond
	}
	// bbolt panics over some kinds of damage.
	defer func() {
		if p := recover(); p != nil {
			err = damaged(path, fmt.Errorf("%v", p))
		}
	}()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("the directory of %s cannot be made: %w", path, err)
	}
	closed, err := precheck(path)
	if errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("%s cannot be opened: permission denied; check who owns it, or choose another directory", path)
	} else if err != nil {
		return nil, damaged(path, err)
	}
	if !closed {
		if err := rewalk(path, o); err != nil {
			return nil, err
		}
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{
		Timeout:        o.LockTimeout,
		NoSync:         o.NoSync,
		FreelistType:   bolt.FreelistMapType,
		NoFreelistSync: true, // but for Close, see walk
		// A first mapping that is large enough is not replaced while reads are under way.
		InitialMmapSize: 16 << 20,
		PageSize:        newPage,
	})
	if err != nil {
		return nil, notOpened(path, err)
	}
	s := &Store{
		db:        db,
		writes:    make(chan *write, 1024),
		fewer:     make(chan struct{}, 1),
		closing:   make(chan struct{}),
		committed: make(chan struct{}),
		watchers:  map[*watcher]struct{}{},
		followers: map[*follower]struct{}{},
	}
	s.pending.journal = journal{path: journalPath(path), noSync: o.NoSync}
	if err = s.prepare(path); err == nil {
		err = s.recover()
	}
	if err != nil {
		s.pending.journal.close()
		db.Close()
		return nil, err
	}
	go s.commitLoop()
	return s, nil
}

// rewalk looks at all pages of a file that was not closed. Nobody else writes to it meanwhile.
func rewalk(path string, o Options) error {
	hold, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: o.LockTimeout, ReadOnly: true})
	if err != nil {
		return notOpened(path, err)
	}
	defer hold.Close()
	f, err := os.Open(path)
	if err != nil {
		return notOpened(path, err)
	}
	defer f.Close()
	m, err := newestMeta(f)
	if err == nil {
		err = (&walk{file: f, meta: m}).all()
	}
	if err != nil {
		return damaged(path, err)
	}
	return nil
}

func notOpened(path string, err error) error {
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return fmt.Errorf("%s is in use: another coracle runs on this directory; stop it, or choose another directory", path)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%s cannot be opened: permission denied; check who owns it, or choose another directory", path)
	}
	return damaged(path, err)
}

func damaged(path string, err error) error {
	return fmt.Errorf("%s is damaged or is no database of coracle (%w); restore it from a copy, or move it away to begin anew", path, err)
}

// prepare makes the buckets of a new file, and reads where an old one stands.
func (s *Store) prepare(path string) error {
	var found string // its format, "" for a new file
	id := &s.pending.journal.id
	err := s.db.View(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		if meta == nil {
			if k, _ := tx.Cursor().First(); k != nil {
				return errors.New("it holds other buckets")
			}
			return nil
		}
		found = string(meta.Get(metaFormat))
		if found != format && found != formatBefore {
			return fmt.Errorf("its format is %q, and this program reads %q", found, format)
		}
		if tx.Bucket(bucketRev) == nil || tx.Bucket(bucketKey) == nil {
			return errors.New("it lacks a bucket")
		}
		if copy(id[:], meta.Get(metaID)) != idLength && found == format {
			return errors.New("it lacks its id")
		}
		s.revision.Store(revisionOf(meta.Get(metaRevision)))
		s.compacted.Store(revisionOf(meta.Get(metaCompacted)))
		if k, _ := tx.Bucket(bucketRev).Cursor().Last(); revisionOf(k) > s.revision.Load() {
			return fmt.Errorf("its log goes on after revision %d", s.revision.Load())
		}
		return nil
	})
	if err != nil {
		return damaged(path, err)
	}
	if found == format {
		return nil
	}
	// A journal comes after its database.
	if _, err := os.Lstat(s.pending.journal.path); err == nil {
		return misplaced(s.pending.journal.path, path, errors.New("belongs to another database"))
	}
	if _, err := rand.Read(id[:]); err != nil {
		return err
	}
	err = s.db.Update(func(tx *bolt.Tx) error {
		for _, name := range [][]byte{bucketRev, bucketKey, bucketMeta} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		meta := tx.Bucket(bucketMeta)
		if found == "" {
			s.revision.Store(storage.FirstRevision)
			if err := meta.Put(metaRevision, revisionKey(storage.FirstRevision)); err != nil {
				return err
			}
		}
		return errors.Join(meta.Put(metaID, id[:]), meta.Put(metaFormat, []byte(format)))
	})
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", path, err)
	}
	return nil
}

// Revision returns the newest committed revision.
func (s *Store) Revision(context.Context) (int64, error) {
	select {
	case <-s.closing:
		return 0, storage.ErrClosed
	default:
		return s.revision.Load(), nil
	}
}

// view runs a reading transaction, which sees all that was acknowledged.
func (s *Store) view(ctx context.Context, f func(*bolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.settled(ctx); err != nil {
		return err
	}
	err := s.db.View(f)
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return storage.ErrClosed
	}
	return err
}

// Get returns a key's present state.
func (s *Store) Get(ctx context.Context, key string) (storage.KV, error) {
	var kv storage.KV
	err := s.view(ctx, func(tx *bolt.Tx) error {
		var err error
		kv, err = latest(tx, key, maxRevision)
		return err
	})
	return kv, err
}

const maxRevision = 1<<63 - 1

// latest finds a key's state as of a revision.
func latest(tx *bolt.Tx, key string, at int64) (storage.KV, error) {
	c := tx.Bucket(bucketKey).Cursor()
	// The entry wanted is the last one not after key@at.
	seek := indexKey(key, at)
	k, v := c.Seek(seek)
	if k == nil {
		k, v = c.Last()
	} else if string(k) != string(seek) {
		k, v = c.Prev()
	}
	name, rev, ok := splitIndex(k)
	if !ok || string(name) != key || len(v) != 1 || storage.EventType(v[0]) == storage.Delete {
		return storage.KV{}, storage.ErrNotFound
	}
	return state(tx, rev)
}

// state reads the state that a Put made.
func state(tx *bolt.Tx, rev int64) (storage.KV, error) {
	r, err := decode(tx.Bucket(bucketRev).Get(revisionKey(rev)))
	if err != nil {
		return storage.KV{}, fmt.Errorf("revision %d: %w", rev, err)
	}
	return storage.KV{Key: r.key, Value: r.value, Created: r.created, Revision: rev}, nil
}

// List returns the keys under a prefix, as of now or of a revision.
func (s *Store) List(ctx context.Context, prefix string, o storage.ListOptions) (storage.Page, error) {
	page := storage.Page{Revision: o.Revision}
	err := s.view(ctx, func(tx *bolt.Tx) error {
		// The transaction sees one state: what is newest is read in it.
		newest := revisionOf(tx.Bucket(bucketMeta).Get(metaRevision))
		if page.Revision == 0 {
			page.Revision = newest
		}
		switch {
		case page.Revision > newest:
			return storage.ErrFutureRevision
		case page.Revision < revisionOf(tx.Bucket(bucketMeta).Get(metaCompacted)):
			return storage.ErrCompacted
		}
		return s.scan(ctx, tx, prefix, o, &page)
	})
	if err != nil {
		return storage.Page{}, err
	}
	return page, nil
}

// scan goes from key to key: over a key's revisions it jumps.
func (s *Store) scan(ctx context.Context, tx *bolt.Tx, prefix string, o storage.ListOptions, page *storage.Page) error {
	c := tx.Bucket(bucketKey).Cursor()
	k, _ := c.Seek([]byte(max(prefix, o.From)))
	if after, ok := strings.CutSuffix(o.From, "\x00"); ok && after >= prefix {
		k, _ = c.Seek([]byte(after + "\x01")) // keys hold no zero byte: this is behind all revisions of the key
	}
	for n := 0; k != nil; n++ {
		if n%1024 == 1023 && ctx.Err() != nil {
			return ctx.Err()
		}
		name, _, ok := splitIndex(k)
		if !ok {
			return errRecord
		}
		key := string(name)
		if len(key) < len(prefix) || key[:len(prefix)] != prefix {
			return nil
		}
		kv, err := latest(tx, key, page.Revision)
		switch {
		case errors.Is(err, storage.ErrNotFound):
		case err != nil:
			return err
		case o.Limit > 0 && len(page.KVs) == o.Limit:
			page.More = true
			return nil
		default:
			page.KVs = append(page.KVs, kv)
		}
		k, _ = c.Seek(append([]byte(key), 1)) // past all its revisions
	}
	return nil
}

// Compact forgets the history before a revision.
func (s *Store) Compact(ctx context.Context, revision int64) error {
	if revision > s.revision.Load() {
		return storage.ErrFutureRevision
	}
	_, err := s.submit(ctx, &write{compact: revision})
	return err
}

// compact is the committer's part of it.
func (s *Store) compact(revision int64) error {
	if err := s.checkpoint(); err != nil {
		return err
	}
	if err := s.db.Update(func(tx *bolt.Tx) error { return compact(tx, revision) }); err != nil {
		return unwritten(err)
	}
	s.compacted.Store(max(revision, s.compacted.Load()))
	return nil
}

// compact drops every record that neither a listing at the revision or later, nor an event after it, needs.
func compact(tx *bolt.Tx, revision int64) error {
	meta := tx.Bucket(bucketMeta)
	if revision <= revisionOf(meta.Get(metaCompacted)) {
		return nil
	}
	log, index := tx.Bucket(bucketRev), tx.Bucket(bucketKey)
	var drop [][2][]byte // index entry, log entry
	c := index.Cursor()
	var last []byte // the entry before, of the same key and not after the revision
	for k, v := c.First(); k != nil; k, v = c.Next() {
		name, rev, ok := splitIndex(k)
		if !ok {
			return errRecord
		}
		if rev > revision {
			last = nil
			continue
		}
		if last != nil {
			if before, beforeRev, _ := splitIndex(last); string(before) == string(name) {
				drop = append(drop, [2][]byte{last, revisionKey(beforeRev)})
			}
		}
		last = append([]byte(nil), k...)
		if storage.EventType(v[0]) == storage.Delete {
			drop = append(drop, [2][]byte{last, revisionKey(rev)})
			last = nil
		}
	}
	for _, d := range drop {
		if err := index.Delete(d[0]); err != nil {
			return err
		}
		if err := log.Delete(d[1]); err != nil {
			return err
		}
	}
	return meta.Put(metaCompacted, revisionKey(revision))
}

// Close lets running calls finish, ends every watch with ErrClosed, and releases the file.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		close(s.closing)
		<-s.committed
		s.endWatches()
		s.closeErr = s.release()
	})
	return s.closeErr
}

// release leaves a file that needs no journal. The lock goes last: the next process may begin a journal of its own.
func (s *Store) release() error {
	j := &s.pending.journal
	err := s.checkpoint()
	if err == nil {
		err = s.writeFreelist()
	}
	if err == nil {
		err = j.remove()
	} else {
		j.close()
	}
	return errors.Join(err, s.db.Close())
}

// writeFreelist writes down which pages are free, unless that stands in the file as it is: then the next start need not look.
func (s *Store) writeFreelist() error {
	if closed, err := precheck(s.db.Path()); err == nil && closed {
		return nil
	}
	s.db.NoFreelistSync = false
	return s.db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket(bucketMeta).Put(metaRevision, revisionKey(s.revision.Load()))
	})
}
