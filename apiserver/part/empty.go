package part

import (
	"reflect"

	"k8s.io/apimachinery/pkg/runtime"
)

// DropEmpty makes none of each empty list and mapping of an object, as of one that is read from protobuf.
func DropEmpty(obj runtime.Object) { dropEmpty(reflect.ValueOf(obj).Elem()) }

func dropEmpty(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			dropEmpty(v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				dropEmpty(f)
			}
		}
	case reflect.Slice, reflect.Map:
		switch {
		case v.Type().Elem().Kind() == reflect.Uint8: // bytes, of which protobuf tells none from nil
		case v.Len() == 0:
			v.SetZero()
		case v.Kind() == reflect.Slice:
			for i := range v.Len() {
				dropEmpty(v.Index(i))
			}
		}
	}
}
