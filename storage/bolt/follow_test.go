package bolt

import (
	"path/filepath"
	"testing"

	"coracle/storage"
)

// Who follows knows of a write before its writer does.
func TestFollow_IsToldFirst(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "test.db"), Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var newest int64 // not guarded: the race detector tells whether it is in order
	if _, err := s.Follow(t.Context(), storage.FirstRevision, func(events []storage.Event) error {
		newest = events[len(events)-1].KV.Revision
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"/a", "/b", "/c"} {
		if rev, err := s.Create(t.Context(), key, nil); err != nil || newest != rev {
			t.Errorf("revision %d is answered, and %d was told (%v)", rev, newest, err)
		}
	}
}
