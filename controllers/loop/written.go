package loop

import (
	"sync"

	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/client-go/tools/cache"
)

// Written remembers, for each key, the latest version that its reconcile function wrote, so that it does not decide
// again upon a cache that does not show this yet: where names are generated that would make objects twice.
// The zero value is not ready: make it with NewWritten.
type Written[K comparable] struct {
	store cache.Store

	mu       sync.Mutex
	versions map[K]string
}

// NewWritten remembers what is written of the kind that informer tells of.
func NewWritten[K comparable](informer cache.SharedIndexInformer) *Written[K] {
	return &Written[K]{store: informer.GetStore(), versions: map[K]string{}}
}

// Note takes note of a version that was written for key.
func (w *Written[K]) Note(key K, version string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if newer(version, w.versions[key]) {
		w.versions[key] = version
	}
}

// Seen tells whether the cache has got as far as what was written for key.
func (w *Written[K]) Seen(key K) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if newer(w.versions[key], w.store.LastStoreSyncResourceVersion()) {
		return false
	}
	delete(w.versions, key)
	return true
}

// Forget drops what is remembered for a key that is gone.
func (w *Written[K]) Forget(key K) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.versions, key)
}

// newer tells whether version a is newer than b. Any is newer than none.
func newer(a, b string) bool {
	if a == "" || b == "" {
		return a != ""
	}
	order, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && order > 0
}
