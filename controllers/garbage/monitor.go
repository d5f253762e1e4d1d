package garbage

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"
)

const (
	// rediscovery is how often discovery is asked without a reason, as upstream does.
	rediscovery = 30 * time.Second
	// settling is how long after a change of the served resources discovery is asked: a definition's kind is served
	// a moment after the definition changes.
	settling = 50 * time.Millisecond
	// patience is how long the first lists may take before work begins without those that are missing.
	patience = 30 * time.Second
)

// listener is told what happens to the objects of the resources that are monitored.
type listener interface {
	objectChanged(resource, *metav1.PartialObjectMetadata)
	objectGone(resource, types.UID)
	resourceEnded(schema.GroupVersionResource)
}

// monitors runs one reflector per resource and keeps to what discovery says. An informer would keep a second copy of
// every object beside the graph, and three more goroutines per resource.
type monitors struct {
	client  metadata.Interface
	listen  listener
	running map[schema.GroupVersionResource]*monitor
}

// sync starts the monitors that are missing and stops those that are too many.
func (m *monitors) sync(ctx context.Context, watched []resource) {
	want := map[schema.GroupVersionResource]bool{}
	for _, r := range watched {
		want[r.gvr] = true
		if m.running[r.gvr] == nil {
			m.running[r.gvr] = m.start(ctx, r)
		}
	}
	for gvr, monitor := range m.running {
		if !want[gvr] {
			monitor.end()
			delete(m.running, gvr)
			m.listen.resourceEnded(gvr)
		}
	}
}

func (m *monitors) start(ctx context.Context, r resource) *monitor {
	ctx, stop := context.WithCancel(ctx)
	started := &monitor{
		resource: r, listen: m.listen, known: map[cache.ObjectName]types.UID{}, listed: make(chan struct{}), stop: stop,
	}
	objects := m.client.Resource(r.gvr)
	source := cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
			return objects.List(ctx, options)
		},
		WatchFuncWithContext: func(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
			return objects.Watch(ctx, options)
		},
	}, m.client)
	reflector := cache.NewReflectorWithOptions(source, &metav1.PartialObjectMetadata{}, started,
		cache.ReflectorOptions{Name: "garbage " + r.gvr.Resource})
	started.done.Go(func() { reflector.RunWithContext(ctx) })
	return started
}

// wait waits, with patience, until all monitors know what there is.
func (m *monitors) wait(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for _, monitor := range m.running {
		select {
		case <-monitor.listed:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (m *monitors) endAll() {
	for _, monitor := range m.running {
		monitor.stop()
	}
	for _, monitor := range m.running {
		monitor.done.Wait()
	}
}

// monitor is the reflector's store (cache.ReflectorStore) for one resource. It keeps of each object the UID, to tell
// which object is gone when another of the same name takes its place.
type monitor struct {
	resource resource
	listen   listener
	known    map[cache.ObjectName]types.UID // touched by the reflector's goroutine alone
	once     sync.Once
	listed   chan struct{} // closed when what there was at first is known
	stop     context.CancelFunc
	done     sync.WaitGroup
}

func (m *monitor) end() {
	m.stop()
	m.done.Wait()
}

// Add enters an object that is there.
func (m *monitor) Add(obj any) error {
	object, ok := obj.(*metav1.PartialObjectMetadata)
	if !ok {
		return nil
	}
	name := cache.MetaObjectToName(object)
	if before, known := m.known[name]; known && before != object.UID {
		m.listen.objectGone(m.resource, before)
	}
	m.known[name] = object.UID
	m.listen.objectChanged(m.resource, object)
	return nil
}

// Update is Add: the graph knows what the object was.
func (m *monitor) Update(obj any) error { return m.Add(obj) }

// Delete forgets an object.
func (m *monitor) Delete(obj any) error {
	if object, ok := obj.(*metav1.PartialObjectMetadata); ok {
		m.forget(cache.MetaObjectToName(object))
	}
	return nil
}

func (m *monitor) forget(name cache.ObjectName) {
	if uid, known := m.known[name]; known {
		delete(m.known, name)
		m.listen.objectGone(m.resource, uid)
	}
}

// Replace enters all objects that there are, and forgets the others.
func (m *monitor) Replace(objects []any, _ string) error {
	there := make(map[cache.ObjectName]bool, len(objects))
	for _, obj := range objects {
		if object, ok := obj.(*metav1.PartialObjectMetadata); ok {
			there[cache.MetaObjectToName(object)] = true
		}
	}
	for name := range m.known {
		if !there[name] {
			m.forget(name)
		}
	}
	for _, obj := range objects {
		if err := m.Add(obj); err != nil {
			return err
		}
	}
	m.once.Do(func() { close(m.listed) })
	return nil
}

// Resync does nothing: nothing that was told is told again.
func (m *monitor) Resync() error { return nil }
