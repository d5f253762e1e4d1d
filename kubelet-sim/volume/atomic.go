package volume

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// File is one file of a volume.
type File struct {
	Data []byte
	Mode fs.FileMode
}

// Files are the contents of a volume by relative path.
type Files map[string]File

const (
	dataName    = "..data"     // a link to the directory that holds the current files
	newDataName = "..data_tmp" // that link before it is renamed into place
)

// Write makes dir show exactly files, and tells whether it had to change anything. Readers see all of the old
// contents or all of the new: the files live in a directory named by time, ..data points to it, what users
// open points into ..data, and exchanging ..data is one rename.
//
//	token   -> ..data/token
//	..data  -> ..2026_02_01_15_04_05.12345678
//
// Source: k8s.io/kubernetes/pkg/volume/util/atomic_writer.go. An error may leave stray files behind, which
// the next Write removes, but never a mixture.
func Write(dir *os.Root, files Files, now time.Time) (changed bool, err error) {
	clean := make(Files, len(files))
	for name, file := range files {
		if err := checkPath(name); err != nil {
			return false, err
		}
		clean[path.Clean(name)] = file
	}
	current, err := currentDir(dir)
	if err != nil {
		return false, err
	}
	if same, err := holds(dir, current, clean); err != nil {
		return false, err
	} else if same {
		// The links may be missing all the same, when an earlier Write was cut off.
		return false, link(dir, clean)
	}
	next, err := writeDir(dir, clean, now)
	if err != nil {
		return false, err
	}
	if err := publish(dir, next); err != nil {
		return false, errors.Join(err, dir.RemoveAll(next))
	}
	if err := link(dir, clean); err != nil {
		return true, err
	}
	return true, sweep(dir, clean, next)
}

// checkPath holds what users may name a file to what the API allows: relative, within, and not hidden
// among the names that Write uses itself.
func checkPath(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("invalid path: must not be empty: %q", name)
	case path.IsAbs(name):
		return fmt.Errorf("invalid path: must be relative path: %s", name)
	case len(name) > 4096:
		return errors.New("invalid path: must be less than or equal to 4096 characters")
	case strings.ContainsRune(name, 0):
		return errors.New("invalid path: must not contain NUL")
	case strings.HasPrefix(name, ".."):
		return fmt.Errorf("invalid path: must not start with '..': %s", name)
	case path.Clean(name) == ".":
		return fmt.Errorf("invalid path: must name a file: %s", name)
	}
	for element := range strings.SplitSeq(name, "/") {
		if element == ".." {
			return fmt.Errorf("invalid path: must not contain '..': %s", name)
		}
		if len(element) > 255 {
			return errors.New("invalid path: filenames must be less than or equal to 255 characters")
		}
	}
	if strings.HasPrefix(path.Clean(name), "..") {
		return fmt.Errorf("invalid path: must not start with '..': %s", name)
	}
	return nil
}

// currentDir is the directory that ..data points to, "" for none. A ..data that Write cannot have made counts as none.
func currentDir(dir *os.Root) (string, error) {
	target, err := dir.Readlink(dataName)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil || !strings.HasPrefix(target, "..2") || strings.Contains(target, "/") {
		return "", dir.RemoveAll(dataName)
	}
	return target, nil
}

// holds tells whether the directory current contains exactly files. Modes are not compared, as upstream.
func holds(dir *os.Root, current string, files Files) (bool, error) {
	if current == "" {
		return false, nil
	}
	seen := 0
	same := true
	err := fs.WalkDir(dir.FS(), current, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		want, ok := files[strings.TrimPrefix(name, current+"/")]
		if !ok || !entry.Type().IsRegular() {
			same = false
			return fs.SkipAll
		}
		got, err := dir.ReadFile(name)
		if err != nil {
			return err
		}
		if !bytes.Equal(got, want.Data) {
			same = false
			return fs.SkipAll
		}
		seen++
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return same && seen == len(files), err
}

// writeDir writes files into a new directory and returns its name.
func writeDir(dir *os.Root, files Files, now time.Time) (string, error) {
	name := now.UTC().Format("..2006_01_02_15_04_05.") + fmt.Sprint(rand.Uint32())
	if err := dir.Mkdir(name, 0o755); err != nil {
		return "", err
	}
	err := func() error {
		if err := dir.Chmod(name, 0o755); err != nil { // whatever the umask
			return err
		}
		root, err := dir.OpenRoot(name)
		if err != nil {
			return err
		}
		defer root.Close()
		for _, file := range slices.Sorted(maps.Keys(files)) {
			if err := root.MkdirAll(path.Dir(file), 0o755); err != nil {
				return err
			}
			if err := root.WriteFile(file, files[file].Data, 0o600); err != nil {
				return err
			}
			if err := root.Chmod(file, files[file].Mode&fs.ModePerm); err != nil {
				return err
			}
		}
		return nil
	}()
	if err != nil {
		return "", errors.Join(err, dir.RemoveAll(name))
	}
	return name, nil
}

// publish makes ..data point to the directory next.
func publish(dir *os.Root, next string) error {
	if err := dir.RemoveAll(newDataName); err != nil { // left by a Write that was cut off
		return err
	}
	if err := dir.Symlink(next, newDataName); err != nil {
		return err
	}
	return dir.Rename(newDataName, dataName)
}

// link makes the names that users see. A name that is there already stays: it points into ..data from an
// earlier Write, or another volume is mounted on it.
func link(dir *os.Root, files Files) error {
	for name := range files {
		first, _, _ := strings.Cut(name, "/")
		if err := dir.Symlink(path.Join(dataName, first), first); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// sweep removes the names that users no longer see, and the directories that ..data no longer points to.
func sweep(dir *os.Root, files Files, current string) error {
	visible := map[string]bool{}
	for name := range files {
		first, _, _ := strings.Cut(name, "/")
		visible[first] = true
	}
	entries, err := fs.ReadDir(dir.FS(), ".")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		stale := false
		if strings.HasPrefix(name, "..2") {
			stale = name != current
		} else if target, err := dir.Readlink(name); err == nil {
			stale = !visible[name] && target == path.Join(dataName, name)
		}
		if stale {
			if err := dir.RemoveAll(name); err != nil {
				return err
			}
		}
	}
	return nil
}
