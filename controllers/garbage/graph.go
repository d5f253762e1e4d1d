package garbage

import (
	"maps"
	"slices"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// node is what the graph knows of one object. It is not changed once it is in the graph, but replaced.
type node struct {
	resource
	namespace, name string
	uid             types.UID
	owners          []metav1.OwnerReference
	deleting        bool
	foreground      bool // deleting, and its dependents go first
	orphaning       bool // deleting, and its dependents stay
}

func newNode(r resource, m metav1.Object) *node {
	n := &node{
		resource:  r,
		namespace: m.GetNamespace(),
		name:      m.GetName(),
		uid:       m.GetUID(),
		owners:    m.GetOwnerReferences(),
		deleting:  m.GetDeletionTimestamp() != nil,
	}
	n.foreground = n.deleting && slices.Contains(m.GetFinalizers(), metav1.FinalizerDeleteDependents)
	n.orphaning = n.deleting && slices.Contains(m.GetFinalizers(), metav1.FinalizerOrphanDependents)
	return n
}

// isNamedBy reports whether ref, found on an object in namespace, names n in all its parts.
func (n *node) isNamedBy(ref metav1.OwnerReference, namespace string) bool {
	return ref.UID == n.uid && ref.Name == n.name && groupKind(ref) == n.kind &&
		(n.namespace == "" || n.namespace == namespace)
}

func groupKind(ref metav1.OwnerReference) schema.GroupKind {
	return schema.FromAPIVersionAndKind(ref.APIVersion, ref.Kind).GroupKind()
}

func blocks(ref metav1.OwnerReference) bool {
	return ref.BlockOwnerDeletion != nil && *ref.BlockOwnerDeletion
}

// graph is every object by UID, and of every owner, known or not, the dependents.
type graph struct {
	mu         sync.RWMutex // guards all below
	nodes      map[types.UID]*node
	dependents map[types.UID]map[types.UID]struct{}
}

func newGraph() *graph {
	return &graph{nodes: map[types.UID]*node{}, dependents: map[types.UID]map[types.UID]struct{}{}}
}

// put enters n in place of what was known of the object, which it returns; nil if nothing was.
func (g *graph) put(n *node) (old *node) {
	g.mu.Lock()
	defer g.mu.Unlock()
	old = g.nodes[n.uid]
	if old != nil {
		g.unlink(old)
	}
	g.nodes[n.uid] = n
	for _, ref := range n.owners {
		if g.dependents[ref.UID] == nil {
			g.dependents[ref.UID] = map[types.UID]struct{}{}
		}
		g.dependents[ref.UID][n.uid] = struct{}{}
	}
	return old
}

// remove takes an object out and returns what was known of it.
func (g *graph) remove(uid types.UID) *node {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.nodes[uid]
	if n != nil {
		g.unlink(n)
		delete(g.nodes, uid)
	}
	return n
}

func (g *graph) unlink(n *node) {
	for _, ref := range n.owners {
		delete(g.dependents[ref.UID], n.uid)
		if len(g.dependents[ref.UID]) == 0 {
			delete(g.dependents, ref.UID)
		}
	}
}

func (g *graph) get(uid types.UID) *node {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.nodes[uid]
}

// dependentsOf returns the objects that name uid as an owner, in no order.
func (g *graph) dependentsOf(uid types.UID) []*node {
	g.mu.RLock()
	defer g.mu.RUnlock()
	var nodes []*node
	for dependent := range maps.Keys(g.dependents[uid]) {
		nodes = append(nodes, g.nodes[dependent])
	}
	return nodes
}

// blocking returns those of uid's dependents that hold up its deletion in the foreground.
func (g *graph) blocking(uid types.UID) []*node {
	return slices.DeleteFunc(g.dependentsOf(uid), func(n *node) bool {
		return !slices.ContainsFunc(n.owners, func(ref metav1.OwnerReference) bool { return ref.UID == uid && blocks(ref) })
	})
}

// of returns all objects of one resource.
func (g *graph) of(r schema.GroupVersionResource) []types.UID {
	g.mu.RLock()
	defer g.mu.RUnlock()
	var uids []types.UID
	for uid, n := range g.nodes {
		if n.gvr == r {
			uids = append(uids, uid)
		}
	}
	return uids
}
