// Package storage is the contract between Coracle and whatever keeps its objects.
//
// Nouns:
//
//   - Store: ordered keys with values, one revision counter for all of them.
//   - KV: one key's state at one revision.
//   - Event: one change; the log of events outlives a restart.
//   - Revision: a counter that grows by one with every change, and never repeats.
//   - Compaction: forgetting the history at and before a revision.
//
// Values are opaque here: no engine looks into them. Package bolt keeps them in one file,
// package cache serves reads and watches of any Store from memory, and package storagetest
// is the suite that every engine passes.
//
// Start reading at Store.
package storage
