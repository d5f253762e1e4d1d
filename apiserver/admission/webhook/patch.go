package webhook

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "sigs.k8s.io/json"

	"coracle/apiserver/admission/match"
	"coracle/apiserver/callout"
	"coracle/apiserver/catalog"
)

// maxOperations bounds a patch, as it bounds a client's.
const maxOperations = 10000

// apply applies an answer's patch to the object, in the version in which the webhook saw it.
func apply(r *match.Request, inv *invocation, answer *admissionv1.AdmissionResponse) (patched, error) {
	if len(answer.Patch) == 0 {
		return patched{}, nil
	}
	patch, err := jsonpatch.DecodePatch(answer.Patch)
	if err == nil && len(patch) > maxOperations {
		err = fmt.Errorf("the allowed maximum operations in a JSON patch is %d, got %d", maxOperations, len(patch))
	}
	if err != nil {
		return patched{}, &notAnswered{inv.Name, fmt.Errorf("received undecodable patch in webhook response: %w", err), http.StatusServiceUnavailable}
	}
	if len(patch) == 0 {
		return patched{}, nil
	}
	s, err := r.In(inv.kind)
	if err != nil {
		return patched{}, err
	}
	if s.Object == nil {
		return patched{}, fmt.Errorf("admission webhook %q attempted to modify the object, which is not supported for this operation", inv.Name)
	}
	if kind := *answer.PatchType; kind != admissionv1.PatchTypeJSONPatch {
		return patched{}, &notAnswered{inv.Name, fmt.Errorf("unsupported patch type %q", kind), http.StatusInternalServerError}
	}
	before, err := json.Marshal(s.Object)
	if err != nil {
		return patched{}, err
	}
	text, err := patch.Apply(before)
	if err != nil {
		return patched{}, err
	}
	if len(text) > callout.MaxAnswer {
		return patched{}, fmt.Errorf("admission webhook %q made the object larger than %d bytes", inv.Name, callout.MaxAnswer)
	}
	obj, err := decode(r, text, s.Object, inv.kind)
	if err != nil {
		return patched{}, err
	}
	out := patched{changed: !apiequality.Semantic.DeepEqual(s.Object, obj), patch: answer.Patch, operations: tell(patch)}
	if obj, err = r.Convert(obj, inv.kind, r.A.Kind); err != nil {
		return patched{}, err
	}
	if d := r.A.Kind.Strategy.Default; d != nil && r.A.As.Empty() {
		d(obj)
	}
	r.Changed()
	return out, replace(r.A.Object, obj)
}

// decode reads what a patch has made of an object. It is still of the same kind.
func decode(r *match.Request, text []byte, like runtime.Object, k *catalog.Kind) (runtime.Object, error) {
	var obj runtime.Object
	var err error
	if _, custom := like.(*unstructured.Unstructured); custom {
		u := &unstructured.Unstructured{}
		err = kjson.UnmarshalCaseSensitivePreserveInts(text, &u.Object)
		obj = u
	} else {
		obj = emptied(like)
		err = kjson.UnmarshalCaseSensitivePreserveInts(text, obj)
	}
	if err != nil {
		return nil, apierrors.NewInternalError(err)
	}
	if got, want := obj.GetObjectKind().GroupVersionKind(), r.As(k); got != want {
		return nil, apierrors.NewInternalError(fmt.Errorf("the patch made a %s of a %s", got, want))
	}
	return obj, nil
}

// tell names what a patch does, and where, without values: those may be secrets.
func tell(patch jsonpatch.Patch) []string {
	var lines []string
	for i, op := range patch {
		if i == maxKeptChanges {
			return append(lines, fmt.Sprintf("and %d more", len(patch)-i))
		}
		path, err := op.Path()
		if err != nil {
			path = "?"
		}
		lines = append(lines, op.Kind()+" "+path[:min(len(path), maxKept)])
	}
	return lines
}

// emptied is a new object of the same Go type.
func emptied(like runtime.Object) runtime.Object {
	return reflect.New(reflect.TypeOf(like).Elem()).Interface().(runtime.Object)
}
