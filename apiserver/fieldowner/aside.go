package fieldowner

import (
	"bytes"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coracle/apiserver/wire"
)

// aside is what managers own of an object beyond the parts that applying is about. It can neither change by that nor be in its
// way, and is put back afterwards.
type aside []keptOwner

type keptOwner struct {
	entry  metav1.ManagedFieldsEntry // as it was
	beyond *node                     // what was put aside of it; nil for all
	within []byte                    // what was left of it
}

// setAside divides what managers own. The first result is what is about the parts; the entries given stay as they are. Whoever
// applies keeps all: what somebody has applied before and does not any longer may go.
func setAside(owners []metav1.ManagedFieldsEntry, parts wire.Parts, applier metav1.ManagedFieldsEntry) ([]metav1.ManagedFieldsEntry, aside) {
	var left []metav1.ManagedFieldsEntry
	var kept aside
	divided := divisions(parts)
	for _, e := range owners {
		if e.APIVersion != applier.APIVersion || e.FieldsType != fieldsType || e.FieldsV1 == nil || sameManager(&e, &applier) {
			left = append(left, e)
			continue
		}
		has, ok := readAbout(e.FieldsV1.Raw, divided, nil)
		if !ok {
			left = append(left, e)
			continue
		}
		within, beyond := has.divide(parts)
		switch {
		case beyond.empty():
			left = append(left, e)
		case within.empty():
			kept = append(kept, keptOwner{entry: e})
		default:
			k := keptOwner{entry: e, beyond: beyond, within: within.text()}
			e.FieldsV1 = &metav1.FieldsV1{Raw: k.within}
			left, kept = append(left, e), append(kept, k)
		}
	}
	if len(left) == 0 { // an object without owners would get one for all that is there
		return owners, nil
	}
	return left, kept
}

// putBack is what managers own, with what was put aside. It says false of what it does not understand.
func (a aside) putBack(owners []metav1.ManagedFieldsEntry) ([]metav1.ManagedFieldsEntry, bool) {
	if len(a) == 0 {
		return owners, true
	}
	for _, k := range a {
		i := slices.IndexFunc(owners, func(e metav1.ManagedFieldsEntry) bool {
			return sameManager(&e, &k.entry) && e.APIVersion == k.entry.APIVersion && e.Time.Equal(k.entry.Time)
		})
		switch {
		case k.beyond == nil:
			owners = append(owners, k.entry)
		case i < 0:
			k.entry.FieldsV1 = &metav1.FieldsV1{Raw: k.beyond.text()}
			owners = append(owners, k.entry)
		case owners[i].FieldsV1 != nil && bytes.Equal(owners[i].FieldsV1.Raw, k.within):
			owners[i].FieldsV1 = k.entry.FieldsV1
		default:
			if owners[i].FieldsV1 == nil {
				return nil, false
			}
			has, ok := readAbout(owners[i].FieldsV1.Raw, k.beyond, nil)
			if !ok || !has.take(k.beyond) {
				return nil, false
			}
			owners[i].FieldsV1 = &metav1.FieldsV1{Raw: has.text()}
		}
	}
	slices.SortStableFunc(owners, byAge)
	return owners, true
}

func sameManager(a, b *metav1.ManagedFieldsEntry) bool {
	return a.Manager == b.Manager && a.Operation == b.Operation && a.Subresource == b.Subresource
}

// divisions are the fields of which parts name some members and not others.
func divisions(parts wire.Parts) *node {
	n := &node{}
	for name, below := range parts {
		if below == nil {
			continue
		}
		c := divisions(below)
		c.key = "f:" + name
		n.children = append(n.children, *c)
	}
	return n
}

// divide returns what of a set is within parts, and what is not. Fields of which parts name members are read; the rest need
// not be.
func (n *node) divide(parts wire.Parts) (within, beyond *node) {
	within, beyond = &node{key: n.key, member: n.member}, &node{key: n.key}
	for _, c := range n.children {
		switch below, named := parts[strings.TrimPrefix(c.key, "f:")]; {
		case !named:
			beyond.children = append(beyond.children, c)
		case below == nil || c.unread != "":
			within.children = append(within.children, c)
		default:
			in, out := c.divide(below)
			if !in.empty() {
				within.children = append(within.children, *in)
			}
			if !out.empty() {
				beyond.children = append(beyond.children, *out)
			}
		}
	}
	return within, beyond
}

// take puts what was divided off back: where both have a field, they have different members of it.
func (n *node) take(o *node) bool {
	for i := range o.children {
		more := &o.children[i]
		if c := n.child(more.key); c != nil {
			if c.unread != "" || more.unread != "" || !c.take(more) {
				return false
			}
			continue
		}
		at, ok := n.place(more.key)
		if !ok {
			return false
		}
		n.children = slices.Insert(n.children, at, *more)
	}
	return true
}
