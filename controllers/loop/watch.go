package loop

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/cache"
)

// Watch calls changed with every object that informer adds (old is zero), updates, or deletes (new is zero,
// old is its last known state), and makes l.Run wait until those that exist have been handed over.
// T is a pointer type; objects of another type are passed over. changed must not block.
// Call it before the informer starts and before Run.
func Watch[T any, K comparable](l *Loop[K], informer cache.SharedIndexInformer, changed func(old, new T)) {
	registration, err := handle(informer, changed)
	if err != nil {
		// Only an informer that has been stopped refuses a handler; then no event can come either.
		l.log.Warn("informer is stopped", "err", err)
		return
	}
	l.synced = append(l.synced, registration.HasSyncedChecker())
}

// WatchLate is Watch for an informer that has been started, and a loop that runs: by then something has turned out to be
// of interest. The loop must Need the informer.
func WatchLate[T any, K comparable](l *Loop[K], informer cache.SharedIndexInformer, changed func(old, new T)) {
	if _, err := handle(informer, changed); err != nil {
		l.log.Warn("informer is stopped", "err", err)
	}
}

func handle[T any](informer cache.SharedIndexInformer, changed func(old, new T)) (cache.ResourceEventHandlerRegistration, error) {
	var none T
	return informer.AddEventHandler(cache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(obj any, _ bool) {
			if t, ok := obj.(T); ok {
				changed(none, t)
			}
		},
		UpdateFunc: func(before, after any) {
			old, ok := before.(T)
			new, ok2 := after.(T)
			if ok && ok2 {
				changed(old, new)
			}
		},
		DeleteFunc: func(obj any) {
			if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
				obj = gone.Obj
			}
			if t, ok := obj.(T); ok {
				changed(t, none)
			}
		},
	})
}

// Need makes l.Run wait for an informer whose lister is read though nobody watches it here.
func Need[K comparable](l *Loop[K], informers ...cache.SharedIndexInformer) {
	for _, i := range informers {
		l.synced = append(l.synced, i.HasSyncedChecker())
	}
}

// Named makes the usual key of an object.
func Named(obj any) cache.ObjectName {
	m, err := meta.Accessor(obj)
	if err != nil {
		return cache.ObjectName{}
	}
	return cache.MetaObjectToName(m)
}

// RunAll runs several loops, one after the other begun and all together ended. It returns when each has.
func RunAll(ctx context.Context, runs ...func(context.Context) error) error {
	var wg sync.WaitGroup
	errs := make([]error, len(runs))
	for i, run := range runs {
		wg.Go(func() { errs[i] = run(ctx) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
