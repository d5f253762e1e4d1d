package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"
)

// checkpoint brings what the journal holds into the database, in one transaction. When it fails nothing is lost: the journal
// keeps it, for the next attempt or the next start.
func (s *Store) checkpoint() error {
	p := &s.pending
	if p.none() {
		return nil
	}
	err := s.db.Update(func(tx *bolt.Tx) error {
		for _, l := range p.records {
			if err := put(tx, l, p.journal.image[l.from:l.to]); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketMeta).Put(metaRevision, revisionKey(p.records[len(p.records)-1].revision))
	})
	if err != nil {
		return unwritten(err)
	}
	p.records = p.records[:0]
	clear(p.heads)
	p.journal.empty()
	s.behind.Store(false)
	return nil
}

// put writes one record and its entry in the index.
func put(tx *bolt.Tx, l logged, encoded []byte) error {
	log := tx.Bucket(bucketRev)
	log.FillPercent = 1 // keys come in order: nothing is put between them later
	if err := log.Put(revisionKey(l.revision), encoded); err != nil {
		return err
	}
	return tx.Bucket(bucketKey).Put(indexKey(l.key, l.revision), []byte{byte(l.kind)})
}

// settled waits until the database holds all that was acknowledged.
func (s *Store) settled(ctx context.Context) error {
	if !s.behind.Load() {
		return nil
	}
	_, err := s.submit(ctx, &write{settle: true})
	return err
}

// recover brings into the database what a process that was killed has left in the journal.
func (s *Store) recover() error {
	j := &s.pending.journal
	records, err := j.replay(s.revision.Load())
	if err != nil {
		return misplaced(j.path, s.db.Path(), err)
	}
	if len(records) == 0 {
		return nil
	}
	newest := s.revision.Load()
	err = s.db.Update(func(tx *bolt.Tx) error {
		for _, r := range records {
			newest++
			if err := put(tx, logged{revision: newest, kind: r.kind, key: r.key}, r.encode()); err != nil {
				return err
			}
		}
		return tx.Bucket(bucketMeta).Put(metaRevision, revisionKey(newest))
	})
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", s.db.Path(), err)
	}
	s.revision.Store(newest)
	return nil
}

// misplaced words a journal that does not go with its database.
func misplaced(journal, database string, err error) error {
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("%s cannot be opened: permission denied; check who owns it, or choose another directory", journal)
	}
	return fmt.Errorf("%s, which holds the last writes to %s, %w; restore both from one copy, or move it away to go on without these writes",
		journal, database, err)
}
