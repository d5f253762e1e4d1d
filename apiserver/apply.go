package apiserver

import (
	"fmt"
	"net/http"

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
	wanted, err := c.readApplied(body, c.kind.GroupVersionKind)
	if err != nil {
		return err
	}
	doubts := yaml.UnmarshalStrict(body.Bytes, &map[string]any{})
	force := opts.Force != nil && *opts.Force
	merge := func(live runtime.Object) (runtime.Object, error) {
		obj, err := c.Owners.Apply(c.kind, c.sub.Name, live, wanted, opts.FieldManager, force)
		switch validation := fieldValidation(opts.FieldValidation); {
		case err != nil || doubts == nil || validation == metav1.FieldValidationIgnore:
		case validation == metav1.FieldValidationStrict:
			return nil, apierrors.NewBadRequest(fmt.Sprintf("error strict decoding patch: %v", doubts))
		default:
			warnAll(c.r.Context(), []string{doubts.Error()})
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
		obj, err := merge(live)
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
		next: func(old runtime.Object, _ []byte) (runtime.Object, error) {
			obj, err := merge(old)
			if err != nil {
				return nil, err
			}
			obj.GetObjectKind().SetGroupVersionKind(c.kind.GroupVersionKind)
			return obj, nil
		},
	})
}

// readApplied reads what somebody wants of an object of a kind.
func (c *call) readApplied(body wire.Body, want schema.GroupVersionKind) (*unstructured.Unstructured, error) {
	wanted := &unstructured.Unstructured{Object: map[string]any{}}
	asJSON, err := yaml.YAMLToJSON(body.Bytes)
	if err != nil {
		err = fmt.Errorf("error converting YAML to JSON: %w", err)
	} else { // whole numbers stay whole
		err = kjson.UnmarshalCaseSensitivePreserveInts(asJSON, &wanted.Object)
	}
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding patch: %v", err))
	}
	switch {
	case len(wanted.GetManagedFields()) > 0:
		return nil, apierrors.NewBadRequest("metadata.managedFields must be nil")
	case wanted.GroupVersionKind() != want:
		return nil, apierrors.NewBadRequest(fmt.Sprintf("invalid object type: %v", wanted.GroupVersionKind()))
	case wanted.GetName() != "" && wanted.GetName() != c.info.Name:
		return nil, apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", wanted.GetName(), c.info.Name))
	}
	return wanted, nil
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
