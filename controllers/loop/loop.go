package loop

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

const (
	firstRetry = 5 * time.Millisecond
	lastRetry  = 30 * time.Second
)

// ErrAgain is returned by a reconcile function when nothing went wrong and yet the key has to come again, later
// each time, because no event will tell when.
var ErrAgain = errors.New("not done yet")

// Loop reconciles keys, one worker per key at a time.
type Loop[K comparable] struct {
	name      string
	log       *slog.Logger
	reconcile func(context.Context, K) error
	queue     workqueue.TypedRateLimitingInterface[K]
	synced    []cache.DoneChecker
}

// New returns a loop that calls reconcile for every key that is added, and again, after a growing pause,
// for one whose reconcile returned an error. The name says in the log whose loop it is.
func New[K comparable](name string, log *slog.Logger, reconcile func(context.Context, K) error) *Loop[K] {
	return &Loop[K]{
		name:      name,
		log:       log.With("controller", name),
		reconcile: reconcile,
		queue: workqueue.NewTypedRateLimitingQueueWithConfig(
			workqueue.NewTypedItemExponentialFailureRateLimiter[K](firstRetry, lastRetry),
			workqueue.TypedRateLimitingQueueConfig[K]{Name: name},
		),
	}
}

// Add queues key for a worker that is free. A key that is queued already is queued once; a key that is being
// reconciled is reconciled again afterwards.
func (l *Loop[K]) Add(key K) { l.queue.Add(key) }

// AddAfter adds key when d has passed.
func (l *Loop[K]) AddAfter(key K, d time.Duration) { l.queue.AddAfter(key, d) }

// Run waits until the watched informers have listed what there is and then reconciles with so many workers
// until ctx ends and the last of them has returned. It always returns nil: an end is no failure.
// A loop runs once.
func (l *Loop[K]) Run(ctx context.Context, workers int) error {
	stop := context.AfterFunc(ctx, l.queue.ShutDown)
	defer stop()
	if !cache.WaitFor(ctx, "", l.synced...) {
		l.queue.ShutDown()
		return nil
	}
	l.log.Debug("control loop runs", "workers", workers)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for l.next(ctx) {
			}
		})
	}
	wg.Wait()
	return nil
}

// next reconciles one key and reports whether there may be more.
func (l *Loop[K]) next(ctx context.Context) bool {
	key, shutdown := l.queue.Get()
	if shutdown {
		return false
	}
	defer l.queue.Done(key)
	if ctx.Err() != nil {
		return true // drain what is left, untouched
	}
	err := l.reconcile(ctx, key)
	if err == nil {
		l.queue.Forget(key)
		return true
	}
	l.report(ctx, key, err)
	l.queue.AddRateLimited(key)
	return true
}

// report logs an error. Losing a race with another writer is everyday business and only told when asked for.
func (l *Loop[K]) report(ctx context.Context, key K, err error) {
	switch {
	case errors.Is(err, ErrAgain), ctx.Err() != nil && errors.Is(err, ctx.Err()):
	case apierrors.IsConflict(err):
		l.log.Debug("reconcile lost a race, trying again", "key", key, "err", err)
	default:
		l.log.Warn("reconcile failed, trying again", "key", key, "err", err)
	}
}
