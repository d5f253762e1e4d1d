package rbac

import (
	"cmp"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
)

// NearMiss is a way to the permission of which exactly one link is broken.
type NearMiss struct {
	Link   Link   `json:"link"`
	Way    Way    `json:"way"`
	Says   string `json:"says"` // what is wrong
	Repair Repair `json:"repair"`
}

// candidate is a near miss before it is put into words.
type candidate struct {
	miss
	binding *Binding
	role    *Role // nil when it is the role that is missing
	rule    int
	// of a broken subject: what stands there, and what should
	subject, instead rbacv1.Subject
}

// nearestFirst orders the links: first what can hardly be anything but a mistake in the policy.
var nearestFirst = []Link{BrokenRole, BrokenSubject, BrokenResource, BrokenSubresource, BrokenAPIGroup, BrokenResourceName,
	BrokenNamespace, BrokenPath, BrokenVerb}

// candidates walks every binding and keeps the ways of which exactly one link is broken, the nearest first.
// A request that only a star could allow has none.
func (s *Snapshot) candidates(a *Attributes) []candidate {
	if !grantable(a) {
		return nil
	}
	found := map[candidateKey]candidate{}
	for _, b := range s.bindings.all() {
		for _, c := range s.candidatesOf(a, b) {
			// The same fault can be reached by several bindings: one is enough, always the same.
			if other, known := found[c.key()]; !known || c.binding.before(other.binding) {
				found[c.key()] = c
			}
		}
	}
	sorted := make([]candidate, 0, len(found))
	for _, c := range found {
		sorted = append(sorted, c)
	}
	slices.SortFunc(sorted, candidate.compare)
	return sorted
}

func (s *Snapshot) candidatesOf(a *Attributes, b *Binding) []candidate {
	counts := b.Namespace == "" || b.Namespace == a.Namespace
	_, bound := b.subjectFor(a.User)
	role, exists := s.roles.get(b.roleKey())
	switch {
	case bound && counts && !exists:
		return []candidate{{miss: miss{link: BrokenRole}, binding: b, rule: -1}}
	case !exists:
		return nil
	case bound && counts:
		var found []candidate
		for i := range role.Rules {
			if m, ok := missOf(&role.Rules[i], a); ok {
				found = append(found, candidate{miss: m, binding: b, role: role, rule: i})
			}
		}
		return found
	case !bound && !counts:
		return nil
	}
	rule := role.ruleFor(a)
	if rule < 0 {
		return nil
	}
	if bound {
		return []candidate{{miss: miss{link: BrokenNamespace}, binding: b, role: role, rule: rule}}
	}
	var found []candidate
	for _, subject := range b.Subjects {
		if instead, says, ok := b.similarSubject(subject, a.User); ok {
			found = append(found, candidate{miss: miss{BrokenSubject, says}, binding: b, role: role, rule: rule, subject: subject, instead: instead})
		}
	}
	return found
}

// candidateKey tells faults apart: those of a rule by the rule, those of a binding by the binding or its namespace.
type candidateKey struct {
	link    Link
	role    objectKey
	rule    int
	binding objectKey
	subject rbacv1.Subject
}

func (c candidate) key() candidateKey {
	key := candidateKey{link: c.link, role: c.binding.roleKey(), rule: c.rule, subject: c.subject}
	switch c.link {
	case BrokenRole, BrokenSubject:
		key.binding = c.binding.key()
	case BrokenNamespace:
		key.binding.namespace = c.binding.Namespace
	}
	return key
}

func (c candidate) compare(d candidate) int {
	x, y := c.binding.roleKey(), d.binding.roleKey()
	return cmp.Or(
		cmp.Compare(slices.Index(nearestFirst, c.link), slices.Index(nearestFirst, d.link)),
		cmp.Compare(x.name, y.name), cmp.Compare(x.namespace, y.namespace), cmp.Compare(x.kind, y.kind),
		cmp.Compare(c.rule, d.rule),
		cmp.Compare(c.binding.Namespace, d.binding.Namespace), cmp.Compare(c.binding.Name, d.binding.Name),
		cmp.Compare(c.says, d.says))
}

func (b *Binding) before(other *Binding) bool {
	return cmp.Or(cmp.Compare(b.Namespace, other.Namespace), cmp.Compare(b.Name, other.Name)) < 0
}

// nearMiss puts a candidate into words, and says how to mend it.
func (s *Snapshot) nearMiss(a *Attributes, c candidate) NearMiss {
	m := NearMiss{Link: c.link, Way: s.way(a, c.binding, c.rule)}
	switch c.link {
	case BrokenRole:
		s.mendRole(a, c, &m)
	case BrokenSubject:
		s.mendSubject(c, &m)
	case BrokenNamespace:
		s.mendNamespace(a, c, &m)
	default:
		s.mendRule(a, c, &m)
	}
	return m
}
