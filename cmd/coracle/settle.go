package main

import (
	"context"
	"log/slog"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

const (
	// settling is how long after its start, and after its last work, a server is taken to be at rest.
	settling = 3 * time.Second
	// atRest is how many bytes may be allocated in that time by a server at rest: leases are renewed, for example.
	atRest = 4 << 20
	// worthwhile is how many bytes must be there to give back.
	worthwhile = 16 << 20
	// headroom is how much garbage a small heap may gather before it is collected, in bytes. Without, a server with few
	// objects would collect its garbage every few dozen writes.
	headroom = 64 << 20
)

// settle gives back what only starting needed, and again and again what only work needed that is over: the heap that is
// free, and, after the start, the pages of this program that were read to initialize its packages. Until ctx ends it keeps
// the garbage collector from running too often.
func settle(ctx context.Context, log *slog.Logger) {
	ballast := make([]byte, headroom) // never touched, so it takes no memory; the collector counts it as if it were in use
	defer runtime.KeepAlive(ballast)
	ticks := time.NewTicker(settling)
	defer ticks.Stop()
	started, worked := true, true
	var before usage
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		now := readUsage()
		resting := now.allocated-before.allocated < atRest
		worked = worked || !resting
		if started || resting && worked && now.resident-now.live > worthwhile {
			debug.FreeOSMemory()
			worked = false
		}
		if started {
			started = false
			if err := releaseProgram(); err != nil {
				log.Debug("the program's pages stay resident", "error", err)
			}
		}
		before = readUsage()
	}
}

// usage of memory, in bytes.
type usage struct {
	allocated uint64 // since the process began
	live      uint64 // marked by the last collection
	resident  uint64 // what Go's runtime has of the system, and has not returned
}

func readUsage() usage {
	samples := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	metrics.Read(samples)
	return usage{
		allocated: samples[0].Value.Uint64(),
		live:      samples[1].Value.Uint64(),
		resident:  samples[2].Value.Uint64() - samples[3].Value.Uint64(),
	}
}
