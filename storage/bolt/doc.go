// Package bolt keeps a storage.Store in one bbolt file.
//
// The layout is that of a small multi-version store. Three buckets:
//
//   - rev: revision (8 bytes, big endian) -> record of what changed: the log of events, and every value
//   - key: key, a zero byte, revision -> Put or Delete: the revisions of each key
//   - meta: the format, the newest revision and that of the last compaction
//
// Writes of many goroutines are committed together: a committer takes all that wait, runs them in one
// transaction with one fsync, publishes their events in order, and only then answers the writers. An
// acknowledged write survives a kill -9.
//
// Nouns: Store, record (an entry of the log), batch (writes that commit together), watcher.
// Start reading at Open, then committer.go.
//
// Caveats: values are copied out of the file before a transaction ends. The file does not shrink; pages freed by
// compaction are used again.
package bolt
