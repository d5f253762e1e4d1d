package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"coracle/storage"
)

// wreck is what a process that was killed leaves: a database and its journal.
type wreck struct{ database, journal []byte }

// killed takes what is on the disk while a store is open.
func killed(t testing.TB, path string) wreck {
	t.Helper()
	var w wreck
	for name, b := range map[string]*[]byte{path: &w.database, journalPath(path): &w.journal} {
		read, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		*b = read
	}
	return w
}

// put writes it to a new place.
func (w wreck) put(t testing.TB) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "test.db")
	for name, b := range map[string][]byte{path: w.database, journalPath(path): w.journal} {
		if b == nil {
			continue
		}
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// writeOne makes one change, which is a frame of its own, and keeps what is there up to date.
func writeOne(t testing.TB, s *Store, i int, there map[string]string) {
	t.Helper()
	k, v := fmt.Sprintf("/k/%d", i%5), fmt.Sprintf("value %d %s", i, strings.Repeat("x", i*29%700))
	kv, err := s.Get(t.Context(), k) // brings everything into the database, but what follows
	switch {
	case errors.Is(err, storage.ErrNotFound):
		_, err = s.Create(t.Context(), k, []byte(v))
	case err == nil && i%3 == 0:
		v = ""
		_, err = s.Delete(t.Context(), k, kv.Revision)
	case err == nil:
		_, err = s.Update(t.Context(), k, []byte(v), kv.Revision)
	}
	if err != nil {
		t.Fatal(err)
	}
	if there[k] = v; v == "" {
		delete(there, k)
	}
}

func contents(t testing.TB, s *Store) map[string]string {
	t.Helper()
	page, err := s.List(t.Context(), "/", storage.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, kv := range page.KVs {
		got[kv.Key] = string(kv.Value)
	}
	return got
}

// Whenever a process is killed, all that was acknowledged is there again: in the first use of the journal and in later ones, in which
// remains of the use before stand behind what is new.
func TestJournal_BringsBackWhatWasAcknowledged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s, err := Open(path, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	there := map[string]string{}
	var creates int
	for i := range 24 {
		if i%4 == 0 {
			writeOne(t, s, i, there)
		} else { // without a look at the database, so that the journal grows
			k := fmt.Sprintf("/n/%d", creates)
			creates++
			if _, err := s.Create(t.Context(), k, []byte(k)); err != nil {
				t.Fatal(err)
			}
			there[k] = k
		}
		w := killed(t, path)
		again, err := Open(w.put(t), Options{NoSync: true})
		if err != nil {
			t.Fatalf("after %d changes: %v", i+1, err)
		}
		if diff := cmp.Diff(there, contents(t, again)); diff != "" {
			t.Errorf("after %d changes (-acknowledged +found):\n%s", i+1, diff)
		}
		check(t, again)
		if want, _ := s.Revision(t.Context()); want != again.revision.Load() {
			t.Errorf("after %d changes the revision is %d, and was %d", i+1, again.revision.Load(), want)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// frames writes n keys, one at a time, and returns what is on the disk, and where in the journal each frame ends.
func frames(t testing.TB, n int) (w wreck, ends []int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.db")
	s, err := Open(path, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i := range n {
		if _, err := s.Create(t.Context(), fmt.Sprintf("/%d", i), []byte("v")); err != nil {
			t.Fatal(err)
		}
		w = killed(t, path)
		ends = append(ends, len(w.journal))
	}
	return w, ends
}

// A journal may end anywhere: what was not written wholly was acknowledged to nobody.
func TestJournal_MayBeCutOffAnywhere(t *testing.T) {
	whole, ends := frames(t, 3)
	for length := 0; length < len(whole.journal); length += 1 + length%4 {
		w := whole
		w.journal = whole.journal[:length]
		s, err := Open(w.put(t), Options{NoSync: true})
		if err != nil {
			t.Fatalf("cut after %d bytes: %v", length, err)
		}
		want := 0
		for want < len(ends) && ends[want] <= length {
			want++
		}
		if got := contents(t, s); len(got) != want {
			t.Errorf("cut after %d bytes: %d keys, want %d", length, len(got), want)
		}
		s.Close()
	}
}

func TestJournal_SaysWhatIsWrongInOneSentence(t *testing.T) {
	whole, ends := frames(t, 3)
	other, _ := frames(t, 3)
	later := func(t *testing.T) wreck { // the database of before, and a journal of after a checkpoint
		path := whole.put(t)
		s, err := Open(path, Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := s.Create(t.Context(), "/later", nil); err != nil {
			t.Fatal(err)
		}
		return wreck{whole.database, killed(t, path).journal}
	}
	flipped := func(at int) func(*testing.T) wreck {
		return func(*testing.T) wreck {
			w := whole
			w.journal = bytes.Clone(w.journal)
			w.journal[at] ^= 1
			return w
		}
	}
	for name, c := range map[string]struct {
		of   func(t *testing.T) wreck
		want string
	}{
		"a text":                {func(*testing.T) wreck { return wreck{whole.database, bytes.Repeat([]byte("text "), 100)} }, "is no journal of coracle"},
		"of another":            {func(*testing.T) wreck { return wreck{whole.database, other.journal} }, "belongs to another database"},
		"its database is gone":  {func(*testing.T) wreck { return wreck{nil, whole.journal} }, "belongs to another database"},
		"its database is older": {later, "goes on at revision 5, and what is before it ends at 1"},
		"broken in the middle":  {flipped(ends[1] - 1), "is damaged before revision 4"},
		"broken at its first":   {flipped(journalHeader + frameHeader), "is damaged before revision 3"},
		"a length":              {flipped(ends[0] + idLength + 6), "is damaged before revision 4"},
	} {
		t.Run(name, func(t *testing.T) {
			before := c.of(t)
			path := before.put(t)
			s, err := Open(path, Options{NoSync: true})
			if err == nil {
				s.Close()
				t.Fatal("it opens")
			}
			if msg := err.Error(); !strings.Contains(msg, journalPath(path)) || !strings.Contains(msg, c.want) || strings.Contains(msg, "\n") {
				t.Errorf("the error is %q, want a line with %q", msg, c.want)
			}
			if after, err := os.ReadFile(journalPath(path)); err != nil || !bytes.Equal(after, before.journal) {
				t.Error("the journal was changed")
			}
			if after, err := os.ReadFile(path); before.database != nil && (err != nil || !bytes.Equal(after, before.database)) {
				t.Error("the database was changed")
			}
		})
	}
	t.Run("zeros", func(t *testing.T) {
		s, err := Open(wreck{whole.database, make([]byte, 200)}.put(t), Options{NoSync: true})
		if err != nil {
			t.Fatalf("the machine stopped at the first write: %v", err)
		}
		s.Close()
	})
	t.Run("the last frame", func(t *testing.T) {
		s, err := Open(flipped(len(whole.journal)-1)(t).put(t), Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		want := map[string]string{"/0": "v", "/1": "v"}
		if diff := cmp.Diff(want, contents(t, s)); diff != "" {
			t.Errorf("a last frame that nobody can read counts (-want +got):\n%s", diff)
		}
	})
}

func TestJournal_IsItsOwnersAndGoneAfterAClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), "/a", nil); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(journalPath(path))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(journalPath(path)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Close: %v", err)
	}
}

// What cannot be made durable has not happened, for nobody.
func TestJournal_RefusesWhatItCannotWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s, err := Open(path, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := os.Mkdir(journalPath(path), 0o700); err != nil { // nothing can be opened there
		t.Fatal(err)
	}
	w, err := s.Watch(t.Context(), "/", storage.FirstRevision)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	if _, err := s.Create(t.Context(), "/a", []byte("lost")); err == nil || !strings.Contains(err.Error(), "could not be written") {
		t.Errorf("a write that is not durable: %v", err)
	}
	if _, err := s.Get(t.Context(), "/a"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("it is there all the same: %v", err)
	}
	if err := os.Remove(journalPath(path)); err != nil {
		t.Fatal(err)
	}
	rev, err := s.Create(t.Context(), "/a", []byte("kept"))
	if err != nil || rev != storage.FirstRevision+1 {
		t.Errorf("afterwards: revision %d, %v", rev, err)
	}
	if batch := <-w.Events(); len(batch) != 1 || string(batch[0].KV.Value) != "kept" {
		t.Errorf("a watcher was told %+v", batch)
	}
	again, err := Open(killed(t, path).put(t), Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if diff := cmp.Diff(map[string]string{"/a": "kept"}, contents(t, again)); diff != "" {
		t.Error(diff)
	}
}

// While the database cannot grow, the journal keeps what was acknowledged, and once it is full nothing more is taken.
func TestCheckpoint_LosesNothingWhenItFails(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s, err := Open(path, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.db.MaxSize = 64 << 10
	there := map[string]string{}
	value := strings.Repeat("v", 100<<10)
	for i := 0; ; i++ {
		k := fmt.Sprintf("/%02d", i)
		_, err := s.Create(t.Context(), k, []byte(value))
		if err != nil {
			if !errors.Is(err, bolterrors.ErrMaxSizeReached) {
				t.Errorf("a full disk: %v", err)
			}
			break
		}
		if there[k] = value; i > 30 {
			t.Fatal("nothing is ever refused")
		}
	}
	again, err := Open(killed(t, path).put(t), Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got := slices.Sorted(maps.Keys(contents(t, again))); !slices.Equal(got, slices.Sorted(maps.Keys(there))) {
		t.Errorf("after a kill there are %v", got)
	}
	s.db.MaxSize = 0
	if _, err := s.Create(t.Context(), "/more", nil); err != nil {
		t.Errorf("with room again: %v", err)
	}
	there["/more"] = ""
	if diff := cmp.Diff(there, contents(t, s)); diff != "" {
		t.Error(diff)
	}
	check(t, s)
}

func TestCheckpoint_ComesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := Open(filepath.Join(t.TempDir(), "test.db"), Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		time.Sleep(checkpointAfter / 2)
		if _, err := s.Create(t.Context(), "/a", nil); err != nil {
			t.Fatal(err)
		}
		if !s.behind.Load() {
			t.Error("the database has it at once: the journal is of no use")
		}
		time.Sleep(checkpointAfter + 1)
		synctest.Wait()
		if s.behind.Load() {
			t.Errorf("after %v the database has not got it", checkpointAfter)
		}
	})
}

// A file of before there were journals is taken over.
func TestOpen_TakesOverTheFormatOfBefore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s, err := Open(path, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), "/a", []byte("v")); err != nil {
		t.Fatal(err)
	}
	s.Close()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		meta := tx.Bucket(bucketMeta)
		return errors.Join(meta.Put(metaFormat, []byte(formatBefore)), meta.Delete(metaID))
	})
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	for range 2 {
		s, err := Open(path, Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[string]string{"/a": "v"}, contents(t, s)); diff != "" {
			t.Error(diff)
		}
		s.Close()
	}
}

// FuzzReplay: no bytes behind the header make the reader panic, checksum right or wrong, and all that it reads comes after the
// revision asked for, in order.
func FuzzReplay(f *testing.F) {
	whole, ends := frames(f, 3)
	var id [idLength]byte
	copy(id[:], whole.journal[len(journalMagic):])
	f.Add(whole.journal[journalHeader:], int64(0))
	f.Add(whole.journal[journalHeader:ends[1]], int64(2))
	f.Add(whole.journal[journalHeader:ends[1]+5], int64(1))
	f.Fuzz(func(t *testing.T, b []byte, after int64) {
		if after < 0 || len(b) < frameHeader {
			return
		}
		j := &journal{id: id}
		for range 2 {
			if first, payload, ok := j.frame(b); ok {
				records, err := j.frames(b[:frameHeader+len(payload)], after)
				if err == nil && first > after && len(payload) > 0 && len(records) == 0 {
					t.Errorf("a frame at revision %d is left out after %d", first, after)
				}
			}
			j.frames(b, after)
			b = bytes.Clone(b)
			copy(b, id[:])
			putChecksum(b)
		}
	})
}

// putChecksum makes the beginning of some bytes a frame, of as many records as there is room for.
func putChecksum(b []byte) {
	copy(b[idLength+4:], []byte{byte(len(b) - frameHeader), byte((len(b) - frameHeader) >> 8), byte((len(b) - frameHeader) >> 16), 0})
	sum := checksum(b)
	copy(b[idLength:], []byte{byte(sum), byte(sum >> 8), byte(sum >> 16), byte(sum >> 24)})
}
