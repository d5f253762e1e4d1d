package main

import (
	"context"
	"log/slog"
	"runtime/debug"
	"time"
)

// settling is how long after its start a server is taken to be at rest.
const settling = 3 * time.Second

// settle gives back, once, what only starting needed: the heap that is free again, and the pages of this program that
// were read to initialize its packages.
func settle(ctx context.Context, log *slog.Logger) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(settling):
	}
	debug.FreeOSMemory()
	if err := releaseProgram(); err != nil {
		log.Debug("the program's pages stay resident", "error", err)
	}
}
