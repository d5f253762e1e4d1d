package apiserver

import (
	"reflect"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"coracle/apiserver/part"
	"coracle/apiserver/wire"
)

// patchPart applies a patch to the members that it names alone, and takes the others over as they are: most patches are about
// labels or a status, and leave the largest part of an object alone. It says false where a patch has to be applied to the
// whole, or cannot be applied: then that gives the error.
func (c *call) patchPart(old runtime.Object, before, patch []byte, kind types.PatchType, apply func([]byte) ([]byte, error)) (runtime.Object, bool) {
	if kind == types.JSONPatchType || c.kind.Custom != nil {
		return nil, false
	}
	named, ok := part.Named(patch, reflect.TypeOf(old).Elem())
	if !ok {
		return nil, false
	}
	// To be read it has to say what it is; and what is patched may be that.
	for _, key := range []string{"apiVersion", "kind"} {
		named[key] = nil
	}
	picked, ok := wire.Pick(before, named)
	if !ok {
		return nil, false
	}
	after, err := apply(picked)
	if err != nil {
		return nil, false
	}
	obj := c.kind.New()
	// Whatever may be wrong is said of the whole object.
	if warnings, err := c.Codec.Decode(wire.Body{Bytes: after, ContentType: wire.JSON}, c.kind.GroupVersionKind, obj, wire.Strict, nil); err != nil || len(warnings) > 0 {
		return nil, false
	}
	part.Complete(obj, old, named)
	return obj.DeepCopyObject(), true
}
