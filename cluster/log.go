package cluster

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
)

// quietLog takes what net/http has to say about single connections: of interest to those who look for it.
func quietLog(l *slog.Logger) *log.Logger {
	return log.New(writerFunc(func(b []byte) (int, error) {
		l.Log(context.Background(), slog.LevelDebug, strings.TrimSpace(string(b)))
		return len(b), nil
	}), "", 0)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// latch is a readiness check that fails until it is opened.
type latch struct{ opened atomic.Pointer[time.Time] }

func newLatch() *latch { return &latch{} }

func (l *latch) open() { l.opened.Store(new(time.Now())) }

// openAt tells whether it was open at that time.
func (l *latch) openAt(t time.Time) bool {
	opened := l.opened.Load()
	return opened != nil && !opened.After(t)
}

func (l *latch) check(context.Context) error {
	if l.opened.Load() == nil {
		return errors.New("the cluster is still starting")
	}
	return nil
}
