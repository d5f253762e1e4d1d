package rbac

import (
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/runtime"
)

// Policy is all Roles, ClusterRoles, RoleBindings and ClusterRoleBindings, kept up to date by events.
// Everything may be called at the same time from many goroutines; readers never wait.
type Policy struct {
	writing sync.Mutex
	now     atomic.Pointer[Snapshot]
}

// NewPolicy returns a policy that has no roles and no bindings: it allows nobody anything.
func NewPolicy() *Policy {
	p := &Policy{}
	p.now.Store(newSnapshot())
	return p
}

// Snapshot returns the policy as it is now.
func (p *Policy) Snapshot() *Snapshot { return p.now.Load() }

// Apply makes the objects part of the policy, in place of those of the same kind and name.
// Objects of other kinds are passed over. The objects must not be changed any more.
func (p *Policy) Apply(objs ...runtime.Object) {
	p.writing.Lock()
	defer p.writing.Unlock()
	p.now.Store(p.now.Load().With(objs...))
}

// Remove takes objects out of the policy. Only their kind, namespace and name are looked at.
func (p *Policy) Remove(objs ...runtime.Object) {
	p.writing.Lock()
	defer p.writing.Unlock()
	p.now.Store(p.now.Load().Without(objs...))
}

// Authorize answers whether the policy as it is now allows the request.
func (p *Policy) Authorize(a *Attributes) Decision { return p.Snapshot().Authorize(a) }
