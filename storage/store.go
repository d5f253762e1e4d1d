package storage

import (
	"context"
	"errors"
)

var (
	// ErrNotFound is returned when the key does not exist (or did not, at the revision asked for).
	ErrNotFound = errors.New("key not found")
	// ErrExists is returned when Create finds the key present.
	ErrExists = errors.New("key exists already")
	// ErrConflict is returned when a key's revision is not the one expected by Update or Delete.
	ErrConflict = errors.New("key was changed by somebody else")
	// ErrCompacted is returned when the revision asked for is no longer kept.
	ErrCompacted = errors.New("revision has been compacted")
	// ErrFutureRevision is returned when the revision asked for has not been reached yet.
	ErrFutureRevision = errors.New("revision is in the future")
	// ErrClosed is returned by every call on a Store that was closed.
	ErrClosed = errors.New("store is closed")
)

// CompactedError is ErrCompacted of a watch, and tells up to which revision history is forgotten.
type CompactedError struct{ Revision int64 }

func (e CompactedError) Error() string { return ErrCompacted.Error() }

// Is makes it ErrCompacted.
func (e CompactedError) Is(target error) bool { return target == ErrCompacted }

// FirstRevision is that of an empty store, at which nothing has happened: 0 means "none" to Kubernetes' clients.
const FirstRevision = 1

// KV is the state of one key. Nobody may modify Value: it is shared.
type KV struct {
	Key      string
	Value    []byte
	Created  int64 // revision at which the key came into being
	Revision int64 // revision of its last change
}

// EventType says what happened to a key.
type EventType uint8

const (
	Put EventType = iota + 1
	Delete
)

// Event is one change.
type Event struct {
	Type EventType
	// KV is the state after a Put. For a Delete it is the last state that the key had,
	// with Revision set to that of the deletion.
	KV KV
	// Prev is the state before, nil when the change created the key.
	Prev *KV
}

// Page is part of a listing, taken at one revision.
type Page struct {
	KVs      []KV
	Revision int64 // of the store when the listing was taken; every page of one listing has the same
	More     bool  // keys follow
}

// ListOptions narrow a listing; the zero value lists everything as of now.
type ListOptions struct {
	Revision int64  // 0 means as of now
	From     string // first key to return, "" means the prefix's first
	Limit    int    // at most so many keys, 0 means all
}

// Store keeps values under keys. All methods may be called at the same time from many goroutines.
// Keys sort bytewise. A value is kept as given.
//
// Implementations MUST give every change a revision of its own, greater than all before,
// MUST NOT acknowledge a write before it would survive a kill -9,
// and MUST deliver events in order of revision, without a gap or a repetition.
type Store interface {
	// Get returns the key's present state, or ErrNotFound.
	Get(ctx context.Context, key string) (KV, error)

	// List returns the keys that begin with prefix, in order, all as of one revision.
	// Errors: ErrCompacted, ErrFutureRevision.
	List(ctx context.Context, prefix string, o ListOptions) (Page, error)

	// Create stores a key that must not exist and returns its revision. Errors: ErrExists.
	Create(ctx context.Context, key string, value []byte) (int64, error)

	// Update replaces the value of a key whose revision must be the one given, and returns the new one.
	// Errors: ErrNotFound, ErrConflict.
	Update(ctx context.Context, key string, value []byte, revision int64) (int64, error)

	// Delete removes a key whose revision must be the one given, and returns the deletion's revision.
	// Errors: ErrNotFound, ErrConflict.
	Delete(ctx context.Context, key string, revision int64) (int64, error)

	// Expect tells how many writes more are on their way, or with a negative number that as many have been made or will not come.
	// A store that makes several writes durable at the same cost as one may wait for them, for a moment.
	Expect(writes int)

	// Watch calls the events after the revision given, those of the past first and then each as it is
	// made durable, for keys that begin with prefix. Errors: ErrCompacted, ErrFutureRevision.
	Watch(ctx context.Context, prefix string, after int64) (Watcher, error)

	// Follow calls take with the events after the revision given, of all keys, in order and one call at a time: with those of the past
	// before it returns, and with others until ctx ends, take fails, or the store can tell no more. The channel then says why, once.
	// A store of this process calls take before it answers those whose writes the events are of: take must be quick, and must not
	// wait for the store. Errors: as of Watch and Watcher, and take's.
	Follow(ctx context.Context, after int64, take func([]Event) error) (ended <-chan error, err error)

	// Revision returns the newest revision of which everything before is visible to List and Watch.
	Revision(ctx context.Context) (int64, error)

	// Compact forgets history: afterwards List and Watch before revision answer ErrCompacted.
	// The present state of every key is kept. Compacting at or before an earlier compaction does nothing.
	Compact(ctx context.Context, revision int64) error

	// Close waits for running calls and releases the store. Every watcher ends with ErrClosed.
	Close() error
}

// Watcher is a running watch.
type Watcher interface {
	// Events delivers batches of events in order. It is closed when the watch ends.
	Events() <-chan []Event
	// Err tells, once Events is closed, why: the context's error, ErrClosed, ErrCompacted,
	// or that the reader was too slow.
	Err() error
	// Stop ends the watch and releases it. It may be called more than once.
	Stop()
}
