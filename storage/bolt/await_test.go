package bolt

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// Writes that come together are made durable together. Nobody waits for what is not on its way, nor long for what is.
func TestAwait(t *testing.T) {
	for name, c := range map[string]struct {
		expected int                      // besides the first write
		then     func(*testing.T, *Store) // once the first one waits, or was made
		waits    bool                     // the first one, for then
		took     time.Duration
	}{
		"one alone": {},
		"one of two that both come": {expected: 1, waits: true, then: func(t *testing.T, s *Store) {
			if _, err := s.Create(t.Context(), "/second", nil); err != nil {
				t.Error(err)
			}
		}},
		"one of two, of which the other gives up":      {expected: 1, waits: true, then: func(_ *testing.T, s *Store) { s.Expect(-1) }},
		"one of two, of which the other does not come": {expected: 1, waits: true, took: linger},
		"one of three, of which one does not come": {expected: 2, waits: true, took: linger, then: func(t *testing.T, s *Store) {
			if _, err := s.Create(t.Context(), "/second", nil); err != nil {
				t.Error(err)
			}
		}},
		"when the store is closed": {expected: 1, waits: true, then: func(t *testing.T, s *Store) {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := Open(filepath.Join(t.TempDir(), "test.db"), Options{NoSync: true})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				s.Expect(1 + c.expected)
				begun := time.Now()
				made := make(chan time.Duration, 1)
				go func() {
					if _, err := s.Create(t.Context(), "/first", nil); err != nil {
						t.Error(err)
					}
					made <- time.Since(begun)
				}()
				synctest.Wait()
				if waits := len(made) == 0; waits != c.waits {
					t.Fatalf("waits: %v", waits)
				}
				if c.then != nil {
					c.then(t, s)
				}
				if took := <-made; took != c.took {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}
