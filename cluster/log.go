package cluster

import (
	"context"
	"errors"
	"log"
	"log/slog"
	"strings"
	"sync/atomic"
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
type latch struct{ opened atomic.Bool }

func newLatch() *latch { return &latch{} }

func (l *latch) open() { l.opened.Store(true) }

func (l *latch) check(context.Context) error {
	if !l.opened.Load() {
		return errors.New("the cluster is still starting")
	}
	return nil
}
