package webhook

import (
	"encoding/json"
	"fmt"
	"net/http"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	admissionv1 "k8s.io/api/admission/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"

	"coracle/apiserver/admission/match"
	"coracle/apiserver/callout"
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
	obj, err := r.Decode(text, s.Object, inv.kind, false)
	if err != nil {
		return patched{}, err
	}
	out := patched{changed: !apiequality.Semantic.DeepEqual(s.Object, obj), patch: answer.Patch, operations: tell(patch)}
	return out, r.Set(obj, inv.kind)
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
