package policy

import (
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/apiserver/admission/match"
	"coracle/storage/cache"
)

// policy is one ValidatingAdmissionPolicy.
type policy struct {
	*admissionregistrationv1.ValidatingAdmissionPolicy
	criteria *match.Criteria
	program  func() *program
}

// binding is one ValidatingAdmissionPolicyBinding.
type binding struct {
	*admissionregistrationv1.ValidatingAdmissionPolicyBinding
	criteria *match.Criteria
}

// bound is a policy that is in force where its bindings say.
type bound struct {
	*policy
	bindings []*binding
}

// policies are all that are bound, in the order of their names.
type policies struct {
	log     *slog.Logger
	compile func(*admissionregistrationv1.ValidatingAdmissionPolicy) *program

	mu       sync.Mutex
	policies map[string]*policy
	bindings map[string]*binding
	current  atomic.Pointer[[]bound]
}

// all returns the policies. The slice must not be changed.
func (p *policies) all() []bound {
	if list := p.current.Load(); list != nil {
		return *list
	}
	return nil
}

// Subscriber hears of stored objects.
type Subscriber interface {
	// Subscribe calls f for everything of a resource that there is, and for every later change before its writer is told.
	Subscribe(gr schema.GroupResource, f func(*cache.Event))
}

func (p *policies) follow(objects Subscriber) {
	for _, resource := range []string{"validatingadmissionpolicies", "validatingadmissionpolicybindings"} {
		objects.Subscribe(schema.GroupResource{Group: admissionregistrationv1.GroupName, Resource: resource}, p.hear)
	}
}

func (p *policies) hear(e *cache.Event) {
	obj, err := e.Entry.Object()
	if err != nil {
		p.log.Error("an admission policy cannot be read, so it is not in force", "key", e.Entry.Key, "error", err)
		return
	}
	gone := e.Type == cache.Deleted
	p.mu.Lock()
	defer p.mu.Unlock()
	switch o := obj.(type) {
	case *admissionregistrationv1.ValidatingAdmissionPolicy:
		delete(p.policies, o.Name)
		if !gone {
			p.policies[o.Name] = &policy{o, criteria(o.Spec.MatchConstraints), sync.OnceValue(func() *program { return p.compile(o) })}
		}
	case *admissionregistrationv1.ValidatingAdmissionPolicyBinding:
		delete(p.bindings, o.Name)
		if !gone {
			p.bindings[o.Name] = &binding{o, criteria(o.Spec.MatchResources)}
		}
	}
	var list []bound
	for _, name := range slices.Sorted(maps.Keys(p.policies)) {
		one := bound{policy: p.policies[name]}
		for _, by := range slices.Sorted(maps.Keys(p.bindings)) {
			if b := p.bindings[by]; b.Spec.PolicyName == name {
				one.bindings = append(one.bindings, b)
			}
		}
		if len(one.bindings) > 0 {
			list = append(list, one)
		}
	}
	p.current.Store(&list)
}

// criteria are what a policy or binding is about; nil for everything.
func criteria(m *admissionregistrationv1.MatchResources) *match.Criteria {
	if m == nil {
		m = &admissionregistrationv1.MatchResources{}
	}
	c := match.New(m.NamespaceSelector, m.ObjectSelector, m.MatchPolicy)
	c.Rules, c.Excluded, c.Any = m.ResourceRules, m.ExcludeResourceRules, true
	return c
}
