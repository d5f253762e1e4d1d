package openapi

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"coracle/apiserver/catalog"
)

const (
	refV2 = "#/definitions/"
	refV3 = "#/components/schemas/"
)

// form is what travels in a body: a Go type, or a kind that has none.
type form interface {
	// in returns the schema as seen from elsewhere, and defines what it refers to.
	in(m *models) *spec.Schema
}

type goType struct{ of reflect.Type }

func (t goType) in(m *models) *spec.Schema { return m.schema(t.of) }

// text is plain text.
type text struct{}

func (text) in(*models) *spec.Schema { return spec.StringProperty() }

func typeOf(obj any) form { return goType{reflect.TypeOf(obj).Elem()} }

// custom is a kind that a CustomResourceDefinition describes, or the list of it.
type custom struct {
	kind *catalog.Kind
	list bool
}

func (c custom) in(m *models) *spec.Schema {
	v2 := m.ref == refV2
	item := customName(c.kind.GroupVersionKind)
	if m.schemas[item] == nil {
		m.schemas[item] = c.kind.Custom.Schema(v2)
		m.schema(reflect.TypeFor[metav1.ObjectMeta]())
	}
	if !c.list {
		return spec.RefSchema(m.ref + item)
	}
	gvk := c.kind.GroupVersion().WithKind(c.kind.ListKind())
	name := customName(gvk)
	if m.schemas[name] == nil {
		m.schemas[name] = m.listOf(c.kind, item, gvk)
	}
	return spec.RefSchema(m.ref + name)
}

func (m *models) listOf(k *catalog.Kind, item string, gvk schema.GroupVersionKind) *spec.Schema {
	doc := metav1.TypeMeta{}.SwaggerDoc()
	s := object()
	s.Description = fmt.Sprintf("%s is a list of %s", gvk.Kind, k.Kind)
	s.Required = []string{"items"}
	items := spec.ArrayProperty(spec.RefSchema(m.ref + item))
	items.Description = fmt.Sprintf("List of %s. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md", k.Resource)
	metadata := m.schema(reflect.TypeFor[metav1.ListMeta]())
	if m.ref == refV3 {
		metadata = &spec.Schema{SchemaProps: spec.SchemaProps{AllOf: []spec.Schema{*metadata}}}
	}
	metadata.Description = "Standard list metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds"
	s.Properties = map[string]spec.Schema{
		"apiVersion": *spec.StringProperty().WithDescription(doc["apiVersion"]),
		"kind":       *spec.StringProperty().WithDescription(doc["kind"]),
		"metadata":   *metadata,
		"items":      *items,
	}
	s.AddExtension(kindExtension, []any{inMap(gvk)})
	const selectable = "x-kubernetes-selectable-fields"
	if fields, ok := m.schemas[item].Extensions[selectable]; ok {
		s.AddExtension(selectable, fields)
	}
	return s
}

// customName is a custom kind's name in documents: the group's domain read from behind, as Java has it.
func customName(gvk schema.GroupVersionKind) string {
	parts := strings.Split(gvk.Group, ".")
	slices.Reverse(parts)
	return strings.Join(append(parts, gvk.Version, gvk.Kind), ".")
}

func objectOf(k *catalog.Kind) form {
	if k.Custom != nil {
		return custom{kind: k}
	}
	return typeOf(k.New())
}

func listForm(k *catalog.Kind) form {
	if k.Custom != nil {
		return custom{kind: k, list: true}
	}
	return typeOf(k.NewList())
}

// Reference is how a schema refers to a Go type's, in OpenAPI v2 or v3.
func Reference(t reflect.Type, v2 bool) *spec.Schema {
	if v2 {
		return spec.RefSchema(refV2 + modelName(t))
	}
	return &spec.Schema{SchemaProps: spec.SchemaProps{AllOf: []spec.Schema{*spec.RefSchema(refV3 + modelName(t))}}}
}

// Schemas are the OpenAPI v3 schemas of Go types, and of all types that they refer to, by name.
func Schemas(types ...reflect.Type) map[string]*spec.Schema {
	m := newModels(refV3)
	for _, t := range types {
		m.schema(t)
	}
	return m.schemas
}
