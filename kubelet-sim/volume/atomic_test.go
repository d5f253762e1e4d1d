package volume

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var now = time.Date(2026, 2, 1, 15, 4, 5, 0, time.UTC)

func openRoot(t *testing.T, dir string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

// visible reads a volume as a container does: through its links, hidden names left out.
func visible(t *testing.T, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), "..") {
			continue
		}
		top := filepath.Join(dir, entry.Name())
		real, err := filepath.EvalSymlinks(top)
		if err != nil {
			t.Fatalf("%s leads nowhere: %v", top, err)
		}
		err = filepath.WalkDir(real, func(name string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			data, err := os.ReadFile(name)
			got[entry.Name()+strings.TrimPrefix(name, real)] = string(data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return got
}

func write(t *testing.T, root *os.Root, files Files) bool {
	t.Helper()
	changed, err := Write(root, files, now)
	if err != nil {
		t.Fatalf("Write(%v): %v", files, err)
	}
	return changed
}

func file(data string) File { return File{Data: []byte(data), Mode: 0o644} }

func TestWrite(t *testing.T) {
	for _, test := range []struct {
		name          string
		before, after Files
		want          map[string]string
		changed       bool
	}{
		{"first contents", nil, Files{"a": file("1"), "d/e/f": file("2")}, map[string]string{"a": "1", "d/e/f": "2"}, true},
		{"nothing at all", nil, Files{}, map[string]string{}, true},
		{"the same again changes nothing", Files{"a": file("1")}, Files{"a": file("1")}, map[string]string{"a": "1"}, false},
		{"a new value", Files{"a": file("1")}, Files{"a": file("2")}, map[string]string{"a": "2"}, true},
		{"a key comes and one goes", Files{"a": file("1"), "b": file("1")}, Files{"b": file("1"), "c": file("3")}, map[string]string{"b": "1", "c": "3"}, true},
		{"a directory goes", Files{"d/e": file("1"), "d/f": file("1")}, Files{"a": file("1")}, map[string]string{"a": "1"}, true},
		{"one of a directory's files goes", Files{"d/e": file("1"), "d/f": file("1")}, Files{"d/e": file("1")}, map[string]string{"d/e": "1"}, true},
		{"a file becomes a directory", Files{"a": file("1")}, Files{"a/b": file("1")}, map[string]string{"a/b": "1"}, true},
		{"everything goes", Files{"a": file("1")}, Files{}, map[string]string{}, true},
		{"paths are cleaned", nil, Files{"./d//e": file("1")}, map[string]string{"d/e": "1"}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			root := openRoot(t, dir)
			if test.before != nil {
				write(t, root, test.before)
			}
			if changed := write(t, root, test.after); changed != test.changed {
				t.Errorf("changed = %v, want %v", changed, test.changed)
			}
			if diff := cmp.Diff(test.want, visible(t, dir)); diff != "" {
				t.Errorf("contents (-want +got):\n%s", diff)
			}
			hidden, err := filepath.Glob(filepath.Join(dir, "..2*"))
			if err != nil || len(hidden) != 1 {
				t.Errorf("%d directories of contents remain, want 1: %v", len(hidden), hidden)
			}
		})
	}
}

func TestWrite_Layout(t *testing.T) {
	dir := t.TempDir()
	root := openRoot(t, dir)
	write(t, root, Files{"token": {Data: []byte("t"), Mode: 0o600}, "script": {Data: []byte("s"), Mode: 0o755}})

	target, err := os.Readlink(filepath.Join(dir, "token"))
	if err != nil || target != "..data/token" {
		t.Errorf("token -> %q, %v; want ..data/token", target, err)
	}
	data, err := os.Readlink(filepath.Join(dir, "..data"))
	if err != nil || !strings.HasPrefix(data, "..2026_02_01_15_04_05.") {
		t.Errorf("..data -> %q, %v; want a directory named by time", data, err)
	}
	for name, want := range map[string]fs.FileMode{"token": 0o600, "script": 0o755} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%s has mode %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
}

// A reader that opened ..data keeps seeing one version, and one that opens files anew never sees a mixture.
func TestWrite_ReadersNeverSeeAMixture(t *testing.T) {
	dir := t.TempDir()
	root := openRoot(t, dir)
	write(t, root, Files{"a": file("0"), "b": file("0")})
	stop := make(chan struct{})
	done := make(chan string, 1)
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
			}
			current, err := os.OpenRoot(filepath.Join(dir, "..data"))
			if err != nil {
				continue // between reading the link and opening what it pointed to
			}
			a, errA := current.ReadFile("a")
			b, errB := current.ReadFile("b")
			current.Close()
			if errA == nil && errB == nil && string(a) != string(b) {
				done <- string(a) + " and " + string(b)
				return
			}
		}
	}()
	for i := range 200 {
		value := file(strings.Repeat("x", i))
		write(t, root, Files{"a": value, "b": value})
	}
	close(stop)
	if mixture, ok := <-done; ok {
		t.Errorf("a reader saw a mixture: %s", mixture)
	}
}

func TestWrite_GoesOnAfterAnInterruption(t *testing.T) {
	for _, test := range []struct {
		name string
		harm func(t *testing.T, root *os.Root)
	}{
		{"before the new link was renamed", func(t *testing.T, root *os.Root) {
			must(t, root.Mkdir("..2026_02_01_15_04_06.1", 0o755), root.Symlink("..2026_02_01_15_04_06.1", newDataName))
		}},
		{"before users' names were made", func(t *testing.T, root *os.Root) { must(t, root.Remove("a")) }},
		{"before the old directory was removed", func(t *testing.T, root *os.Root) {
			must(t, root.MkdirAll("..2020_02_01_15_04_06.1/x", 0o755))
		}},
		{"with the contents gone", func(t *testing.T, root *os.Root) {
			target, err := root.Readlink(dataName)
			must(t, err, root.RemoveAll(target))
		}},
		{"with ..data pointing out of the volume", func(t *testing.T, root *os.Root) {
			must(t, root.Remove(dataName), root.Symlink("/etc", dataName))
		}},
		{"with ..data pointing up by a name that looks right", func(t *testing.T, root *os.Root) {
			must(t, root.Remove(dataName), root.Symlink("..2/../../..", dataName))
		}},
		{"with ..data a directory", func(t *testing.T, root *os.Root) {
			must(t, root.Remove(dataName), root.MkdirAll("..data/a", 0o755))
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			root := openRoot(t, dir)
			write(t, root, Files{"a": file("1")})
			test.harm(t, root)
			write(t, root, Files{"a": file("1"), "b": file("2")})
			if diff := cmp.Diff(map[string]string{"a": "1", "b": "2"}, visible(t, dir)); diff != "" {
				t.Errorf("contents (-want +got):\n%s", diff)
			}
			entries, err := os.ReadDir(dir)
			if err != nil || len(entries) != 4 {
				t.Errorf("%d entries, want ..data, its directory, a and b: %v", len(entries), entries)
			}
		})
	}
}

func TestWrite_RefusesPaths(t *testing.T) {
	for name, want := range map[string]string{
		"":                              `invalid path: must not be empty: ""`,
		"/etc/passwd":                   "invalid path: must be relative path: /etc/passwd",
		"..":                            "invalid path: must not start with '..': ..",
		"..data":                        "invalid path: must not start with '..': ..data",
		"./..data/x":                    "invalid path: must not start with '..': ./..data/x",
		"a/../../b":                     "invalid path: must not contain '..': a/../../b",
		".":                             "invalid path: must name a file: .",
		"a\x00b":                        "invalid path: must not contain NUL",
		strings.Repeat("x", 256):        "invalid path: filenames must be less than or equal to 255 characters",
		strings.Repeat("abcdefg/", 600): "invalid path: must be less than or equal to 4096 characters",
	} {
		t.Run(want, func(t *testing.T) {
			dir := t.TempDir()
			_, err := Write(openRoot(t, dir), Files{"fine": file("1"), name: file("2")}, now)
			if err == nil || err.Error() != want {
				t.Errorf("error %v, want %s", err, want)
			}
			if entries, _ := os.ReadDir(dir); len(entries) > 0 {
				t.Errorf("something was written: %v", entries)
			}
		})
	}
}

// Whatever a file is called, nothing appears outside the volume, and what was accepted can be read.
func FuzzWrite(f *testing.F) {
	for _, seed := range []string{"token", "a/b", "../x", "..data/x", "/etc/passwd", "a/../../x", ".", "a//b", "..2026/x", "a\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		outer := t.TempDir()
		dir := filepath.Join(outer, "volume")
		must(t, os.Mkdir(dir, 0o700))
		_, err := Write(openRoot(t, dir), Files{name: file("data")}, now)
		if entries, _ := os.ReadDir(outer); len(entries) != 1 {
			t.Fatalf("%q escaped: %v", name, entries)
		}
		if err != nil {
			return
		}
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != "data" {
			t.Fatalf("%q was accepted but reads %q, %v", name, got, err)
		}
	})
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}
