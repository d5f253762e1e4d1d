package apiserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "sigs.k8s.io/json"
	"sigs.k8s.io/yaml"

	"coracle/apiserver/authz"
	"coracle/apiserver/fieldowner"
	"coracle/apiserver/wire"
)

// apply merges what a client wants into an object, field by field, and notes which fields are the client's.
// An object that is not there is created.
// Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/
func (c *call) apply(f wire.Format, body wire.Body, opts *metav1.PatchOptions) error {
	wanted, doubts, err := c.readApplied(body, c.kind.GroupVersionKind)
	if err != nil {
		return err
	}
	force := opts.Force != nil && *opts.Force
	merge := func(live runtime.Object, stored []byte) (runtime.Object, error) {
		if wire.Crowded(stored) {
			return nil, errCrowded()
		}
		obj, err := c.Owners.Apply(c.kind, c.sub.Name, live, wanted, opts.FieldManager, force)
		if err == nil {
			err = c.tellDoubts(doubts, opts)
		}
		return obj, err
	}

	if c.sub.Name == "" && !c.Registry.Has(c.kind, c.info.Namespace, c.info.Name) {
		live := c.kind.New()
		m, err := meta.Accessor(live)
		if err != nil {
			return apierrors.NewInternalError(err)
		}
		if wanted.GetName() == "" {
			return nameMissing(c)
		}
		m.SetName(c.info.Name)
		if c.kind.Namespaced {
			m.SetNamespace(c.info.Namespace)
		}
		if wanted.GetUID() != "" {
			return apierrors.NewConflict(c.kind.Qualified(), c.info.Name, fmt.Errorf("uid mismatch: the provided object specified uid %s, and no existing object was found", wanted.GetUID()))
		}
		if err := c.mayCreate(); err != nil {
			return err
		}
		obj, err := merge(live, nil)
		if err != nil {
			return err
		}
		obj.(metav1.Object).SetResourceVersion("") // of which there is none yet
		fieldowner.Since(obj, c.Now())
		c.setDefaults(obj)
		e, obj, err := c.createObject(obj, &metav1.CreateOptions{DryRun: opts.DryRun, FieldManager: opts.FieldManager, FieldValidation: opts.FieldValidation})
		switch {
		case err == nil && e == nil:
			return c.sendObject(f, http.StatusCreated, obj)
		case err == nil:
			return c.sendEntry(f, http.StatusCreated, e)
		case !apierrors.IsAlreadyExists(err):
			return err
		}
	}
	return c.change(f, change{
		options: opts,
		dryRun:  dryRun(opts.DryRun),
		applied: true,
		next: func(old runtime.Object, stored []byte) (runtime.Object, error) {
			if stored == nil {
				if stored, err = json.Marshal(old); err != nil {
					return nil, err
				}
			}
			obj, err := merge(old, stored)
			if err != nil {
				return nil, err
			}
			obj.GetObjectKind().SetGroupVersionKind(c.kind.GroupVersionKind)
			return obj, nil
		},
	})
}

// readApplied reads what somebody wants of an object of a kind. doubts is what a strict reader does not like about it.
func (c *call) readApplied(body wire.Body, want schema.GroupVersionKind) (wanted *unstructured.Unstructured, doubts, err error) {
	wanted = &unstructured.Unstructured{}
	asJSON, simple := body.Bytes, false
	if wanted.Object, simple = simpleJSON(asJSON); !simple {
		if wanted.Object, asJSON, err = fromYAML(body.Bytes); err != nil {
			return nil, nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding patch: %v", err))
		}
		doubts = yaml.UnmarshalStrict(body.Bytes, &map[string]any{})
	}
	of := runtime.Object(nil)
	if c.kind.Custom == nil {
		of = c.kind.New()
	}
	if err := wire.CheckJSON(asJSON, of); err != nil {
		return nil, nil, err
	}
	switch {
	case wire.Crowded(asJSON):
		return nil, nil, errCrowded()
	case len(wanted.GetManagedFields()) > 0:
		return nil, nil, apierrors.NewBadRequest("metadata.managedFields must be nil")
	case wanted.GroupVersionKind() != want:
		return nil, nil, apierrors.NewBadRequest(fmt.Sprintf("invalid object type: %v", wanted.GroupVersionKind()))
	case wanted.GetName() != "" && wanted.GetName() != c.info.Name:
		return nil, nil, apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", wanted.GetName(), c.info.Name))
	}
	return wanted, doubts, nil
}

// tellDoubts tells of what a strict reader does not like about what is applied, as the client wants to hear it.
func (c *call) tellDoubts(doubts error, opts *metav1.PatchOptions) error {
	switch validation := fieldValidation(opts.FieldValidation); {
	case doubts == nil || validation == metav1.FieldValidationIgnore:
	case validation == metav1.FieldValidationStrict:
		return apierrors.NewBadRequest(fmt.Sprintf("error strict decoding patch: %v", doubts))
	default:
		warnAll(c.r.Context(), []string{doubts.Error()})
	}
	return nil
}

func fromYAML(text []byte) (object map[string]any, asJSON []byte, err error) {
	if asJSON, err = wire.YAMLToJSON(text); err != nil {
		return nil, nil, fmt.Errorf("error converting YAML to JSON: %w", err)
	}
	object = map[string]any{}
	return object, asJSON, kjson.UnmarshalCaseSensitivePreserveInts(asJSON, &object) // whole numbers stay whole
}

// simpleJSON reads YAML that is JSON, as programs write it, without the detour. It says false of anything that a reader of YAML
// might understand otherwise, or not like: what is no plain text, escapes, merge keys, fractions, long keys, what is there twice.
func simpleJSON(text []byte) (map[string]any, bool) {
	const longKey = 1000 // YAML's are 1024 characters long at most
	if len(text) == 0 || text[0] != '{' || bytes.Contains(text, []byte("<<")) {
		return nil, false
	}
	for _, b := range text {
		if b < ' ' && b != '\n' || b >= 0x7f || b == '\\' {
			return nil, false
		}
	}
	object := map[string]any{}
	doubts, err := kjson.UnmarshalStrict(text, &object)
	if err != nil || len(doubts) > 0 {
		return nil, false
	}
	var plain func(v any) bool
	plain = func(v any) bool {
		switch v := v.(type) {
		case map[string]any:
			for key, below := range v {
				if len(key) > longKey || !plain(below) {
					return false
				}
			}
		case []any:
			return !slices.ContainsFunc(v, func(below any) bool { return !plain(below) })
		case float64:
			return false
		}
		return true
	}
	return object, plain(object)
}

// mayCreate asks for the permission to create where an update or apply would: `patch` alone does not give it.
func (c *call) mayCreate() error {
	a := attributesOf(c.r)
	a.Verb = "create"
	if answer := authz.Further(c.r.Context(), c.Authz, a); !answer.Allowed() {
		return forbidden(a, answer.Reason())
	}
	return nil
}

// own notes on a new or changed object which fields this request has set. old is nil for a new one.
func (c *call) own(obj, old runtime.Object, manager string) {
	c.Owners.Note(c.kind, c.sub.Name, obj, old, fieldowner.Name(manager, c.r.UserAgent()), c.Now())
	obj.GetObjectKind().SetGroupVersionKind(c.kind.GroupVersionKind)
}
