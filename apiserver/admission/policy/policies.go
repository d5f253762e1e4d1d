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

// policy is what both kinds of policies have, and what is made of the expressions when they are first needed.
type policy struct {
	name      string
	failure   *admissionregistrationv1.FailurePolicyType
	paramKind *admissionregistrationv1.ParamKind
	criteria  *match.Criteria
	again     bool // it wants to see what others change later

	rules     func() *rules     // of a ValidatingAdmissionPolicy
	mutations func() *mutations // of a MutatingAdmissionPolicy
}

// mayFail tells that a request is not refused because the policy cannot be evaluated.
func (p *policy) mayFail() bool {
	return p.failure != nil && *p.failure == admissionregistrationv1.Ignore
}

// binding is what both kinds of bindings have.
type binding struct {
	name, of string // of is the policy
	ref      *admissionregistrationv1.ParamRef
	criteria *match.Criteria
	actions  []admissionregistrationv1.ValidationAction // of a ValidatingAdmissionPolicyBinding
}

// bound is a policy that is in force where its bindings say.
type bound struct {
	*policy
	bindings []*binding
}

// policies are all of one kind that are bound, in the order of their names.
type policies struct {
	log      *slog.Logger
	compiler *compiler

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

// follow returns the policies and bindings of two resources, now and later.
func follow(c Config, with *compiler, resources ...string) *policies {
	p := &policies{log: c.Log, compiler: with, policies: map[string]*policy{}, bindings: map[string]*binding{}}
	for _, resource := range resources {
		c.Objects.Subscribe(schema.GroupResource{Group: admissionregistrationv1.GroupName, Resource: resource}, p.hear)
	}
	return p
}

func (p *policies) hear(e *cache.Event) {
	obj, err := e.Entry.Object()
	if err != nil {
		p.log.Error("an admission policy cannot be read, so it is not in force", "key", e.Entry.Key, "error", err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	gone := e.Type == cache.Deleted
	switch o := obj.(type) {
	case *admissionregistrationv1.ValidatingAdmissionPolicy:
		put(p.policies, o.Name, p.compiler.validating(o), gone)
	case *admissionregistrationv1.MutatingAdmissionPolicy:
		put(p.policies, o.Name, p.compiler.mutating(o), gone)
	case *admissionregistrationv1.ValidatingAdmissionPolicyBinding:
		put(p.bindings, o.Name, &binding{o.Name, o.Spec.PolicyName, o.Spec.ParamRef, criteria(o.Spec.MatchResources), o.Spec.ValidationActions}, gone)
	case *admissionregistrationv1.MutatingAdmissionPolicyBinding:
		put(p.bindings, o.Name, &binding{o.Name, o.Spec.PolicyName, o.Spec.ParamRef, criteria(o.Spec.MatchResources), nil}, gone)
	}
	var list []bound
	for _, name := range slices.Sorted(maps.Keys(p.policies)) {
		one := bound{policy: p.policies[name]}
		for _, by := range slices.Sorted(maps.Keys(p.bindings)) {
			if b := p.bindings[by]; b.of == name {
				one.bindings = append(one.bindings, b)
			}
		}
		if len(one.bindings) > 0 {
			list = append(list, one)
		}
	}
	p.current.Store(&list)
}

func put[T any](into map[string]T, name string, what T, gone bool) {
	delete(into, name)
	if !gone {
		into[name] = what
	}
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
