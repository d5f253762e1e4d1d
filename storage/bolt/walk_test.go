package bolt

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// unclosed is a file as a killed process leaves it.
func unclosed(t testing.TB, objects int) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "unclosed.db")
	s, err := Open(path, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := range objects {
		rev, err := s.Create(t.Context(), fmt.Sprintf("/registry/pods/%04d", i), make([]byte, 100+i*37%6000))
		if err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 {
			if _, err := s.Delete(t.Context(), fmt.Sprintf("/registry/pods/%04d", i), rev); err != nil {
				t.Fatal(err)
			}
		}
	}
	revision, err := s.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Compact(t.Context(), revision-10); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return b
}

func closedIn(t *testing.T, path string) bool {
	t.Helper()
	closed, err := precheck(path)
	if err != nil {
		t.Fatal(err)
	}
	return closed
}

func TestFile_SaysWhetherItWasClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	if err := os.WriteFile(path, unclosed(t, 300), 0o600); err != nil {
		t.Fatal(err)
	}
	if closedIn(t, path) {
		t.Fatal("a file that is in use looks closed")
	}
	s, err := Open(path, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	check(t, s)
	if got, err := s.Get(t.Context(), "/registry/pods/0299"); err != nil || len(got.Value) != 100+299*37%6000 {
		t.Errorf("%v, %v", got, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if !closedIn(t, path) {
		t.Error("a file that was closed does not look so")
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = Open(path, Options{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	check(t, s)
	s.Close()
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Error("looking at a closed file changes it")
	}
}

// Whatever is broken in a file that was not closed, one sentence says so: nothing ends the process.
func TestOpen_OfAnUnclosedFileThatIsBroken(t *testing.T) {
	whole := unclosed(t, 300)
	for name, damage := range map[string]func(page []byte){
		"no kind":                  func(p []byte) { binary.NativeEndian.PutUint16(p[8:], 0) },
		"another number":           func(p []byte) { binary.NativeEndian.PutUint64(p, 7) },
		"too many elements":        func(p []byte) { binary.NativeEndian.PutUint16(p[10:], 60000) },
		"no elements":              func(p []byte) { binary.NativeEndian.PutUint16(p[10:], 0) },
		"too long":                 func(p []byte) { binary.NativeEndian.PutUint32(p[12:], 1<<30) },
		"a child that is not":      func(p []byte) { binary.NativeEndian.PutUint64(p[pageHeader+8:], 1<<40) },
		"a child that is the meta": func(p []byte) { binary.NativeEndian.PutUint64(p[pageHeader+8:], 1) },
		"a key outside":            func(p []byte) { binary.NativeEndian.PutUint32(p[pageHeader+4:], 1<<31) },
		"a loop":                   func(p []byte) { copy(p[pageHeader+8:pageHeader+16], p[:8]) },
	} {
		t.Run(name, func(t *testing.T) {
			b := bytes.Clone(whole)
			for at := 2 * newPage; at < len(b); at += newPage {
				if binary.NativeEndian.Uint16(b[at+8:]) == branchPage { // whether it is of the past or counts
					damage(b[at:])
				}
			}
			path := filepath.Join(t.TempDir(), "test.db")
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(path, Options{NoSync: true})
			if err == nil {
				s.Close()
				t.Fatal("it opens")
			}
			if msg := err.Error(); !strings.Contains(msg, path+" is damaged") || !strings.Contains(msg, "page ") || strings.Contains(msg, "\n") {
				t.Error(msg)
			}
		})
	}
}

// FuzzOpen: whatever stands in some place of a file that was not closed, opening it ends in a store or in a sentence.
func FuzzOpen(f *testing.F) {
	whole := unclosed(f, 60)
	f.Add(uint32(2*newPage+10), []byte{0xff})
	f.Add(uint32(3*newPage+pageHeader), []byte{0, 0, 0, 0, 0xff, 0xff})
	f.Add(uint32(4*newPage+12), []byte{1})
	f.Fuzz(func(t *testing.T, at uint32, with []byte) {
		b := bytes.Clone(whole)
		if at %= uint32(len(b)); at < uint32(2*newPage) {
			return // the metas have a checksum
		}
		copy(b[at:], with)
		path := filepath.Join(t.TempDir(), "test.db")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(path, Options{NoSync: true})
		if err == nil {
			s.Close()
		} else if !strings.Contains(err.Error(), path) {
			t.Error(err)
		}
	})
}
