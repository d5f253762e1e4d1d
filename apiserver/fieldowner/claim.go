package fieldowner

import (
	"bytes"
	"encoding/json"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Fields is a set of fields as managedFields writes it.
type Fields map[string]any

// Condition adds the fields of a list's item that is known by its type.
func (f Fields) Condition(conditionType string) error {
	key, err := json.Marshal(map[string]string{"type": conditionType})
	if err != nil {
		return err
	}
	f["k:"+string(key)] = Fields{
		".": Fields{}, "f:lastTransitionTime": Fields{}, "f:message": Fields{}, "f:reason": Fields{}, "f:status": Fields{}, "f:type": Fields{},
	}
	return nil
}

// Claim notes that entry's manager owns fields of an object: the server itself, which has written them beside what the
// client asked for. The time of what it owned before stays.
func Claim(m metav1.Object, entry metav1.ManagedFieldsEntry, fields Fields) error {
	raw, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	entry.FieldsType, entry.FieldsV1 = "FieldsV1", &metav1.FieldsV1{Raw: raw}
	all := m.GetManagedFields()
	for i, have := range all {
		if have.Manager == entry.Manager && have.Operation == entry.Operation && have.Subresource == entry.Subresource {
			if have.FieldsV1 == nil || !bytes.Equal(have.FieldsV1.Raw, raw) {
				all[i] = entry
			}
			return nil
		}
	}
	m.SetManagedFields(append([]metav1.ManagedFieldsEntry{entry}, all...))
	return nil
}

// Since notes the time for managers that have none: of who creates an object with nothing in it.
func Since(obj runtime.Object, now time.Time) {
	m, err := meta.Accessor(obj)
	if err != nil {
		return
	}
	all := m.GetManagedFields()
	for i := range all {
		if all[i].Time == nil {
			all[i].Time = &metav1.Time{Time: now.UTC().Truncate(time.Second)}
		}
	}
	m.SetManagedFields(all)
}
