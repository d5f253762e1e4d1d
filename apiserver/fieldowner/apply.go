package fieldowner

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"coracle/apiserver/catalog"
	"coracle/apiserver/part"
	"coracle/apiserver/wire"
)

// Apply merges what a manager wants into an object that is there, and returns the new one. It neither changes live nor keeps it.
// Errors: a Conflict that names the managers that own what is wanted otherwise, unless it is forced.
//
// Merging goes through managedfields, as do conflicts; but of an object, and of what others own of it, it is shown only what the
// manager wants now and has wanted before: nothing else can change.
func (o *Owners) Apply(k *catalog.Kind, subresource string, live runtime.Object, wanted *unstructured.Unstructured, manager string, force bool) (runtime.Object, error) {
	fm, err := o.Manager(k, subresource)
	if err != nil {
		return nil, err
	}
	parts, ok := o.partsApplied(k, subresource, live, wanted, manager)
	if !ok {
		return fm.Apply(live.DeepCopyObject(), wanted, manager, force)
	}
	some, rest := k.New(), k.New()
	part.Cut(some, live, parts)
	m, err := meta.Accessor(some)
	if err != nil {
		return nil, err
	}
	owners, others := setAside(m.GetManagedFields(), parts, metav1.ManagedFieldsEntry{
		Manager: cmp.Or(manager, "unknown"), Operation: metav1.ManagedFieldsOperationApply, APIVersion: k.GroupVersion().String(), Subresource: subresource,
	})
	m.SetManagedFields(owners)
	some = some.DeepCopyObject()
	some.GetObjectKind().SetGroupVersionKind(k.GroupVersionKind)
	merged, err := fm.Apply(some, wanted, manager, force)
	if err != nil {
		return nil, err
	}
	if reflect.TypeOf(merged) != reflect.TypeOf(live) {
		return nil, fmt.Errorf("%T became %T by applying", live, merged)
	}
	if m, err = meta.Accessor(merged); err != nil {
		return nil, err
	}
	if owners, ok = others.putBack(m.GetManagedFields()); !ok {
		return fm.Apply(live.DeepCopyObject(), wanted, manager, force)
	}
	m.SetManagedFields(owners)
	part.Complete(rest, live, parts)
	part.Complete(merged, rest.DeepCopyObject(), parts)
	return merged, nil
}

// partsApplied are the members of an object that a manager wants now or has wanted before, and its metadata. It says false
// where applying is about more than those.
func (o *Owners) partsApplied(k *catalog.Kind, subresource string, live runtime.Object, wanted *unstructured.Unstructured, manager string) (wire.Parts, bool) {
	m, err := meta.Accessor(live)
	// Without owners all that is there becomes somebody's. kubectl takes over what it has applied by itself, by an annotation
	// that is about the whole.
	const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"
	s := o.shape(k)
	if err != nil || s == nil || len(m.GetManagedFields()) == 0 || m.GetAnnotations()[lastApplied] != "" {
		return nil, false
	}
	t := reflect.TypeOf(live).Elem()
	parts, ok := part.Of(any(wanted.Object), t, func(v any) (map[string]any, bool) {
		members, ok := v.(map[string]any)
		return members, ok
	})
	if !ok {
		return nil, false
	}
	undivided(parts, s.root)
	for _, e := range m.GetManagedFields() {
		if e.Manager != manager || e.Operation != metav1.ManagedFieldsOperationApply || e.Subresource != subresource {
			continue
		}
		if e.FieldsV1 == nil {
			return nil, false
		}
		had, ok := readAbout(e.FieldsV1.Raw, nil, nil)
		if !ok {
			return nil, false
		}
		for _, c := range had.children { // of what it wants no longer, all that is beside it may have to go
			parts[strings.TrimPrefix(c.key, "f:")] = nil
		}
	}
	parts["metadata"] = nil
	return parts, true
}

// undivided puts together what is merged as a whole.
func undivided(parts wire.Parts, p *plan) {
	for i := range p.fields {
		name := strings.TrimPrefix(p.fields[i].key, "f:")
		switch below, of := parts[name], p.fields[i].of; {
		case below == nil:
		case of.leaf || of.lost:
			parts[name] = nil
		default:
			undivided(below, of)
		}
	}
}
