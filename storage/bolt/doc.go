// Package bolt keeps a storage.Store in one bbolt file.
//
// The layout is that of a small multi-version store. Three buckets:
//
//   - rev: revision (8 bytes, big endian) -> record of what changed: the log of events, and every value
//   - key: key, a zero byte, revision -> Put or Delete: the revisions of each key
//   - meta: the format, an id, the newest revision and that of the last compaction
//
// Writes of many goroutines are committed together: a committer takes all that wait, writes them to a journal
// beside the file with one fsync, publishes their events in order, and only then answers the writers. An
// acknowledged write survives a kill -9. What the journal holds goes on to bbolt by the hundred, and before
// anybody reads from it.
//
// Nouns: Store, record (an entry of the log), batch (writes that commit together), frame (a batch in the journal), checkpoint, watcher.
// Start reading at Open, then committer.go, pending.go, journal.go and checkpoint.go.
//
// Caveats: values are copied out of the file before a transaction ends. The file does not shrink; pages freed by
// compaction are used again.
package bolt
