package part

import (
	"bytes"
	"reflect"
)

// Equal is reflect.DeepEqual of two values of one type that are trees, as objects are: nothing leads back to where it came from, so
// nobody need keep account of where he has been, which is most of what that costs.
func Equal[T any](a, b *T) bool {
	return equal(reflect.ValueOf(a).Elem(), reflect.ValueOf(b).Elem())
}

// EqualValues is Equal of what two values hold.
func EqualValues(a, b reflect.Value) bool { return a.Type() == b.Type() && equal(a, b) }

func equal(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Struct:
		for i := range a.NumField() {
			if !equal(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Pointer:
		switch {
		case a.UnsafePointer() == b.UnsafePointer():
			return true
		case a.IsNil() || b.IsNil():
			return false
		}
		return equal(a.Elem(), b.Elem())
	case reflect.Slice:
		switch {
		case a.Len() != b.Len() || a.IsNil() != b.IsNil():
			return false
		case a.UnsafePointer() == b.UnsafePointer():
			return true
		case a.Type().Elem().Kind() == reflect.Uint8:
			return bytes.Equal(a.Bytes(), b.Bytes())
		}
		for i := range a.Len() {
			if !equal(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		if a.Len() != b.Len() || a.IsNil() != b.IsNil() {
			return false
		}
		for i := a.MapRange(); i.Next(); {
			if v := b.MapIndex(i.Key()); !v.IsValid() || !equal(i.Value(), v) {
				return false
			}
		}
		return true
	case reflect.String:
		return a.String() == b.String()
	case reflect.Bool:
		return a.Bool() == b.Bool()
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return a.Int() == b.Int()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return a.Uint() == b.Uint()
	case reflect.Float32, reflect.Float64:
		return a.Float() == b.Float()
	case reflect.Interface:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return EqualValues(a.Elem(), b.Elem())
	}
	return false // of functions and channels, which no object has, nobody can tell
}
