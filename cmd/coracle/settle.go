package main

import (
	"context"
	"log/slog"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// settling is how long after its start a server is taken to be at rest.
const settling = 3 * time.Second

// settle gives back what only starting needed: the heap that is free again, and the pages of this program that were read to
// initialize its packages. From then on it does the same, but for the pages, after each burst of requests.
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
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return // somebody knows better
	}
	var p pace
	p.last, _ = heap()
	for tick := time.NewTicker(looking); ; {
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
			allocated, live := heap()
			percent, free := p.next(allocated, live)
			if percent != 0 {
				debug.SetGCPercent(percent)
			}
			if free {
				debug.FreeOSMemory()
			}
		}
	}
}

const (
	looking  = time.Second
	busy     = 8 << 20   // bytes that requests allocate between two looks; at rest it is a tenth of that
	headroom = 128 << 20 // bytes of garbage that may gather while there are many requests
	quiet    = 3         // looks without requests, after which it is over
)

// pace decides how much garbage may gather. Collecting it costs as much as what is alive, so a small heap under many requests is
// collected far too often; at rest, memory is worth more.
type pace struct {
	last    uint64 // what had been allocated at the last look
	percent int    // as it was set, 0 at rest
	idle    int    // looks since there was much to do
}

// next takes what has been allocated up to now and what is alive, in bytes. It returns the GOGC to set, if that is not
// 0, and whether to give memory back.
func (p *pace) next(allocated, live uint64) (percent int, free bool) {
	more := allocated - p.last
	p.last = allocated
	if more >= busy {
		p.idle = 0
		want := min(max(int(100*headroom/max(live, 1)), 100), 800)
		if p.percent != 0 && want < 2*p.percent && p.percent < 2*want {
			return 0, false // about right: setting it stops the world
		}
		p.percent = want
		return want, false
	}
	if p.percent == 0 {
		return 0, false
	}
	if p.idle++; p.idle < quiet {
		return 0, false
	}
	*p = pace{last: allocated}
	return 100, true
}

// heap is what has been allocated since the start, and what was alive after the last collection.
func heap() (allocated, live uint64) {
	samples := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}, {Name: "/gc/heap/live:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64(), samples[1].Value.Uint64()
}
