package cache

import (
	"sync/atomic"

	"coracle/storage"
)

// Codec knows what the values mean.
type Codec interface {
	// Body turns a stored value into the bytes that are served. It is called once per revision.
	Body(kv storage.KV) ([]byte, error)
	// Decode reads a body. It is called when somebody first asks for the object.
	Decode(key string, body []byte) (any, error)
	// Adopt makes of an object whose value was written at a revision what decoding the body would have given.
	Adopt(object any, revision int64)
}

// Entry is the state of one key. It is shared: nobody may change it, nor what Object returns.
type Entry struct {
	Key      string
	Revision int64 // of its last change
	Created  int64
	Body     []byte // as served

	codec  Codec
	object atomic.Pointer[any]
	unused atomic.Bool // nobody has asked for the object since the last round
}

// As is the entry with another body and revision: what it once was, told of later.
func (e *Entry) As(body []byte, revision int64) *Entry {
	return &Entry{Key: e.Key, Revision: revision, Created: e.Created, Body: body, codec: e.codec}
}

// Object is the decoded body. It is decoded when first asked for, and kept for as long as it is the present state, or
// nearly so, and somebody asks for it now and then.
func (e *Entry) Object() (any, error) {
	if e.unused.Load() {
		e.unused.Store(false)
	}
	if v := e.object.Load(); v != nil {
		return *v, nil
	}
	v, err := e.codec.Decode(e.Key, e.Body)
	if err != nil {
		return nil, err
	}
	if !e.object.CompareAndSwap(nil, &v) {
		if shared := e.object.Load(); shared != nil {
			return *shared, nil // somebody else was quicker: all share one
		}
	}
	return v, nil
}

// EventType says what happened to a key, as a watcher sees it.
type EventType uint8

// The types of events.
const (
	Added EventType = iota
	Modified
	Deleted
	// Bookmark says how far the watch has got; the event has no Entry.
	Bookmark
)

// Event is one change. One event is shared by all watchers.
type Event struct {
	Type     EventType
	Entry    *Entry // the new state; of a deletion the last one, at the deletion's revision
	Prev     *Entry // the state before, nil when the change created the key
	Revision int64
	// InitialEnd marks the bookmark behind the initial events of a watch.
	InitialEnd bool

	frames [Forms][Bookmark]atomic.Pointer[[]byte]
}

// Forms is in how many forms an event is told to many: which they are is for those to say who encode.
const Forms = 2

// Frame returns the event's bytes on the wire in a form, when told as being of a type; they are made by the first who asks. An error
// is not kept.
func (e *Event) Frame(form int, as EventType, encode func() ([]byte, error)) ([]byte, error) {
	if b := e.frames[form][as].Load(); b != nil {
		return *b, nil
	}
	b, err := encode()
	if err == nil {
		e.frames[form][as].Store(&b)
	}
	return b, err
}

// NewEntry makes the entry of a key that is in no cache, for those who are to be told of one.
func NewEntry(key string, revision int64, body []byte, codec Codec) *Entry {
	return &Entry{Key: key, Revision: revision, Body: body, codec: codec}
}
