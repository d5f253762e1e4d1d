package apiserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/mergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"

	"coracle/apiserver/wire"
)

// strategicPatcher is patcherFor for a strategic merge patch.
func strategicPatcher(patch []byte, example runtime.Object, s wire.Strictness) (patcher, []string, error) {
	wanted := map[string]any{}
	doubts, err := doubtsOf(patch, &wanted)
	if err != nil {
		return nil, nil, apierrors.NewBadRequest(err.Error())
	}
	if s == wire.Ignore {
		doubts = nil
	}
	meta, err := strategicpatch.NewPatchMetaFromStruct(example)
	if err != nil {
		return nil, nil, apierrors.NewInternalError(err)
	}
	return func(before []byte) ([]byte, error) {
		if err := checkMerges(before, wanted, meta); err != nil {
			return nil, err
		}
		merged, err := mergeStrategic(before, runtime.DeepCopyJSON(wanted), meta)
		if err != nil {
			return nil, err
		}
		return json.Marshal(merged)
	}, doubts, nil
}

// mergeStrategic applies wanted, which it changes. What upstream's code compares items by may be what Go does not compare; at that
// kube-apiserver breaks the connection off.
func mergeStrategic(before []byte, wanted map[string]any, meta strategicpatch.LookupPatchMeta) (merged map[string]any, err error) {
	defer func() {
		if recover() != nil {
			merged, err = nil, apierrors.NewBadRequest("the patch cannot be merged: what an item of a list is known by has to be a string or a number, not a mapping or a list")
		}
	}()
	original := map[string]any{}
	if err := kjson.UnmarshalCaseSensitivePreserveInts(before, &original); err != nil {
		return nil, err
	}
	if merged, err = strategicpatch.StrategicMergeMapPatchUsingLookupPatchMeta(original, wanted, meta); err != nil {
		return nil, strategicError(err)
	}
	return merged, nil
}

// strategicError tells whose fault it is that a patch cannot be merged. A directive that nobody knows is upstream the server's.
// Source: interpretStrategicMergePatchError in k8s.io/apiserver/pkg/endpoints/handlers/patch.go.
func strategicError(err error) error {
	is := func(target error) bool { return errors.Is(err, target) }
	switch {
	case is(mergepatch.ErrBadJSONDoc), is(mergepatch.ErrBadPatchFormatForPrimitiveList), is(mergepatch.ErrBadPatchFormatForRetainKeys),
		is(mergepatch.ErrBadPatchFormatForSetElementOrderList), is(mergepatch.ErrUnsupportedStrategicMergePatchFormat):
		return apierrors.NewBadRequest(err.Error())
	case is(mergepatch.ErrNoListOfLists), is(mergepatch.ErrPatchContentNotMatchRetainKeys):
		return apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", schema.GroupResource{}, "", err.Error(), 0, false)
	}
	return plain(err.Error())
}

// strategicInvalid words an object that a strategic merge patch has made unreadable: it shows the patch, where other patches
// show the object.
func strategicInvalid(c *call, obj runtime.Object, before, patch, after []byte, err error) error {
	example, wanted := obj.DeepCopyObject(), map[string]any{}
	meta, failed := strategicpatch.NewPatchMetaFromStruct(example)
	if failed != nil || kjson.UnmarshalCaseSensitivePreserveInts(patch, &wanted) != nil {
		return patchedInvalid(c, after, err)
	}
	merged, failed := mergeStrategic(before, wanted, meta)
	if failed != nil {
		return failed
	}
	why := err
	if failed := runtime.DefaultUnstructuredConverter.FromUnstructured(merged, example); failed != nil {
		why = failed
	} else if !strings.HasPrefix(err.Error(), "strict decoding error: ") {
		return patchedInvalid(c, after, err)
	}
	return apierrors.NewInvalid(schema.GroupKind{}, "", field.ErrorList{
		field.Invalid(field.NewPath("patch"), fmt.Sprintf("%+v", wanted), why.Error()),
	})
}
