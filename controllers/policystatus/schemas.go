package policystatus

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kube-openapi/pkg/validation/spec"
)

// schemas are those of one group and version, by name.
type schemas map[string]*spec.Schema

func readSchemas(document []byte) (schemas, error) {
	var in struct {
		Components struct{ Schemas schemas }
	}
	err := json.Unmarshal(document, &in)
	return in.Components.Schemas, err
}

// of returns the schema of a kind, with what it refers to in its place.
// Source: k8s.io/apiserver/pkg/cel/openapi/resolver.
func (all schemas) of(kind schema.GroupVersionKind) (*spec.Schema, error) {
	for name, s := range all {
		var is []schema.GroupVersionKind
		if s != nil && s.Extensions.GetObject("x-kubernetes-group-version-kind", &is) == nil && slices.Contains(is, kind) {
			return all.whole(s, []string{name})
		}
	}
	return nil, fmt.Errorf("there is no schema of %s", kind)
}

// whole returns s with what it refers to in its place; a schema inside of itself, which is in within, as an object of which nothing
// is known. s stays as it is.
func (all schemas) whole(s *spec.Schema, within []string) (*spec.Schema, error) {
	if name := reference(s); name != "" {
		if slices.Contains(within, name) {
			return &spec.Schema{SchemaProps: spec.SchemaProps{Type: spec.StringOrArray{"object"}}}, nil
		}
		if s = all[name]; s == nil {
			return nil, fmt.Errorf("there is no schema %s", name)
		}
		within = append(within[:len(within):len(within)], name)
	}
	out := *s
	var err error
	if s.Properties != nil {
		out.Properties = make(map[string]spec.Schema, len(s.Properties))
		for name, property := range s.Properties {
			of, err := all.whole(&property, within)
			if err != nil {
				return nil, err
			}
			out.Properties[name] = *of
		}
	}
	if values := s.AdditionalProperties; values != nil && values.Schema != nil {
		of := *values
		if of.Schema, err = all.whole(values.Schema, within); err != nil {
			return nil, err
		}
		out.AdditionalProperties = &of
	}
	if items := s.Items; items != nil && items.Schema != nil {
		of := *items
		if of.Schema, err = all.whole(items.Schema, within); err != nil {
			return nil, err
		}
		out.Items = &of
	}
	return &out, nil
}

// reference is the name of the schema that s is a reference to, which may be wrapped so that it can be described; "" for none.
func reference(s *spec.Schema) string {
	if s.Ref.GetURL() != nil {
		return strings.TrimPrefix(s.Ref.String(), "#/components/schemas/")
	}
	for i := range s.AllOf {
		if name := reference(&s.AllOf[i]); name != "" {
			return name
		}
	}
	return ""
}
