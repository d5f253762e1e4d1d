package objects

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/cache"
)

// Collection holds all objects that one watch brings: what a node may watch as a whole, unlike Secrets. It is the
// store of its own reflector, and is shared: nothing in it may be changed.
type Collection[T metav1.Object] struct {
	changed func(object T, gone bool)
	synced  chan struct{} // closed after the first read

	mu      sync.Mutex // guards all below
	objects map[cache.ObjectName]T
	born    time.Time // when it was first followed
	read    bool
	missed  bool // somebody could not wait for the first read
}

// NewCollection makes one that is empty until Follow. changed is called with what comes, changes or goes after the first
// read; and with the first read as well, if somebody had not the patience to wait for it. It must not block.
func NewCollection[T metav1.Object](changed func(object T, gone bool)) *Collection[T] {
	return &Collection[T]{changed: changed, synced: make(chan struct{}), objects: map[cache.ObjectName]T{}}
}

// Follow lists and watches until ctx ends. It is called once.
func (c *Collection[T]) Follow(ctx context.Context, source cache.ListerWatcher, example runtime.Object, name string, report func(error)) {
	c.mu.Lock()
	c.born = time.Now()
	c.mu.Unlock()
	Follow(ctx, cache.NewReflectorWithOptions(source, example, c, cache.ReflectorOptions{Name: name}), report)
}

// Wait waits for the first read, a second from the beginning at most, and tells whether there was one.
func (c *Collection[T]) Wait(ctx context.Context) bool {
	c.mu.Lock()
	left := patience
	if !c.born.IsZero() {
		left -= time.Since(c.born)
	}
	c.mu.Unlock()
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-c.synced:
		return true
	case <-ctx.Done():
	case <-timer.C:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.missed = !c.read
	return c.read
}

// Get is the newest known version of an object. The namespace of a cluster's object is empty.
func (c *Collection[T]) Get(namespace, name string) (object T, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	object, ok = c.objects[cache.NewObjectName(namespace, name)]
	return object, ok
}

// All are the newest known versions of all objects.
func (c *Collection[T]) All() []T {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]T, 0, len(c.objects))
	for _, object := range c.objects {
		all = append(all, object)
	}
	return all
}

// Add, Update, Delete, Replace and Resync are what a reflector calls.

func (c *Collection[T]) Add(object any) error {
	if typed, ok := object.(T); ok {
		c.mu.Lock()
		c.objects[cache.MetaObjectToName(typed)] = typed
		c.mu.Unlock()
		c.changed(typed, false)
	}
	return nil
}

func (c *Collection[T]) Update(object any) error { return c.Add(object) }

func (c *Collection[T]) Delete(object any) error {
	if typed, ok := object.(T); ok {
		c.mu.Lock()
		delete(c.objects, cache.MetaObjectToName(typed))
		c.mu.Unlock()
		c.changed(typed, true)
	}
	return nil
}

func (c *Collection[T]) Replace(list []any, _ string) error {
	next := make(map[cache.ObjectName]T, len(list))
	for _, object := range list {
		if typed, ok := object.(T); ok {
			next[cache.MetaObjectToName(typed)] = typed
		}
	}
	c.mu.Lock()
	before, tell := c.objects, c.read || c.missed
	c.objects = next
	if !c.read {
		c.read = true
		close(c.synced)
	}
	c.mu.Unlock()
	if !tell {
		return nil
	}
	for name, object := range before {
		if _, still := next[name]; !still {
			c.changed(object, true)
		}
	}
	for name, object := range next {
		if old, was := before[name]; !was || old.GetResourceVersion() != object.GetResourceVersion() {
			c.changed(object, false)
		}
	}
	return nil
}

func (c *Collection[T]) Resync() error { return nil }
