package fieldowner

import (
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coracle/apiserver/catalog"
	"coracle/apiserver/wire"
)

// Note writes into obj, which is what old becomes, which of its fields a manager has set. old is nil if obj is new.
// What cannot be compared keeps the owners that it had, and so does what would take minutes to be.
//
// What is written is what managedfields.FieldManager's Update writes of the whole objects; it is found with less work,
// since nearly all writes create an object or change a small part of one.
func (o *Owners) Note(k *catalog.Kind, subresource string, obj, old runtime.Object, manager string, now time.Time) {
	m, err := meta.Accessor(obj)
	if err != nil {
		return
	}
	entry := metav1.ManagedFieldsEntry{
		Manager:     cmp.Or(manager, "unknown"),
		Operation:   metav1.ManagedFieldsOperationUpdate,
		APIVersion:  k.GroupVersion().String(),
		Time:        &metav1.Time{Time: now.UTC()},
		FieldsType:  fieldsType,
		Subresource: subresource,
	}
	if s := o.shape(k); s != nil && s.note(k, obj, old, m, entry) {
		return
	}
	if old == nil {
		old = k.New()
	}
	fm, err := o.Manager(k, subresource)
	if err != nil {
		return // an object that is stored without its owners is better than none
	}
	before, err := meta.Accessor(old)
	if err != nil {
		return
	}
	had := before.GetManagedFields()
	for _, o := range []runtime.Object{old, obj} {
		if b, err := json.Marshal(o); err != nil || wire.Crowded(b) {
			m.SetManagedFields(had)
			return
		}
	}
	noted, err := fm.Update(old, obj, manager)
	if err != nil {
		m.SetManagedFields(had)
		return
	}
	if n, err := meta.Accessor(noted); err == nil {
		m.SetManagedFields(n.GetManagedFields())
	}
}

const fieldsType = "FieldsV1"

// mostUpdaters is how many managers an object can have that update it, before the oldest are put together.
// Source: k8s.io/apimachinery/pkg/util/managedfields (DefaultMaxUpdateManagers).
const mostUpdaters = 10

// note does what Note does where that takes nothing but comparing. It says false, and has changed nothing, where it takes more: owners
// that the client changes, of other versions, or too many of them.
func (s *shape) note(k *catalog.Kind, obj, old runtime.Object, m metav1.Object, entry metav1.ManagedFieldsEntry) bool {
	v := reflect.ValueOf(obj)
	if v.Kind() != reflect.Pointer || v.Elem().Type() != s.empty.Type() {
		return false
	}
	was := s.empty
	var owners []metav1.ManagedFieldsEntry
	wants := m.GetManagedFields()
	if old != nil {
		before, err := meta.Accessor(old)
		if err != nil || reflect.TypeOf(old) != v.Type() || before.GetUID() == "" {
			return false
		}
		was, owners = reflect.ValueOf(old).Elem(), before.GetManagedFields()
		if len(owners) == 0 && (wants == nil || entry.Subresource != "") { // one that nobody's fields are noted of stays so
			m.SetManagedFields(nil)
			return true
		}
	}
	if wants != nil && entry.Subresource == "" && !reflect.DeepEqual(wants, owners) {
		return false
	}
	updaters := 0
	for i := range owners {
		e := &owners[i]
		if e.APIVersion != entry.APIVersion || e.FieldsType != fieldsType || e.FieldsV1 == nil {
			return false
		}
		if e.Operation == metav1.ManagedFieldsOperationUpdate {
			updaters++
		}
	}
	if updaters >= mostUpdaters {
		return false
	}

	resets := resetPaths(k, entry.Subresource)
	if old == nil {
		owned, ok := s.fresh(v.Elem(), resets)
		switch {
		case !ok:
			return false
		case owned == nil:
			m.SetManagedFields(nil)
		default:
			entry.FieldsV1 = &metav1.FieldsV1{Raw: owned}
			m.SetManagedFields([]metav1.ManagedFieldsEntry{entry})
		}
		return true
	}
	set, gone, ok := s.compare(was, v.Elem())
	if !ok {
		return false
	}
	for _, path := range resets {
		set.drop(path)
		gone.drop(path)
	}
	noted, ok := reown(owners, set, gone, entry)
	if ok {
		m.SetManagedFields(noted)
	}
	return ok
}

// reown gives a manager the fields of set, and takes them and those of gone from all others. It says false if it does not
// understand what others own. The entries given stay as they are.
func reown(owners []metav1.ManagedFieldsEntry, set, gone *node, entry metav1.ManagedFieldsEntry) ([]metav1.ManagedFieldsEntry, bool) {
	if set.empty() && gone.empty() {
		return slices.Clone(owners), true
	}
	given := set.owned()
	noted := make([]metav1.ManagedFieldsEntry, 0, len(owners)+1)
	for _, e := range owners {
		has, ok := readAbout(e.FieldsV1.Raw, set, gone)
		if !ok {
			return nil, false
		}
		changed := has.subtract(set)
		changed = has.subtract(gone) || changed
		if mine := e.Manager == entry.Manager && e.Operation == entry.Operation && e.Subresource == entry.Subresource; mine && !given.empty() {
			if !has.add(given) {
				return nil, false
			}
			e.Time, given, changed = entry.Time, nil, true
		}
		if has.empty() {
			continue
		}
		if changed {
			e.FieldsV1 = &metav1.FieldsV1{Raw: has.text()}
		}
		noted = append(noted, e)
	}
	if !given.empty() {
		entry.FieldsV1 = &metav1.FieldsV1{Raw: given.text()}
		noted = append(noted, entry)
	}
	slices.SortStableFunc(noted, byAge)
	if len(noted) == 0 {
		noted = nil
	}
	return noted, true
}

// byAge is the order in which managedFields stand.
// Source: k8s.io/apimachinery/pkg/util/managedfields (sortEncodedManagedFields).
func byAge(a, b metav1.ManagedFieldsEntry) int {
	seconds := func(t *metav1.Time) int64 {
		if t == nil {
			return 0
		}
		return t.Unix()
	}
	return cmp.Or(
		strings.Compare(string(a.Operation), string(b.Operation)), cmp.Compare(seconds(a.Time), seconds(b.Time)),
		strings.Compare(a.Manager, b.Manager), strings.Compare(a.APIVersion, b.APIVersion), strings.Compare(a.Subresource, b.Subresource),
	)
}
