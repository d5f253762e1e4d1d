package authn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// maxFile bounds a configuration file, in bytes.
const maxFile = 4 << 20

// File is a configuration file that is read again when it changes. A changed file that cannot be understood is refused, and
// what was read before stays in force. It is safe for use by many goroutines.
type File[T any] struct {
	path  string
	parse func([]byte) (T, error)
	value atomic.Pointer[T]

	mu   sync.Mutex // guards what follows
	seen look
	data []byte // as last read, good or bad
}

// look is what a look at a file's directory entry shows.
type look struct {
	there bool
	mod   time.Time
	size  int64
}

// OpenFile reads and parses a file. The parser's errors are to read on after "PATH: ".
func OpenFile[T any](path string, parse func([]byte) (T, error)) (*File[T], error) {
	f := &File[T]{path: path, parse: parse}
	if _, err := f.reload(); err != nil {
		return nil, err
	}
	return f, nil
}

// Get is what the file said when it was last good.
func (f *File[T]) Get() T { return *f.value.Load() }

// Path is the file's name.
func (f *File[T]) Path() string { return f.path }

// Reload looks whether the file was changed and, if so, reads it. It says whether Get answers something new. A broken file is
// reported once, not each time that it is found still broken.
func (f *File[T]) Reload(context.Context) (changed bool, err error) { return f.reload() }

func (f *File[T]) reload() (changed bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	now := look{there: err == nil}
	if err == nil {
		now.mod, now.size = info.ModTime(), info.Size()
	}
	if f.value.Load() != nil && now == f.seen {
		return false, nil
	}
	f.seen = now
	if err != nil {
		return false, unreadable(f.path, err)
	}
	data, err := readFile(f.path)
	if err != nil {
		return false, err
	}
	if f.data != nil && bytes.Equal(f.data, data) {
		return false, nil
	}
	f.data = data
	v, err := f.parse(data)
	if err != nil {
		return false, fmt.Errorf("%s: %w", f.path, err)
	}
	f.value.Store(&v)
	return true, nil
}

func readFile(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s is larger than 4 MiB", path)
	}
	return data, nil
}

// unreadable says which file cannot be read and why, without the name of a system call.
func unreadable(path string, err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err
	}
	return fmt.Errorf("read %s: %w", path, err)
}

// Reloader is a strategy or file that can be brought up to date with what it was made from.
type Reloader interface {
	// Reload says whether anything changed. On an error all stays as it was. When the context ends it gives up.
	Reload(ctx context.Context) (changed bool, err error)
}

// Watch calls Reload now and then until the context ends, and tells report of errors and of changes (nil). It polls: that works
// for every file system, for mounted Secrets and for editors that replace files.
func Watch(ctx context.Context, every time.Duration, report func(Reloader, error), files ...Reloader) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, f := range files {
			if changed, err := f.Reload(ctx); ctx.Err() == nil && (err != nil || changed) {
				report(f, err)
			}
		}
	}
}
