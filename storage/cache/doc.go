// Package cache serves reads and watches of any storage.Store from memory.
//
// It holds the present state of every key in a tree, and the newest events in a ring. A value is turned into
// the bytes that are served once, when it arrives; those bytes serve every get, list and watch of it. An
// event is framed for the wire once, whoever watches.
//
// Objects are decoded for who asks for them, and kept for as long as somebody asks: not for all keys, since what many small
// pieces of memory cost is paid with each collection of garbage. Who looks at every object of a kind (a selector, a table) has those
// decoded again that nobody else has asked for meanwhile.
//
// Reads are linearizable: all writes of this process go through the cache, and one is acknowledged only when
// its event has arrived. With a store that others write to as well (Options.Shared), a read first asks the store
// how far it has got, and waits for that.
//
// Nouns: Entry (a key's state, shared and never changed), Event, Watcher (a queue of events, bounded),
// Codec (what the values mean). Start reading at Cache, then ingest.go.
package cache
