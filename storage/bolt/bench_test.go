package bolt

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// BenchmarkCreate stores 2 KB durably: writers who come together share a commit.
func BenchmarkCreate(b *testing.B) {
	for _, writers := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s, err := Open(filepath.Join(b.TempDir(), "bench.db"), Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			value := make([]byte, 2048)
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ReportAllocs()
			b.ResetTimer()
			for range writers {
				wg.Go(func() {
					for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
						if _, err := s.Create(b.Context(), fmt.Sprintf("/registry/core/pods/ns/%d", i), value); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

// BenchmarkBareCommit is what one durable commit of bbolt costs: the baseline of BenchmarkCreate.
func BenchmarkBareCommit(b *testing.B) {
	db, err := bolt.Open(filepath.Join(b.TempDir(), "bare.db"), 0o600, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	value := make([]byte, 2048)
	for i := 0; b.Loop(); i++ {
		err := db.Update(func(tx *bolt.Tx) error {
			bucket, err := tx.CreateBucketIfNotExists([]byte("bare"))
			if err != nil {
				return err
			}
			return bucket.Put(fmt.Append(nil, i), value)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCreate_AfterMuchWasForgotten: a compaction frees pages by the thousand, and no later write is to pay for them.
func BenchmarkCreate_AfterMuchWasForgotten(b *testing.B) {
	s, err := Open(filepath.Join(b.TempDir(), "bench.db"), Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	value := make([]byte, 2048)
	var wg sync.WaitGroup
	for w := range 64 {
		wg.Go(func() {
			for i := range 1000 {
				k := fmt.Sprintf("/gone/%d-%d", w, i)
				rev, err := s.Create(b.Context(), k, value)
				if err == nil {
					_, err = s.Delete(b.Context(), k, rev)
				}
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	revision, err := s.Revision(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Compact(b.Context(), revision); err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		if _, err := s.Create(b.Context(), fmt.Sprintf("/new/%d", i), value); err != nil {
			b.Fatal(err)
		}
	}
}
