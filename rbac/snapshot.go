package rbac

import (
	"cmp"
	"hash/maphash"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
)

// Snapshot is all roles and bindings as of one moment. It never changes, so that a decision can be explained
// long afterwards by the policy that took it, and so that one can ask what a change would bring before making
// it: s.With(binding).Authorize(a). Copies share what they have in common.
type Snapshot struct {
	roles    persistent[objectKey, *Role]
	bindings persistent[objectKey, *Binding]
	// held is the index that makes answers quick: which roles somebody holds in a namespace, and by which
	// bindings. Its lists are ordered, and replaced rather than changed.
	held persistent[holder, []holding]
}

// holding is a role held, and the bindings that give it. The role may not exist.
type holding struct {
	role     objectKey
	bindings []*Binding
}

func newSnapshot() *Snapshot {
	seed := maphash.MakeSeed()
	return &Snapshot{
		roles:    newPersistent[objectKey, *Role](seed),
		bindings: newPersistent[objectKey, *Binding](seed),
		held:     newPersistent[holder, []holding](seed),
	}
}

// With returns the snapshot that results when the objects are created, or replace those of their name.
// Objects of other kinds than rbac.authorization.k8s.io/v1's four are passed over.
// The objects are shared from then on and must not be changed any more.
func (s *Snapshot) With(objs ...runtime.Object) *Snapshot {
	next := *s
	for _, obj := range objs {
		switch role, binding := from(obj); {
		case role != nil:
			next.roles = next.roles.set(role.key(), role)
		case binding != nil:
			next.unbind(binding.key())
			next.bind(binding)
		}
	}
	return &next
}

// Without returns the snapshot that results when the objects of that kind and name are deleted.
func (s *Snapshot) Without(objs ...runtime.Object) *Snapshot {
	next := *s
	for _, obj := range objs {
		switch role, binding := from(obj); {
		case role != nil:
			next.roles = next.roles.without(role.key())
		case binding != nil:
			next.unbind(binding.key())
		}
	}
	return &next
}

func (s *Snapshot) bind(b *Binding) {
	s.bindings = s.bindings.set(b.key(), b)
	for _, subject := range b.Subjects {
		if h, ok := b.holderOf(subject); ok {
			list, _ := s.held.get(h)
			s.held = s.held.set(h, hold(list, b))
		}
	}
}

func (s *Snapshot) unbind(key objectKey) {
	b, found := s.bindings.get(key)
	if !found {
		return
	}
	s.bindings = s.bindings.without(key)
	for _, subject := range b.Subjects {
		h, ok := b.holderOf(subject)
		if !ok {
			continue
		}
		list, _ := s.held.get(h)
		if list = release(list, b); len(list) == 0 {
			s.held = s.held.without(h)
		} else {
			s.held = s.held.set(h, list)
		}
	}
}

// hold returns the list with what the binding gives, in order of roles and then of bindings.
func hold(list []holding, b *Binding) []holding {
	i, found := find(list, b)
	if !found {
		return slices.Insert(slices.Clip(list), i, holding{role: b.roleKey(), bindings: []*Binding{b}})
	}
	at, twice := slices.BinarySearchFunc(list[i].bindings, b, byName)
	if twice { // one binding can name a subject more than once
		return list
	}
	list = slices.Clone(list)
	list[i].bindings = slices.Insert(slices.Clip(list[i].bindings), at, b)
	return list
}

// release returns the list without what the binding gives.
func release(list []holding, b *Binding) []holding {
	i, found := find(list, b)
	if !found {
		return list
	}
	at, found := slices.BinarySearchFunc(list[i].bindings, b, byName)
	if !found {
		return list
	}
	list = slices.Clone(list)
	if len(list[i].bindings) == 1 {
		return slices.Delete(list, i, i+1)
	}
	list[i].bindings = slices.Delete(slices.Clone(list[i].bindings), at, at+1)
	return list
}

func find(list []holding, b *Binding) (int, bool) {
	return slices.BinarySearchFunc(list, b, func(h holding, b *Binding) int {
		return cmp.Or(cmp.Compare(h.role.kind, b.RoleRef.Kind), cmp.Compare(h.role.name, b.RoleRef.Name))
	})
}

func byName(a, b *Binding) int { return cmp.Compare(a.Name, b.Name) }

// Role returns a Role, or a ClusterRole when namespace is empty.
func (s *Snapshot) Role(namespace, name string) (*Role, bool) {
	return s.roles.get((&Role{Namespace: namespace, Name: name}).key())
}

// Binding returns a RoleBinding, or a ClusterRoleBinding when namespace is empty.
func (s *Snapshot) Binding(namespace, name string) (*Binding, bool) {
	return s.bindings.get((&Binding{Namespace: namespace, Name: name}).key())
}
