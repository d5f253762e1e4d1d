package garbage

import (
	"context"
	"log/slog"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/utils/lru"

	"coracle/controllers/event"
	"coracle/controllers/loop"
)

const (
	workers = 5
	// remembered is how many owners that are gone are remembered, to save asking for them again.
	remembered = 500
)

// definitions are objects whose change means that other resources are served than before.
var definitions = map[schema.GroupKind]bool{
	{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}: true,
	{Group: "apiregistration.k8s.io", Kind: "APIService"}:             true,
}

// Discovery tells which resources there are. client-go's discovery client is one.
type Discovery interface {
	ServerPreferredResources() ([]*metav1.APIResourceList, error)
}

// Controller is the garbage collector.
type Controller struct {
	content   metadata.Interface
	discovery Discovery
	log       *slog.Logger
	events    *event.Recorder
	catalog   catalog
	graph     *graph
	absent    *lru.Cache // of identity: owners that are known to be gone
	loop      *loop.Loop[types.UID]
	redefined chan struct{} // holds one wish for discovery
}

// identity is what a reference says about an owner.
type identity struct {
	kind            schema.GroupKind
	namespace, name string
	uid             types.UID
}

// New makes a garbage collector; content and discovery belong to the same identity as client. It watches
// for itself.
func New(client kubernetes.Interface, content metadata.Interface, discovery Discovery, log *slog.Logger) *Controller {
	c := &Controller{
		content:   content,
		discovery: discovery,
		log:       log.With("controller", "garbage"),
		events:    event.New(client, "garbage-collector-controller", log),
		graph:     newGraph(),
		absent:    lru.New(remembered),
		redefined: make(chan struct{}, 1),
	}
	c.loop = loop.New("garbage", log, c.reconcile)
	return c
}

// Run runs the controller until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	m := &monitors{
		client:  c.content,
		listen:  c,
		running: map[schema.GroupVersionResource]*monitor{},
	}
	defer m.endAll()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { c.discover(ctx, m, &wg) })
	return c.events.Run(ctx)
}

// discover keeps the monitors to what is served, and starts the work when they know what there is.
func (c *Controller) discover(ctx context.Context, m *monitors, wg *sync.WaitGroup) {
	var working sync.Once
	for ctx.Err() == nil {
		lists, err := c.discovery.ServerPreferredResources()
		if err != nil {
			c.log.Warn("discovery is incomplete", "err", err)
		}
		if len(lists) > 0 {
			m.sync(ctx, c.catalog.update(lists, err))
			working.Do(func() {
				if !m.wait(ctx) && ctx.Err() == nil {
					c.log.Warn("not every resource could be listed; beginning without")
				}
				wg.Go(func() { _ = c.loop.Run(ctx, workers) })
			})
		}
		c.nextDiscovery(ctx)
	}
}

// nextDiscovery returns when it is time to ask discovery again, or at the end.
func (c *Controller) nextDiscovery(ctx context.Context) {
	timer := time.NewTimer(rediscovery)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return
	case <-timer.C:
		return
	case <-c.redefined:
	}
	timer.Reset(settling)
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// objectChanged enters an object that is new or changed and queues whom it concerns.
func (c *Controller) objectChanged(r resource, obj *metav1.PartialObjectMetadata) {
	c.noticeDefinition(r)
	n := newNode(r, obj)
	before := c.graph.put(n)
	if before != nil {
		c.unblock(before, n)
	}
	if n.foreground || n.orphaning || c.doubtful(n) {
		c.loop.Add(n.uid)
	}
	c.warnOfNamespaces(n)
	if before == nil {
		c.checkDependents(n)
	}
}

// objectGone queues the dependents of an object that is gone, and its owners that were waiting for its end.
func (c *Controller) objectGone(r resource, uid types.UID) {
	c.noticeDefinition(r)
	n := c.graph.remove(uid)
	if n == nil {
		return
	}
	c.absent.Add(identity{n.kind, n.namespace, n.name, n.uid}, nil)
	for _, dependent := range c.graph.dependentsOf(uid) {
		c.loop.Add(dependent.uid)
	}
	for _, ref := range n.owners {
		c.wakeOwner(ref.UID)
	}
}

// noticeDefinition wishes for discovery when an object of r means that other resources are served than before.
func (c *Controller) noticeDefinition(r resource) {
	if !definitions[r.kind] {
		return
	}
	select {
	case c.redefined <- struct{}{}:
	default:
	}
}

// unblock queues owners that wait for before and need not wait for after.
func (c *Controller) unblock(before, after *node) {
	still := map[types.UID]bool{}
	for _, ref := range after.owners {
		still[ref.UID] = still[ref.UID] || blocks(ref)
	}
	for _, ref := range before.owners {
		if blocks(ref) && !still[ref.UID] {
			c.wakeOwner(ref.UID)
		}
	}
}

func (c *Controller) wakeOwner(uid types.UID) {
	if owner := c.graph.get(uid); owner != nil && owner.foreground {
		c.loop.Add(uid)
	}
}

// doubtful reports whether one of n's owners is not known to be alive and well.
func (c *Controller) doubtful(n *node) bool {
	for _, ref := range n.owners {
		if owner := c.graph.get(ref.UID); owner == nil || owner.foreground || !owner.isNamedBy(ref, n.namespace) {
			return true
		}
	}
	return false
}

// checkDependents queues objects that name n as their owner, but in part wrongly.
func (c *Controller) checkDependents(n *node) {
	for _, dependent := range c.graph.dependentsOf(n.uid) {
		if c.doubtful(dependent) {
			c.warnOfNamespaces(dependent)
			c.loop.Add(dependent.uid)
		}
	}
}

// warnOfNamespaces tells of owners that are in another namespace: those are none.
func (c *Controller) warnOfNamespaces(n *node) {
	for _, ref := range n.owners {
		owner := c.graph.get(ref.UID)
		if owner == nil || owner.namespace == "" || owner.namespace == n.namespace {
			continue
		}
		about := &v1.ObjectReference{
			APIVersion: n.gvr.GroupVersion().String(), Kind: n.kind.Kind, Namespace: n.namespace, Name: n.name, UID: n.uid,
		}
		c.events.Warning(about, "OwnerRefInvalidNamespace",
			"ownerRef [%s/%s, namespace: %s, name: %s, uid: %s] does not exist in namespace %q",
			ref.APIVersion, ref.Kind, n.namespace, ref.Name, ref.UID, n.namespace)
	}
}

// resourceEnded forgets the objects of a resource that is no longer served. Nothing is concluded from that: their
// deletions were told one by one, if they were deleted.
func (c *Controller) resourceEnded(gvr schema.GroupVersionResource) {
	for _, uid := range c.graph.of(gvr) {
		c.graph.remove(uid)
	}
}
