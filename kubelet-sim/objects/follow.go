package objects

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/cache"
)

// Follow keeps a reflector listing and watching until ctx ends, and reports each time that it could not.
// The first retries come fast: a pod waits for what is followed, and a server that is starting, or that
// learns of the pod a moment after its node does, is soon ready. (Reflector.Run would pace all reflectors of
// the process by one clock and log to a global.)
func Follow(ctx context.Context, reflector *cache.Reflector, report func(error)) {
	fresh := wait.Backoff{Duration: 10 * time.Millisecond, Factor: 2, Steps: 11, Cap: 10 * time.Second, Jitter: 0.1}
	retry := fresh
	for ctx.Err() == nil {
		started := time.Now()
		err := reflector.ListAndWatchWithContext(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			report(err)
		}
		if time.Since(started) > fresh.Cap { // it worked for a while
			retry = fresh
		}
		select {
		case <-ctx.Done():
		case <-time.After(retry.Step()):
		}
	}
}
