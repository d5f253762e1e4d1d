package apiserver

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"coracle/apiserver/wire"
)

// maxPatchOperations bounds a JSON patch, as upstream does.
const maxPatchOperations = 10000

// patch changes an object by a JSON patch (RFC 6902), a merge patch (RFC 7386), a strategic merge patch or
// server-side apply; the content type says which.
func (c *call) patch() error {
	offer := c.offer()
	media, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	patchType := types.PatchType(media)
	if supported := c.patchTypes(); err != nil || !allows(supported, media) {
		return unsupportedPatch(offer, supported)
	}
	f, err := wire.Negotiate(c.r, offer)
	if err != nil {
		return err
	}
	var opts metav1.PatchOptions
	if err := decodeOptions(c.r.URL.Query(), &opts); err != nil {
		return err
	}
	if errs := metav1validation.ValidatePatchOptions(&opts, patchType); len(errs) > 0 {
		return apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: "PatchOptions"}, "", errs)
	}
	body, err := wire.ReadBody(c.r, c.MaxBody)
	if err != nil {
		return err
	}
	c.auditPatch(body.Bytes, patchType)
	if patchType == types.ApplyYAMLPatchType {
		return c.apply(f, body, &opts)
	}
	apply, err := patcherFor(patchType, body.Bytes, c.kind.New())
	if err != nil {
		return err
	}
	return c.change(f, change{
		options: &opts,
		dryRun:  dryRun(opts.DryRun),
		next: func(old runtime.Object, before []byte) (runtime.Object, error) {
			if before == nil {
				if before, err = json.Marshal(old); err != nil {
					return nil, err
				}
			}
			if obj, ok := c.patchPart(old, before, body.Bytes, patchType, apply); ok {
				return obj, nil
			}
			after, err := apply(before)
			if err != nil {
				return nil, err
			}
			obj := c.kind.New()
			if err := c.read(wire.Body{Bytes: after, ContentType: wire.JSON}, c.kind.GroupVersionKind, obj, opts.FieldValidation); err != nil {
				if patchType == types.StrategicMergePatchType {
					return nil, strategicInvalid(c, before, body.Bytes, after, err)
				}
				return nil, patchedInvalid(c, after, err)
			}
			return obj, nil
		},
	})
}

func (c *call) patchTypes() []string {
	supported := []string{string(types.JSONPatchType), string(types.MergePatchType)}
	if c.Codec.Scheme.Recognizes(c.kind.GroupVersionKind) {
		supported = append(supported, string(types.StrategicMergePatchType))
	}
	return append(supported, string(types.ApplyYAMLPatchType))
}

func unsupportedPatch(o wire.Offer, supported []string) error {
	if !o.Direct {
		return wire.NotRouted(http.StatusUnsupportedMediaType, "415: Unsupported Media Type")
	}
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusUnsupportedMediaType, Reason: metav1.StatusReasonUnsupportedMediaType,
		Message: "the body of the request was in an unknown format - accepted media types include: " + strings.Join(supported, ", "),
	}}
}

// patcherFor reads a patch once; what it returns applies it to an object's JSON. The type of example tells
// a strategic merge patch which lists are merged, and by which key.
func patcherFor(kind types.PatchType, patch []byte, example runtime.Object) (func([]byte) ([]byte, error), error) {
	switch kind {
	case types.JSONPatchType:
		p, err := jsonpatch.DecodePatch(patch)
		if err != nil {
			return nil, apierrors.NewBadRequest("error decoding patch: " + strings.Replace(err.Error(), "jsonpatch.Patch", "[]handlers.jsonPatchOp", 1))
		}
		if len(p) > maxPatchOperations {
			return nil, apierrors.NewRequestEntityTooLargeError(fmt.Sprintf(
				"The allowed maximum operations in a JSON patch is %d, got %d", maxPatchOperations, len(p)))
		}
		return func(before []byte) ([]byte, error) {
			after, err := p.Apply(before)
			if err != nil {
				return nil, apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", schema.GroupResource{}, "", err.Error(), 0, false)
			}
			return after, nil
		}, nil

	case types.MergePatchType:
		if err := json.Unmarshal(patch, &map[string]any{}); err != nil {
			return nil, apierrors.NewBadRequest("invalid JSON patch")
		}
		return func(before []byte) ([]byte, error) {
			after, err := jsonpatch.MergePatch(before, patch)
			if err != nil {
				return nil, apierrors.NewBadRequest(err.Error())
			}
			return after, nil
		}, nil
	}

	return strategicPatcher(patch, example)
}

// patchedInvalid words an object that a patch has made unreadable.
func patchedInvalid(c *call, after []byte, err error) error {
	if apierrors.IsBadRequest(err) {
		why := err.Error()
		if _, inner, ok := strings.Cut(why, "cannot be handled as a "+c.kind.Kind+": "); ok {
			why = inner
		}
		return apierrors.NewInvalid(schema.GroupKind{}, "", field.ErrorList{
			field.Invalid(field.NewPath("patch"), string(after), why),
		})
	}
	return err
}
