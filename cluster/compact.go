package cluster

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"coracle/storage"
)

// As kube-apiserver's compaction of etcd (--etcd-compaction-interval): what was newest an interval ago becomes
// the oldest that is kept. Here the newest revisions are kept however old the rest is.
const (
	compactEvery  = 5 * time.Minute
	keepRevisions = 10_000
)

// history is a store whose past can be forgotten.
type history interface {
	Revision(context.Context) (int64, error)
	Compact(ctx context.Context, revision int64) error
}

// compactor keeps the store's history short: at least the last five minutes, and at least the last 10,000 revisions.
// A client that lists or watches from before gets a 410, and begins anew.
type compactor struct {
	store history
	log   *slog.Logger
}

// Run compacts until the context ends.
func (c compactor) Run(ctx context.Context) error {
	tick := time.NewTicker(compactEvery)
	defer tick.Stop()
	before, _ := c.store.Revision(ctx) // 0 when it cannot be read: then the first compaction is one interval later
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now, err := c.store.Revision(ctx)
		if upTo := min(before, now-keepRevisions); err == nil && upTo > storage.FirstRevision {
			err = c.store.Compact(ctx, upTo)
		}
		switch {
		case err == nil:
			before = now
		case errors.Is(err, storage.ErrClosed), ctx.Err() != nil:
			return nil
		default:
			c.log.Warn("the store's history cannot be compacted; it will be tried again", "error", err)
		}
	}
}
