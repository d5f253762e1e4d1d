package customresource

import (
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	"coracle/apiserver/openapi"
)

// openAPI is an object's schema with what all objects have: apiVersion, kind and metadata. In v2 nothing can be said
// of an object that may hold anything, and some words do not exist.
// Source: buildKubeNative in k8s.io/apiextensions-apiserver/pkg/controller/openapi/builder.
func (v *version) openAPI(gvk schema.GroupVersionKind, v2 bool) *spec.Schema {
	out := &spec.Schema{SchemaProps: spec.SchemaProps{Type: spec.StringOrArray{"object"}}}
	s, err := v.structural()
	if err == nil && s != nil && !(v2 && s.XPreserveUnknownFields) {
		out = s.ToKubeOpenAPI()
		if v2 {
			simplify(out)
		} else {
			eitherOr(out)
		}
		embed(out, v2)
		describe(out, v2)
	}
	if fields := v.selectableFields(); len(fields) > 0 {
		out.AddExtension("x-kubernetes-selectable-fields", fields)
	}
	out.AddExtension("x-kubernetes-group-version-kind", []any{map[string]any{"group": gvk.Group, "version": gvk.Version, "kind": gvk.Kind}})
	return out
}

// each calls f with every schema below s.
func each(s *spec.Schema, f func(*spec.Schema)) {
	for name, p := range s.Properties {
		f(&p)
		s.Properties[name] = p
	}
	if s.Items != nil && s.Items.Schema != nil {
		f(s.Items.Schema)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		f(s.AdditionalProperties.Schema)
	}
}

// eitherOr says of what may be a number or a text which types of JSON that are.
func eitherOr(s *spec.Schema) {
	if either, _ := s.Extensions.GetBool("x-kubernetes-int-or-string"); either && len(s.AnyOf) == 0 && len(s.AllOf) == 0 {
		for _, kind := range []string{"integer", "string"} {
			s.AnyOf = append(s.AnyOf, spec.Schema{SchemaProps: spec.SchemaProps{Type: spec.StringOrArray{kind}}})
		}
	}
	each(s, eitherOr)
}

// embed describes the metadata of the objects that others hold.
func embed(s *spec.Schema, v2 bool) {
	each(s, func(inner *spec.Schema) {
		embed(inner, v2)
		free, _ := inner.Extensions.GetBool("x-kubernetes-preserve-unknown-fields")
		if object, _ := inner.Extensions.GetBool("x-kubernetes-embedded-resource"); !object || v2 && free {
			return
		}
		describe(inner, v2)
		for name, text := range map[string]string{
			"apiVersion": "apiVersion defines the versioned schema of this representation of an object. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources",
			"kind":       "kind is a string value representing the type of this object. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds",
		} {
			inner.Properties[name] = *spec.StringProperty().WithDescription(text)
		}
		for _, name := range []string{"kind", "apiVersion"} {
			if !slices.Contains(inner.Required, name) {
				inner.Required = append(inner.Required, name)
			}
		}
	})
}

// describe adds what every object has.
func describe(s *spec.Schema, v2 bool) {
	if s.Properties == nil {
		s.Properties = map[string]spec.Schema{}
	}
	doc := metav1.TypeMeta{}.SwaggerDoc()
	metadata := openapi.Reference(reflect.TypeFor[metav1.ObjectMeta](), v2)
	metadata.Description = "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"
	s.Properties["metadata"] = *metadata
	s.Properties["apiVersion"] = *spec.StringProperty().WithDescription(doc["apiVersion"])
	s.Properties["kind"] = *spec.StringProperty().WithDescription(doc["kind"])
}

// simplify takes out of a schema what OpenAPI v2 has no words for.
func simplify(s *spec.Schema) {
	s.OneOf, s.AnyOf, s.AllOf, s.Not = nil, nil, nil, nil
	if s.Nullable {
		s.Type, s.Nullable = nil, false
		s.Properties, s.Items, s.AdditionalProperties = nil, nil, nil
	}
	if free, _ := s.Extensions.GetBool("x-kubernetes-preserve-unknown-fields"); free {
		s.Type, s.Properties, s.Items = nil, nil, nil
	}
	if either, _ := s.Extensions.GetBool("x-kubernetes-int-or-string"); either {
		s.Type = nil
	}
	each(s, simplify)
}

// manager makes the field manager of a version, or of one of its subresources.
func (d *definition) manager(v *version, subresource string) (*managedfields.FieldManager, error) {
	types, err := d.types()
	if err != nil {
		return nil, err
	}
	kind := d.kind(v)
	return managedfields.NewDefaultCRDFieldManager(types, convertor{d}, defaulter{d}, creater{}, kind, kind.GroupVersion(), subresource, d.resets(subresource))
}

// typeConverter knows all versions' schemas, by which objects are merged.
func (d *definition) typeConverter() (managedfields.TypeConverter, error) {
	models := openapi.Schemas(reflect.TypeFor[metav1.ObjectMeta]())
	for _, v := range d.versions {
		gvk := d.kind(v)
		models[strings.ReplaceAll(gvk.Group, "/", ".")+"."+gvk.Version+"."+gvk.Kind] = v.openAPI(gvk, false)
	}
	return managedfields.NewTypeConverter(models, false)
}

// resets are the fields that a request's endpoint drops, which it therefore cannot own.
func (d *definition) resets(subresource string) map[fieldpath.APIVersion]fieldpath.Filter {
	out := map[fieldpath.APIVersion]fieldpath.Filter{}
	for _, v := range d.versions {
		if !v.hasStatus() || subresource == "scale" {
			continue
		}
		set := fieldpath.NewSet(fieldpath.MakePathOrDie("status"))
		if subresource == "status" {
			set = fieldpath.NewSet(fieldpath.MakePathOrDie("metadata"), fieldpath.MakePathOrDie("spec"))
		}
		out[fieldpath.APIVersion(d.kind(v).GroupVersion().String())] = fieldpath.NewExcludeSetFilter(set)
	}
	return out
}

type defaulter struct{ *definition }

func (d defaulter) Default(obj runtime.Object) {
	if u, ok := obj.(*unstructured.Unstructured); ok {
		if v := d.versions[u.GroupVersionKind().Version]; v != nil {
			v.fillIn(u)
		}
	}
}

type creater struct{}

func (creater) New(kind schema.GroupVersionKind) (runtime.Object, error) { return empty(kind), nil }

func empty(kind schema.GroupVersionKind) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetGroupVersionKind(kind)
	return u
}
