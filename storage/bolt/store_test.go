package bolt

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"coracle/storage"
	"coracle/storage/storagetest"
)

func open(t *testing.T) storage.Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "test.db"), Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStore(t *testing.T) { storagetest.Run(t, open) }

func TestOpen_SaysWhatIsWrongInOneSentence(t *testing.T) {
	whole := func(t *testing.T) []byte {
		path := filepath.Join(t.TempDir(), "whole.db")
		s, err := Open(path, Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"/a", "/b", "/c"} {
			if _, err := s.Create(t.Context(), key, make([]byte, 9000)); err != nil {
				t.Fatal(err)
			}
		}
		s.Close()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, content := range map[string]func(t *testing.T) []byte{
		"a text file":           func(*testing.T) []byte { return []byte("This is a text file.\n") },
		"a long text file":      func(*testing.T) []byte { return []byte(strings.Repeat("text ", 10000)) },
		"cut after one page":    func(t *testing.T) []byte { return whole(t)[:newPage] },
		"cut after three pages": func(t *testing.T) []byte { return whole(t)[:3*newPage] },
		"metas overwritten": func(t *testing.T) []byte {
			b := whole(t)
			clear(b[:2*newPage])
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "test.db")
			before := content(t)
			if err := os.WriteFile(path, before, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(path, Options{NoSync: true})
			if err == nil {
				s.Close()
				t.Fatal("it opens")
			}
			if msg := err.Error(); !strings.Contains(msg, path) || strings.Contains(msg, "\n") {
				t.Errorf("the error does not name the file in one line: %s", msg)
			}
			after, err := os.ReadFile(path)
			if err != nil || string(after) != string(before) {
				t.Error("the file was changed")
			}
		})
	}
	t.Run("in use", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "test.db")
		first, err := Open(path, Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer first.Close()
		if _, err := Open(path, Options{}); err == nil || !strings.Contains(err.Error(), "another coracle runs on this directory") {
			t.Errorf("the second Open says %v", err)
		}
	})
}

// FuzzDecode: no bytes make the decoder panic, and what it reads it writes again the same.
func FuzzDecode(f *testing.F) {
	f.Add(record{kind: storage.Put, created: 3, previous: 2, key: "/registry/x", value: []byte("v")}.encode())
	f.Add(record{kind: storage.Delete, created: 3, previous: 9, key: "/registry/x"}.encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decode(b)
		if err != nil {
			return
		}
		again, err := decode(r.encode())
		if err != nil || again.key != r.key || again.created != r.created || string(again.value) != string(r.value) {
			t.Errorf("%+v becomes %+v (%v)", r, again, err)
		}
	})
}
