package customresource

import (
	"fmt"
	"sync"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/objectmeta"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
)

// version is one version of a definition. What takes time to make of its schema is made when it is first needed.
type version struct {
	apiextensionsv1.CustomResourceDefinitionVersion
	structural func() (*structuralschema.Structural, error)
	validators func() (validators, error)
	rules      func() *cel.Validator
}

// validators are the schemas that values are checked against: of the object, and of its status alone.
type validators struct {
	object checked
	status *checked
}

func newVersion(v apiextensionsv1.CustomResourceDefinitionVersion) *version {
	out := &version{CustomResourceDefinitionVersion: v}
	internal := sync.OnceValues(func() (*apiextensions.JSONSchemaProps, error) { return internalSchema(v.Schema) })
	out.structural = sync.OnceValues(func() (*structuralschema.Structural, error) {
		s, err := internal()
		if err != nil || s == nil {
			return nil, err
		}
		structural, err := structuralschema.NewStructural(s)
		if err != nil {
			return nil, fmt.Errorf("the schema of version %s is not structural: %w", v.Name, err)
		}
		structural = structural.DeepCopy() // its defaults are still the definition's
		return structural, defaulting.PruneDefaults(structural)
	})
	out.validators = sync.OnceValues(func() (validators, error) {
		s, err := internal()
		if err != nil {
			return validators{}, err
		}
		var out validators
		if _, out.object.schema, err = validation.NewSchemaValidator(s); err != nil {
			return validators{}, err
		}
		if s == nil {
			return out, nil
		}
		if status, ok := s.Properties["status"]; ok {
			out.status = &checked{}
			_, out.status.schema, err = validation.NewSchemaValidator(&status)
		}
		return out, err
	})
	out.rules = sync.OnceValue(func() *cel.Validator {
		s, err := out.structural()
		if err != nil || s == nil {
			return nil
		}
		return cel.NewValidator(s, true, celconfig.PerCallLimit)
	})
	return out
}

func internalSchema(s *apiextensionsv1.CustomResourceValidation) (*apiextensions.JSONSchemaProps, error) {
	if s == nil || s.OpenAPIV3Schema == nil {
		return nil, nil
	}
	out := &apiextensions.CustomResourceValidation{}
	err := apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(s, out, nil)
	return out.OpenAPIV3Schema, err
}

func (v *version) hasStatus() bool { return v.Subresources != nil && v.Subresources.Status != nil }

func (v *version) scale() *apiextensionsv1.CustomResourceSubresourceScale {
	if v.Subresources == nil {
		return nil
	}
	return v.Subresources.Scale
}

// coercion says how an object is brought into the schema's form.
type coercion struct {
	report bool // return the paths of unknown fields
	stored bool // metadata that we would not accept today is dropped rather than refused
}

// coerce does to an object without Go type what decoding into a Go type would do: unknown fields go, in metadata and
// in embedded objects as well, and nulls where the schema allows none.
// Source: unstructuredSchemaCoercer in k8s.io/apiextensions-apiserver/pkg/apiserver/customresource_handler.go.
func (v *version) coerce(u *unstructured.Unstructured, how coercion) ([]string, error) {
	s, err := v.structural()
	if err != nil {
		return nil, err
	}
	kind, apiVersion := u.GetKind(), u.GetAPIVersion()
	meta, hasMeta, unknown, err := objectmeta.GetObjectMetaWithOptions(u.Object, objectmeta.ObjectMetaOptions{
		DropMalformedFields: how.stored, ReturnUnknownFieldPaths: how.report,
	})
	if err != nil {
		return nil, err
	}
	if s != nil {
		unknown = append(unknown, pruning.PruneWithOptions(u.Object, s, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: how.report})...)
		defaulting.PruneNonNullableNullsWithoutDefaults(u.Object, s)
		ferr, paths := objectmeta.CoerceWithOptions(nil, u.Object, s, false, objectmeta.CoerceOptions{
			DropInvalidFields: how.stored, ReturnUnknownFieldPaths: how.report,
		})
		if ferr != nil {
			return nil, ferr
		}
		unknown = append(unknown, paths...)
	}
	u.SetKind(kind)
	u.SetAPIVersion(apiVersion)
	if hasMeta {
		if how.stored && meta.Generation == 0 {
			meta.Generation = 1
		}
		if err := objectmeta.SetObjectMeta(u.Object, meta); err != nil {
			return nil, err
		}
	}
	return unknown, nil
}

// fillIn sets what the schema has defaults for.
func (v *version) fillIn(u *unstructured.Unstructured) {
	if s, err := v.structural(); err == nil && s != nil {
		defaulting.Default(u.Object, s)
	}
}
