package kubeletsim

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

const (
	maxLogSize = 10 << 20 // of one file, as containerLogMaxSize's default
	maxLogLine = 16 << 10 // longer lines are cut into parts, as container runtimes do
)

// containerLog is what one run of a container wrote, in the CRI format: time, stream, F or P (full line or part), text.
//
//	2026-02-01T15:04:05.000000000Z stdout F hello
type containerLog struct {
	now func() time.Time

	mu   sync.Mutex
	dir  *os.Root // guarded by mu like all below
	name string
	file *os.File
	size int64
}

// openLog makes logs/<restarts>.log in a container's directory, and removes the logs of runs before the previous one.
// It keeps dir, and closes it.
func openLog(dir *os.Root, restarts int32, now func() time.Time) (*containerLog, error) {
	if err := dir.MkdirAll("logs", 0o700); err != nil {
		return nil, err
	}
	l := &containerLog{now: now, dir: dir, name: fmt.Sprintf("logs/%d.log", restarts)}
	for old := restarts - 2; old >= 0; old-- {
		if err := dir.Remove(fmt.Sprintf("logs/%d.log", old)); errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return l, l.open()
}

func (l *containerLog) open() error {
	file, err := l.dir.OpenFile(l.name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	l.file, l.size = file, info.Size()
	return nil
}

// stream is a writer for stdout or stderr.
func (l *containerLog) stream(name string) *logStream { return &logStream{log: l, name: name} }

func (l *containerLog) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := errors.Join(l.file.Close(), l.dir.Close())
	l.file = nil
	return err
}

// write appends one line. A full file is started over: the newest output is what people ask for.
func (l *containerLog) write(stream, tag string, line []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return fs.ErrClosed
	}
	if l.size > maxLogSize {
		if err := l.file.Truncate(0); err != nil {
			return err
		}
		l.size = 0
	}
	n, err := fmt.Fprintf(l.file, "%s %s %s %s\n", l.now().UTC().Format("2006-01-02T15:04:05.000000000Z07:00"), stream, tag, line)
	l.size += int64(n)
	return err
}

// logStream cuts what it is given into lines. Several goroutines may write to it.
type logStream struct {
	log  *containerLog
	name string

	mu   sync.Mutex
	rest []byte // a line that has not ended yet; guarded by mu
}

func (s *logStream) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	total := len(p)
	for len(p) > 0 {
		line, after, ended := bytes.Cut(p, []byte("\n"))
		room := maxLogLine - len(s.rest)
		tag := "F"
		if len(line) > room {
			line, after, ended, tag = line[:room], p[room:], true, "P"
		}
		s.rest = append(s.rest, line...)
		p = after
		if !ended {
			break
		}
		if err := s.log.write(s.name, tag, s.rest); err != nil {
			return 0, err
		}
		s.rest = s.rest[:0]
	}
	return total, nil
}

// flush writes a last line that did not end.
func (s *logStream) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.rest) > 0 {
		_ = s.log.write(s.name, "P", s.rest) // the process is gone: nobody is left to tell
		s.rest = nil
	}
}
