package bolt

import (
	"fmt"
	"testing"

	bolt "go.etcd.io/bbolt"

	"coracle/storage"
)

// check tells what is wrong with a store's file: bbolt's own pages, and what the two indexes owe each other.
func check(t *testing.T, s *Store) {
	t.Helper()
	err := s.db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("a page: %v", err)
		}
		newest := revisionOf(tx.Bucket(bucketMeta).Get(metaRevision))
		compacted := revisionOf(tx.Bucket(bucketMeta).Get(metaCompacted))
		log, index := tx.Bucket(bucketRev), tx.Bucket(bucketKey)
		next := compacted + 1
		if compacted == 0 {
			next = storage.FirstRevision + 1
		}
		logged := 0
		if err := log.ForEach(func(k, v []byte) error {
			logged++
			rev := revisionOf(k)
			r, err := decode(v)
			switch {
			case err != nil:
				return fmt.Errorf("revision %d: %w", rev, err)
			case rev > compacted && rev != next:
				t.Errorf("after the compaction at %d the log has revision %d, want %d: no gaps", compacted, rev, next)
			case r.previous >= rev || r.created > rev:
				t.Errorf("revision %d comes before its past: created %d, previous %d", rev, r.created, r.previous)
			}
			if rev > compacted {
				next = rev + 1
			}
			if r.previous != 0 && rev > compacted && log.Get(revisionKey(r.previous)) == nil {
				t.Errorf("the state before revision %d is lost", rev)
			}
			if got := index.Get(indexKey(r.key, rev)); len(got) != 1 || storage.EventType(got[0]) != r.kind {
				t.Errorf("revision %d of %s is not in the index", rev, r.key)
			}
			return nil
		}); err != nil {
			return err
		}
		if next != newest+1 {
			t.Errorf("the log ends at %d, and the newest revision is %d", next-1, newest)
		}
		indexed := 0
		if err := index.ForEach(func(k, _ []byte) error {
			indexed++
			_, _, ok := splitIndex(k)
			if !ok {
				return fmt.Errorf("index entry %x: %w", k, errRecord)
			}
			return nil
		}); err != nil {
			return err
		}
		if indexed != logged {
			t.Errorf("%d entries in the index, %d in the log", indexed, logged)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestFile_IsSoundAfterEveryKindOfChange(t *testing.T) {
	s := open(t).(*Store)
	check(t, s)
	keep, err := s.Create(t.Context(), "/keep", []byte("0"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		k := fmt.Sprintf("/k/%d", i%7)
		rev, err := s.Create(t.Context(), k, []byte("v"))
		if err != nil {
			t.Fatal(err)
		}
		if keep, err = s.Update(t.Context(), "/keep", fmt.Append(nil, i), keep); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Delete(t.Context(), k, rev); err != nil {
			t.Fatal(err)
		}
		if i%5 == 4 {
			if err := s.Compact(t.Context(), keep); err != nil {
				t.Fatal(err)
			}
		}
		check(t, s)
	}
}
