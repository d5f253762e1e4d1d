package catalog

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
)

// internalForm wraps a value for use in an error. Where Kubernetes prints an object in an error, it prints the
// internal type, which has no JSON tags: {"APIGroup":"","Kind":"Role","Name":"x"}.
func internalForm(v any) any { return untagged{reflect.ValueOf(v)} }

// untagged marshals structs of the versioned API groups with their Go field names, all else as usual.
type untagged struct{ value reflect.Value }

func (u untagged) MarshalJSON() ([]byte, error) {
	v := u.value
	if !v.IsValid() {
		return []byte("null"), nil
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return []byte("null"), nil
		}
		return untagged{v.Elem()}.MarshalJSON()
	case reflect.Slice:
		if v.IsNil() {
			return []byte("null"), nil
		}
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return json.Marshal(v.Interface())
		}
		items := make([]untagged, v.Len())
		for i := range items {
			items[i].value = v.Index(i)
		}
		return json.Marshal(items)
	case reflect.Struct:
		if strings.HasPrefix(v.Type().PkgPath(), "k8s.io/api/") {
			return u.fields()
		}
	}
	return json.Marshal(v.Interface())
}

func (u untagged) fields() ([]byte, error) {
	var b bytes.Buffer
	for i := range u.value.NumField() {
		f := u.value.Type().Field(i)
		value, err := untagged{u.value.Field(i)}.MarshalJSON()
		if err != nil {
			return nil, err
		}
		if f.Anonymous && bytes.HasPrefix(value, []byte("{")) { // its fields are as if they were ours
			value = bytes.TrimSuffix(value[1:], []byte("}"))
		} else {
			value = append([]byte(`"`+f.Name+`":`), value...)
		}
		if b.Len() > 0 && len(value) > 0 {
			b.WriteByte(',')
		}
		b.Write(value)
	}
	return append(append([]byte("{"), b.Bytes()...), '}'), nil
}
