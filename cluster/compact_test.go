package cluster

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeHistory notes up to where it was compacted, and when.
type fakeHistory struct {
	revision atomic.Int64 // written from outside while the compactor runs
	failing  error
	compacts []compacted
	start    time.Time
}

type compacted struct {
	After time.Duration
	UpTo  int64
}

func (h *fakeHistory) Revision(context.Context) (int64, error) { return h.revision.Load(), nil }

func (h *fakeHistory) Compact(_ context.Context, upTo int64) error {
	h.compacts = append(h.compacts, compacted{time.Since(h.start), upTo})
	return h.failing
}

func TestCompactor(t *testing.T) {
	const interval = 5 * time.Minute
	for _, test := range []struct {
		name      string
		revisions []int64 // at the start, and one interval later each
		failing   error
		want      []compacted
	}{
		{"a small history is kept", []int64{1, 5_000, 10_000}, nil, nil},
		{"the last five minutes are kept, however much has happened", []int64{1, 50_000, 90_000}, nil,
			[]compacted{{2 * interval, 50_000}}},
		{"the last 10,000 revisions are kept, however old they are", []int64{1, 50_000, 50_001, 50_002}, nil,
			[]compacted{{2 * interval, 40_001}, {3 * interval, 40_002}}},
		{"what was there at the start counts as old after one interval", []int64{30_000, 30_100}, nil,
			[]compacted{{interval, 20_100}}},
		{"a failure is tried again", []int64{30_000, 50_000, 50_000}, errors.New("the disk is full"),
			[]compacted{{interval, 30_000}, {2 * interval, 30_000}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &fakeHistory{failing: test.failing, start: time.Now()}
				h.revision.Store(test.revisions[0])
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- compactor{store: h, log: slog.New(slog.DiscardHandler)}.Run(ctx) }()
				synctest.Wait()
				for _, r := range test.revisions[1:] {
					h.revision.Store(r)
					time.Sleep(interval) // of the bubble's clock
					synctest.Wait()
				}
				cancel()
				if err := <-done; err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff(test.want, h.compacts); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}
