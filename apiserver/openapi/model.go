package openapi

import (
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// models turns Go types into schemas, each named struct once.
type models struct {
	ref     string // what references begin with: #/components/schemas/ in v3, #/definitions/ in v2
	schemas map[string]*spec.Schema
	marks   map[string]*marks
}

func newModels(ref string) *models {
	marks, err := readMarks()
	if err != nil {
		panic("marks.json.gz is broken: " + err.Error()) // it is part of this binary: a test would have seen it
	}
	return &models{ref: ref, schemas: map[string]*spec.Schema{}, marks: marks}
}

type named interface{ OpenAPIModelName() string }
type documented interface{ SwaggerDoc() map[string]string }
type typed interface {
	OpenAPISchemaType() []string
	OpenAPISchemaFormat() string
}

// schema describes a type: inline, or by reference where the type has a name of its own.
func (m *models) schema(t reflect.Type) *spec.Schema {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if name := modelName(t); name != "" {
		m.define(name, t)
		return &spec.Schema{SchemaProps: spec.SchemaProps{Ref: spec.MustCreateRef(m.ref + name)}}
	}
	switch t.Kind() {
	case reflect.Bool:
		return spec.BooleanProperty()
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return spec.Int64Property()
	case reflect.Int32, reflect.Int16, reflect.Int8, reflect.Uint32, reflect.Uint16, reflect.Uint8:
		return spec.Int32Property()
	case reflect.Float64, reflect.Float32:
		return spec.Float64Property()
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return spec.StrFmtProperty("byte")
		}
		return spec.ArrayProperty(m.schema(t.Elem()))
	case reflect.Map:
		return spec.MapProperty(m.schema(t.Elem()))
	case reflect.Struct, reflect.Interface:
		return object()
	}
	return spec.StringProperty()
}

// withDefault wraps a reference, which may have no neighbours, and gives it and plain values a default.
func withDefault(s *spec.Schema, t reflect.Type) *spec.Schema {
	if s.Ref.String() != "" {
		wrapped := &spec.Schema{SchemaProps: spec.SchemaProps{AllOf: []spec.Schema{*s}}}
		if t.Kind() == reflect.Struct && !scalar(t) && t != reflect.TypeFor[runtime.RawExtension]() {
			wrapped.Default = map[string]any{}
		}
		return wrapped
	}
	switch t.Kind() {
	case reflect.String:
		s.Default = ""
	case reflect.Int, reflect.Int32, reflect.Int64:
		s.Default = 0
	case reflect.Bool:
		s.Default = false
	}
	return s
}

func object() *spec.Schema {
	return &spec.Schema{SchemaProps: spec.SchemaProps{Type: spec.StringOrArray{"object"}}}
}

func scalar(t reflect.Type) bool {
	_, ok := reflect.Zero(t).Interface().(typed)
	return ok
}

// modelName is a named type's name in documents, "" for other types.
func modelName(t reflect.Type) string {
	if n, ok := reflect.Zero(t).Interface().(named); ok {
		return n.OpenAPIModelName()
	}
	switch t.PkgPath() + "." + t.Name() {
	case "k8s.io/apimachinery/pkg/util/intstr.IntOrString":
		return "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
	case "k8s.io/apimachinery/pkg/runtime.RawExtension":
		return "io.k8s.apimachinery.pkg.runtime.RawExtension"
	case "k8s.io/apimachinery/pkg/api/resource.Quantity":
		return "io.k8s.apimachinery.pkg.api.resource.Quantity"
	}
	return ""
}

func (m *models) define(name string, t reflect.Type) {
	if _, done := m.schemas[name]; done {
		return
	}
	s := object()
	m.schemas[name] = s // before its fields: types refer to each other in circles
	docs := docsOf(t)
	s.Description = docs[""]
	if v, ok := reflect.Zero(t).Interface().(typed); ok {
		s.Type = v.OpenAPISchemaType()
		if f := v.OpenAPISchemaFormat(); f != "" {
			s.Format = f
		}
		if strings.HasSuffix(name, "IntOrString") {
			s.Format = "int-or-string"
		}
		if m.ref == refV3 {
			for _, kind := range alternatives(name) {
				s.Type, s.OneOf = nil, append(s.OneOf, spec.Schema{SchemaProps: spec.SchemaProps{Type: spec.StringOrArray{kind}}})
			}
		}
		m.mark(name, s)
		return
	}
	if t.Kind() != reflect.Struct {
		*s = *m.plain(t)
		s.Description = docs[""]
		m.mark(name, s)
		return
	}
	s.Properties = map[string]spec.Schema{}
	m.fields(s, t, docs)
	slices.Sort(s.Required)
	if len(s.Properties) == 0 {
		s.Properties = nil
	}
	m.mark(name, s)
}

// mark completes the schema of one of upstream's types.
func (m *models) mark(name string, s *spec.Schema) {
	if strings.HasPrefix(name, "io.k8s.") {
		m.marks[name].on(s)
	}
	for field, p := range s.Properties {
		if len(p.AllOf) == 1 && p.Description == "" && p.Default == nil && len(p.Extensions) == 0 {
			s.Properties[field] = p.AllOf[0] // has no neighbours, and needs no wrapping
		}
	}
}

// alternatives are the types of JSON that a Go type is read from, where there are several.
func alternatives(name string) []string {
	switch {
	case strings.HasSuffix(name, ".IntOrString"):
		return []string{"integer", "string"}
	case strings.HasSuffix(name, ".Quantity"):
		return []string{"string", "number"}
	}
	return nil
}

// plain describes a named type that is no struct by what it is made of.
func (m *models) plain(t reflect.Type) *spec.Schema {
	switch t.Kind() {
	case reflect.Map:
		return spec.MapProperty(m.schema(t.Elem()))
	case reflect.Slice:
		return spec.ArrayProperty(m.schema(t.Elem()))
	}
	return spec.StringProperty()
}

func (m *models) fields(s *spec.Schema, t reflect.Type, docs map[string]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if name == "" && (f.Anonymous || strings.Contains(options, "inline")) {
			embedded := f.Type
			for embedded.Kind() == reflect.Pointer {
				embedded = embedded.Elem()
			}
			if embedded.Kind() == reflect.Struct {
				inherited := docsOf(embedded)
				for k, v := range docs {
					inherited[k] = v
				}
				m.fields(s, embedded, inherited)
			}
			continue
		}
		if name == "" {
			name = f.Name
		}
		p := m.schema(f.Type)
		optional := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
		if p.Ref.String() != "" || !optional {
			p = withDefault(p, f.Type)
		}
		p.Description = docs[name]
		if name != "items" || !reflect.PointerTo(t).Implements(reflect.TypeFor[metav1.ListInterface]()) { // the items of a kind's list
			extend(p, f)
		}
		s.Properties[name] = *p
		if !optional {
			s.Required = append(s.Required, name)
		}
	}
}

// extend notes how a list is patched.
func extend(p *spec.Schema, f reflect.StructField) {
	strategy, key := f.Tag.Get("patchStrategy"), f.Tag.Get("patchMergeKey")
	if strategy == "" && key == "" {
		if f.Type.Kind() == reflect.Slice && f.Type.Name() == "" && f.Type.Elem().Kind() != reflect.Uint8 {
			p.AddExtension("x-kubernetes-list-type", "atomic")
		}
		return
	}
	if strategy != "" {
		p.AddExtension("x-kubernetes-patch-strategy", strategy)
	}
	if key != "" {
		p.AddExtension("x-kubernetes-patch-merge-key", key)
		p.AddExtension("x-kubernetes-list-type", "map")
		p.AddExtension("x-kubernetes-list-map-keys", []any{key})
	} else if f.Type.Kind() == reflect.Slice {
		p.AddExtension("x-kubernetes-list-type", "set")
	}
}

func docsOf(t reflect.Type) map[string]string {
	out := map[string]string{}
	if d, ok := reflect.Zero(t).Interface().(documented); ok {
		for k, v := range d.SwaggerDoc() {
			out[k] = v
		}
	}
	return out
}
