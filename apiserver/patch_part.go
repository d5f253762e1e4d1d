package apiserver

import (
	"encoding/json"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"coracle/apiserver/wire"
)

// patchPart applies a patch to the members that it names alone, and takes the others over as they are: most patches are about
// labels or a status, and leave the largest part of an object alone. It says false where a patch has to be applied to the
// whole, or cannot be applied: then that gives the error.
func (c *call) patchPart(old runtime.Object, before, patch []byte, kind types.PatchType, apply func([]byte) ([]byte, error)) (runtime.Object, bool) {
	if kind == types.JSONPatchType || c.kind.Custom != nil {
		return nil, false
	}
	var named map[string]json.RawMessage
	if err := json.Unmarshal(patch, &named); err != nil || named == nil {
		return nil, false
	}
	for key := range named {
		if strings.HasPrefix(key, "$") { // a directive, about the whole
			return nil, false
		}
	}
	touched := func(key string) bool { return named[key] != nil }
	part, ok := wire.Pick(before, func(key string) bool { return touched(key) || key == "apiVersion" || key == "kind" })
	if !ok {
		return nil, false
	}
	after, err := apply(part)
	if err != nil {
		return nil, false
	}
	obj := c.kind.New()
	// Whatever may be wrong is said of the whole object.
	if warnings, err := c.Codec.Decode(wire.Body{Bytes: after, ContentType: wire.JSON}, c.kind.GroupVersionKind, obj, wire.Strict, nil); err != nil || len(warnings) > 0 {
		return nil, false
	}
	rest := reflect.New(reflect.TypeOf(old).Elem())
	to := reflect.ValueOf(obj).Elem()
	untouched := func(name string) bool {
		f, _ := to.Type().FieldByName(name)
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		return key != "" && !touched(key)
	}
	take(rest.Elem(), reflect.ValueOf(old).Elem(), untouched)
	take(to, reflect.ValueOf(rest.Interface().(runtime.Object).DeepCopyObject()).Elem(), untouched)
	return obj, true
}
