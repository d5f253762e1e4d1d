package pki

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
)

// Modes of files: keys are their owner's alone.
const (
	secret fs.FileMode = 0o600
	public fs.FileMode = 0o644
)

// directory reads and writes the files of one directory. No name leads out of it.
type directory struct {
	root  *os.Root
	name  string      // as people know it
	dirty atomic.Bool // names were changed since the last sync
	crash func() bool // for tests: whether the power fails before the next change
}

// errCrash is what a change meets when a test has cut the power.
var errCrash = errors.New("power cut")

func openDirectory(name string) (*directory, error) {
	if err := os.MkdirAll(name, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory for certificates: %w", err)
	}
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("open the directory of certificates: %w", err)
	}
	return &directory{root: root, name: name}, nil
}

func (d *directory) path(name string) string { return filepath.Join(d.name, name) }

func (d *directory) close() error { return d.root.Close() }

// mkdir makes a directory in it, for the owner alone, unless it is there.
func (d *directory) mkdir(name string) error {
	if err := d.root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return cannot("make", d.path(name), err)
	}
	return nil
}

// read returns a file's bytes. A file with a secret that everybody may read is refused, as ssh does.
func (d *directory) read(name string) ([]byte, error) {
	f, err := d.root.Open(name)
	if err != nil {
		return nil, cannot("read", d.path(name), err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, cannot("read", d.path(name), err)
	}
	if isSecret(name) {
		if err := Exposed(d.path(name), info); err != nil {
			return nil, err
		}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxPEM+1))
	if err != nil {
		return nil, cannot("read", d.path(name), err)
	}
	return data, nil
}

// Exposed is an error when everybody may read the file, which holds a secret.
func Exposed(path string, info fs.FileInfo) error {
	if info.Mode().Perm()&0o007 == 0 || runtime.GOOS == "windows" {
		return nil
	}
	return fmt.Errorf("%s holds a secret and everybody on this machine may read it (mode %04o): run chmod 600 %[1]s, and consider the key known", path, info.Mode().Perm())
}

func isSecret(name string) bool {
	return strings.HasSuffix(name, ".key") || strings.HasSuffix(name, ".key"+next) || strings.HasSuffix(name, ".conf") || strings.HasSuffix(name, nodeFileSuffix)
}

// write replaces a file: after a crash it holds what it held before, or the new bytes.
func (d *directory) write(name string, data []byte, mode fs.FileMode) error {
	temp := name + ".tmp"
	if err := d.remove(temp); err != nil {
		return err
	}
	f, err := d.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return cannot("write", d.path(name), err)
	}
	if d.crash != nil && d.crash() {
		data = data[:len(data)/2]
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return cannot("write", d.path(name), err)
	}
	return d.rename(temp, name)
}

func (d *directory) rename(from, to string) error {
	if d.crash != nil && d.crash() {
		return errCrash
	}
	d.dirty.Store(true)
	if err := d.root.Rename(from, to); err != nil {
		return cannot("write", d.path(to), err)
	}
	return nil
}

func (d *directory) remove(name string) error {
	if d.crash != nil && d.crash() {
		return errCrash
	}
	if err := d.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return cannot("remove", d.path(name), err)
	}
	return nil
}

// sync makes names that were added, changed or removed survive a power cut.
func (d *directory) sync() error {
	if !d.dirty.Swap(false) {
		return nil
	}
	for _, name := range []string{"etcd", "."} {
		f, err := d.root.Open(name)
		if name != "." && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return cannot("sync", d.path(name), err)
		}
		err = f.Sync()
		f.Close()
		if err != nil && runtime.GOOS != "windows" {
			return cannot("sync", d.path(name), err)
		}
	}
	return nil
}

// cannot says what could not be done with which file and why, without the name of a system call.
func cannot(verb, path string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Errorf("%s %s: %w", verb, path, err)
}
