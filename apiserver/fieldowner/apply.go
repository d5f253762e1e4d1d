package fieldowner

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

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
// What is not certain goes through managedfields, as do conflicts; but of an object, and of what others own of it, it is shown only
// what the manager wants now and has wanted before: nothing else can change.
func (o *Owners) Apply(k *catalog.Kind, subresource string, live runtime.Object, wanted *unstructured.Unstructured, manager string, force bool) (runtime.Object, error) {
	entry := metav1.ManagedFieldsEntry{
		Manager: cmp.Or(manager, "unknown"), Operation: metav1.ManagedFieldsOperationApply, APIVersion: k.GroupVersion().String(),
		FieldsType: fieldsType, Subresource: subresource,
	}
	if s := o.shape(k); s != nil {
		if obj, ok := s.apply(k, live, wanted.Object, entry, force); ok {
			return obj, nil
		}
	}
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
	owners, others := setAside(m.GetManagedFields(), parts, entry)
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

// apply does what Apply does where that is certain without the schema's own machinery: where something is set, as it is written
// afterwards, and nothing goes. It says false where it is not, and where somebody must be told of a conflict.
func (s *shape) apply(k *catalog.Kind, live runtime.Object, wanted map[string]any, entry metav1.ManagedFieldsEntry, force bool) (runtime.Object, bool) {
	before, err := meta.Accessor(live)
	v := reflect.ValueOf(live)
	if err != nil || v.Kind() != reflect.Pointer || v.Elem().Type() != s.empty.Type() {
		return nil, false
	}
	owners := before.GetManagedFields()
	if len(owners) == 0 && before.GetUID() != "" { // all that is there becomes somebody's
		return nil, false
	}
	obj := live.DeepCopyObject()
	m, err := meta.Accessor(obj)
	if err != nil {
		return nil, false
	}
	set, ok := s.merge(reflect.ValueOf(obj).Elem(), wanted)
	if !ok || m.GetAnnotations()[lastApplied] != "" {
		return nil, false
	}
	changed, gone, ok := s.compare(v.Elem(), reflect.ValueOf(obj).Elem())
	if !ok || !gone.empty() {
		return nil, false
	}
	for _, path := range [][]string{{"apiVersion"}, {"kind"}} {
		changed.drop(path)
	}
	if !changed.empty() {
		entry.Time = &metav1.Time{Time: time.Now().UTC()}
	}
	for _, path := range resetPaths(k, entry.Subresource) {
		set.drop(path)
		changed.drop(path)
	}
	given := set.owned()
	noted := make([]metav1.ManagedFieldsEntry, 0, len(owners)+1)
	for _, e := range owners {
		if e.APIVersion != entry.APIVersion || e.FieldsType != fieldsType || e.FieldsV1 == nil {
			return nil, false
		}
		mine, about := sameManager(&e, &entry), changed
		switch {
		case mine:
			about = given
		case changed.empty() && len(e.FieldsV1.Raw) > len("{}"):
			noted = append(noted, e)
			continue
		}
		has, ok := readAbout(e.FieldsV1.Raw, about, nil)
		if !ok {
			return nil, false
		}
		conflict := has.subtract(about) && !mine
		switch {
		case mine && !has.empty(), conflict && !force: // something may have to go, and somebody to be told
			return nil, false
		case mine:
			if entry.Time == nil {
				entry.Time = e.Time
			}
			continue
		case has.empty():
			continue
		case conflict:
			e.FieldsV1 = &metav1.FieldsV1{Raw: has.text()}
		}
		noted = append(noted, e)
	}
	if !given.empty() {
		entry.FieldsV1 = &metav1.FieldsV1{Raw: given.text()}
		noted = append(noted, entry)
	}
	if len(noted) == 0 {
		noted = nil
	}
	slices.SortStableFunc(noted, byAge)
	m.SetManagedFields(noted)
	return obj, true
}

// lastApplied is the annotation by which kubectl keeps what it has applied by itself.
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration"

// partsApplied are the members of an object that a manager wants now or has wanted before, and its metadata. It says false
// where applying is about more than those.
func (o *Owners) partsApplied(k *catalog.Kind, subresource string, live runtime.Object, wanted *unstructured.Unstructured, manager string) (wire.Parts, bool) {
	m, err := meta.Accessor(live)
	// Without owners all that is there becomes somebody's. kubectl takes over what it has applied by itself, by an annotation
	// that is about the whole.
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
