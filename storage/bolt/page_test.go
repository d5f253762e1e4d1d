package bolt

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"
)

// A file keeps the size of page that it was made with, and opens if one of its two metas is broken, wherever the other one is.
func TestOpen_WithPagesOfAnySize(t *testing.T) {
	for name, size := range map[string]int{"as new files have": newPage, "as files of before have": 4 << 10, "tiny": 1 << 10} {
		for part, broken := range map[string]func(b []byte){
			"whole":                    func([]byte) {},
			"the first meta is broken": func(b []byte) { clear(b[:pageHeader+metaLength]) },
			"the other one is":         func(b []byte) { clear(b[size : size+pageHeader+metaLength]) },
		} {
			t.Run(name+"/"+part, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "test.db")
				db, err := bolt.Open(path, 0o600, &bolt.Options{PageSize: size})
				if err != nil {
					t.Fatal(err)
				}
				db.Close()
				for _, key := range []string{"/a", "/b"} {
					s, err := Open(path, Options{NoSync: true})
					if err != nil {
						t.Fatal(err)
					}
					if _, err := s.Create(t.Context(), key, []byte("v")); err != nil {
						t.Fatal(err)
					}
					s.Close()
				}
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				broken(b)
				if err := os.WriteFile(path, b, 0o600); err != nil {
					t.Fatal(err)
				}
				s, err := Open(path, Options{NoSync: true})
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				if s.db.Info().PageSize != size {
					t.Errorf("pages have %d bytes, want %d", s.db.Info().PageSize, size)
				}
				// The meta that is left may be that of the commit before: closing writes the list of free pages last.
				if diff := cmp.Diff(map[string]string{"/a": "v", "/b": "v"}, contents(t, s)); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

func TestOpen_NewFilesHaveLargePages(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "test.db"), Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := s.db.Info().PageSize; got != newPage {
		t.Errorf("pages have %d bytes, want %d", got, newPage)
	}
}
