package garbage

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
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

// monitors runs one informer per resource and keeps to what discovery says.
type monitors struct {
	client  metadata.Interface
	changed func(r resource, old, new *metav1.PartialObjectMetadata)
	ended   func(schema.GroupVersionResource)
	running map[schema.GroupVersionResource]*monitor
}

type monitor struct {
	informer cache.SharedIndexInformer
	synced   cache.DoneChecker
	stop     context.CancelFunc
	done     sync.WaitGroup
}

// sync starts the monitors that are missing and stops those that are too many.
func (m *monitors) sync(ctx context.Context, watched []resource) error {
	want := map[schema.GroupVersionResource]bool{}
	for _, r := range watched {
		want[r.gvr] = true
		if m.running[r.gvr] != nil {
			continue
		}
		started, err := m.start(ctx, r)
		if err != nil {
			return err
		}
		m.running[r.gvr] = started
	}
	for gvr, monitor := range m.running {
		if !want[gvr] {
			monitor.end()
			delete(m.running, gvr)
			m.ended(gvr)
		}
	}
	return nil
}

func (m *monitors) start(ctx context.Context, r resource) (*monitor, error) {
	informer := metadatainformer.NewFilteredMetadataInformer(m.client, r.gvr, metav1.NamespaceAll, 0, nil, nil).Informer()
	if err := informer.SetTransform(strip); err != nil {
		return nil, err
	}
	registration, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { m.tell(r, nil, obj) },
		UpdateFunc: func(old, obj any) { m.tell(r, old, obj) },
		DeleteFunc: func(obj any) { m.tell(r, obj, nil) },
	})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	started := &monitor{informer: informer, synced: registration.HasSyncedChecker(), stop: stop}
	started.done.Go(func() { informer.RunWithContext(ctx) })
	return started, nil
}

func (m *monitors) tell(r resource, old, new any) {
	before, after := partial(old), partial(new)
	if before != nil || after != nil {
		m.changed(r, before, after)
	}
}

func partial(obj any) *metav1.PartialObjectMetadata {
	if gone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = gone.Obj
	}
	m, _ := obj.(*metav1.PartialObjectMetadata)
	return m
}

// strip leaves of an object what the graph needs: the cache holds all objects there are.
func strip(obj any) (any, error) {
	if m, ok := obj.(*metav1.PartialObjectMetadata); ok {
		m.ManagedFields, m.Annotations, m.Labels = nil, nil, nil
	}
	return obj, nil
}

// wait waits, with patience, until all monitors know what there is.
func (m *monitors) wait(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var synced []cache.DoneChecker
	for _, monitor := range m.running {
		synced = append(synced, monitor.synced)
	}
	return cache.WaitFor(ctx, "", synced...)
}

func (m *monitors) endAll() {
	for _, monitor := range m.running {
		monitor.stop()
	}
	for _, monitor := range m.running {
		monitor.done.Wait()
	}
}

func (m *monitor) end() {
	m.stop()
	m.done.Wait()
}
