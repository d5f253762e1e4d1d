package objects

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// item is one object, watched. It is the store of its own reflector.
type item struct {
	key
	users   map[types.UID]bool // guarded by Store.mu
	stop    context.CancelFunc
	changed func()
	born    time.Time

	synced chan struct{} // closed after the first read, whether there was an object or not

	mu     sync.Mutex     // guards all below
	object runtime.Object // nil for none
	read   bool
	missed bool // somebody asked, and could not wait for the first read
}

// run watches until ctx ends.
func (it *item) run(ctx context.Context, client kubernetes.Interface, log *slog.Logger) {
	source, object := it.source(client)
	reflector := cache.NewReflectorWithOptions(cache.ToListWatcherWithWatchListSemantics(source, client), object, it,
		cache.ReflectorOptions{Name: it.kind + " " + it.namespace + "/" + it.name})
	Follow(ctx, reflector, func(err error) {
		log.Warn("cannot watch", "kind", it.kind, "namespace", it.namespace, "name", it.name, "err", err)
	})
}

func (it *item) source(client kubernetes.Interface) (*cache.ListWatch, runtime.Object) {
	only := fields.OneTermEqualSelector(metav1.ObjectNameField, it.name).String()
	if it.kind == "secret" {
		api := client.CoreV1().Secrets(it.namespace)
		return &cache.ListWatch{
			ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
				options.FieldSelector = only
				return api.List(ctx, options)
			},
			WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
				options.FieldSelector = only
				return api.Watch(ctx, options)
			},
		}, &corev1.Secret{}
	}
	api := client.CoreV1().ConfigMaps(it.namespace)
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			options.FieldSelector = only
			return api.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			options.FieldSelector = only
			return api.Watch(ctx, options)
		},
	}, &corev1.ConfigMap{}
}

func (it *item) load() runtime.Object {
	it.mu.Lock()
	defer it.mu.Unlock()
	return it.object
}

// wait waits for the first read. Whoever it fails is told as of a change once there is an answer.
func (it *item) wait(ctx context.Context) error {
	timer := time.NewTimer(patience - time.Since(it.born))
	defer timer.Stop()
	select {
	case <-it.synced:
		return nil
	default:
	}
	select {
	case <-it.synced:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	it.mu.Lock()
	defer it.mu.Unlock()
	if it.read {
		return nil
	}
	it.missed = true
	// Also the answer when the API server refuses: who may read is between it and the node.
	return fmt.Errorf("failed to sync %s cache: timed out waiting for the condition", it.kind)
}

// set keeps an object, nil for none.
func (it *item) set(object any) {
	next, _ := object.(runtime.Object)
	it.mu.Lock()
	first, missed := !it.read, it.missed
	it.object, it.read, it.missed = next, true, false
	it.mu.Unlock()
	if first {
		close(it.synced)
	}
	if !first || missed {
		it.changed()
	}
}

func (it *item) mine(object any) bool {
	accessor, err := meta.Accessor(object)
	return err == nil && accessor.GetName() == it.name && accessor.GetNamespace() == it.namespace
}

// Add, Update, Delete, Replace and Resync are what a reflector calls.

func (it *item) Add(object any) error {
	if it.mine(object) {
		it.set(object)
	}
	return nil
}

func (it *item) Update(object any) error { return it.Add(object) }

func (it *item) Delete(object any) error {
	if it.mine(object) {
		it.set(nil)
	}
	return nil
}

func (it *item) Replace(list []any, _ string) error {
	for _, object := range list {
		if it.mine(object) {
			it.set(object)
			return nil
		}
	}
	it.set(nil)
	return nil
}

func (it *item) Resync() error { return nil }
