package apiserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"

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
	body, err := c.readBody()
	if err != nil {
		return err
	}
	if err := readablePatch(patchType, body.Bytes); err != nil {
		return err
	}
	c.auditPatch(body.Bytes, patchType)
	if patchType == types.ApplyYAMLPatchType {
		return c.apply(f, body, &opts)
	}
	strictness := wire.Strictness(fieldValidation(opts.FieldValidation))
	apply, doubts, unreadable := patcherFor(patchType, body.Bytes, c.kind.New(), strictness)
	return c.change(f, change{
		options: &opts,
		dryRun:  dryRun(opts.DryRun),
		next: func(old runtime.Object, before []byte) (runtime.Object, error) {
			if unreadable != nil { // which is said of an object that is there
				return nil, unreadable
			}
			if before == nil {
				if before, err = json.Marshal(old); err != nil {
					return nil, err
				}
			}
			if len(doubts) == 0 {
				if obj, ok := c.patchPart(old, before, body.Bytes, patchType, apply); ok {
					return obj, nil
				}
			}
			after, err := apply(before)
			if err != nil {
				return nil, err
			}
			obj := c.kind.New()
			return obj, c.readPatched(before, after, wire.Body{Bytes: body.Bytes, ContentType: media}, obj, doubts, strictness)
		},
	})
}

// readPatched reads what a patch has made of an object. What is odd in the patch is said together with what is odd in the result.
func (c *call) readPatched(before, after []byte, patch wire.Body, obj runtime.Object, doubts []string, s wire.Strictness) error {
	reported := s
	if s == wire.Strict {
		reported = wire.Warn
	}
	want := c.want()
	found, err := c.Codec.Decode(wire.Body{Bytes: after, ContentType: wire.JSON}, want, obj, reported, c.coerce(want))
	if err == nil {
		all := append(slices.Clone(doubts), found...)
		if s != wire.Strict || len(all) == 0 {
			warnAll(c.r.Context(), all)
			return nil
		}
		err = apierrors.NewBadRequest("strict decoding error: " + strings.Join(all, ", "))
	}
	if types.PatchType(patch.ContentType) == types.StrategicMergePatchType {
		return strategicInvalid(c, obj, before, patch.Bytes, after, err)
	}
	return patchedInvalid(c, after, err)
}

// readablePatch refuses what is no document at all, before anything is looked up.
// Source: validateAndTranscodePatch in k8s.io/apiserver/pkg/endpoints/handlers/patch.go.
func readablePatch(kind types.PatchType, patch []byte) error {
	if kind != types.ApplyYAMLPatchType {
		if !json.Valid(patch) {
			return apierrors.NewBadRequest("invalid JSON patch")
		}
		return nil
	}
	if bytes.HasPrefix(bytes.TrimLeftFunc(patch, unicode.IsSpace), []byte("{")) {
		return nil // read as JSON, later on
	}
	if _, err := wire.YAMLToJSON(patch); err != nil {
		return apierrors.NewBadRequest(fmt.Sprintf("error encoding patch: %v", err))
	}
	return nil
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

// patchOperation is one step of a JSON patch, for its members' names and types.
type patchOperation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	From  string `json:"from"`
	Value any    `json:"value"`
}

// patcher applies a patch to an object's JSON.
type patcher func(before []byte) ([]byte, error)

// patcherFor reads a patch once. doubts are fields that it has twice, or that no patch has, unless they are to be ignored.
// The type of example tells a strategic merge patch which lists are merged, and by which key.
func patcherFor(kind types.PatchType, patch []byte, example runtime.Object, s wire.Strictness) (apply patcher, doubts []string, err error) {
	switch kind {
	case types.JSONPatchType:
		if s != wire.Ignore {
			if doubts, err = doubtsOf(patch, &[]patchOperation{}); err != nil {
				return nil, nil, apierrors.NewBadRequest("error decoding patch: " + strings.Replace(err.Error(), "apiserver.patchOperation", "handlers.jsonPatchOp", 1))
			}
			for i := range doubts {
				doubts[i] = "json patch " + doubts[i]
			}
		}
		p, err := jsonpatch.DecodePatch(patch)
		if err != nil {
			return nil, nil, apierrors.NewBadRequest(err.Error())
		}
		if len(p) > maxPatchOperations {
			return nil, nil, apierrors.NewRequestEntityTooLargeError(fmt.Sprintf(
				"The allowed maximum operations in a JSON patch is %d, got %d", maxPatchOperations, len(p)))
		}
		return func(before []byte) ([]byte, error) {
			if err := checkMoves(p, before); err != nil {
				return nil, err
			}
			after, err := p.Apply(before)
			if err != nil {
				return nil, apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", schema.GroupResource{}, "", err.Error(), 0, false)
			}
			return after, nil
		}, doubts, nil

	case types.MergePatchType:
		if err := checkDepths(patch); err != nil {
			return nil, nil, err
		}
		if s != wire.Ignore {
			if doubts, err = doubtsOf(patch, &map[string]any{}); err != nil {
				return nil, nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding patch: %v", err))
			}
		}
		return func(before []byte) ([]byte, error) {
			after, err := jsonpatch.MergePatch(before, patch)
			if err != nil {
				return nil, apierrors.NewBadRequest(err.Error())
			}
			return after, nil
		}, doubts, nil
	}

	return strategicPatcher(patch, example, s)
}

// doubtsOf reads JSON, and tells what is odd in it though it can be read.
func doubtsOf(patch []byte, into any) ([]string, error) {
	odd, err := kjson.UnmarshalStrict(patch, into)
	if err != nil {
		return nil, err
	}
	var doubts []string
	for _, o := range odd {
		doubts = append(doubts, o.Error())
	}
	return doubts, nil
}

// patchedInvalid words an object that a patch has made unreadable.
func patchedInvalid(c *call, after []byte, err error) error {
	if apierrors.IsBadRequest(err) {
		why := err.Error()
		if _, inner, ok := strings.Cut(why, "cannot be handled as a "+c.want().Kind+": "); ok {
			why = inner
		}
		return apierrors.NewInvalid(schema.GroupKind{}, "", field.ErrorList{
			field.Invalid(field.NewPath("patch"), string(after), why),
		})
	}
	return err
}
