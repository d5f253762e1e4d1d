// Command marks prints what upstream's API types say of themselves in comments that only its generators read, and reflection
// therefore does not see: which values there are, which fields must be there, how lists and maps are merged, and defaults.
// apiserver/openapi/marks.json.gz is its output, compressed:
//
//	go run ./cmd/marks | gzip -9n > ../../apiserver/openapi/marks.json.gz
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kubernetes/pkg/generated/openapi"
)

// marks are those of one schema, or of one of its properties. See apiserver/openapi/marks.go, which reads them.
type marks struct {
	About      string            `json:"about,omitempty"`    // the description, of what has none of its own
	Values     []any             `json:"values,omitempty"`   // which there are
	ValuesDoc  string            `json:"doc,omitempty"`      // what is said of them, at the end of the description
	Items      []any             `json:"items,omitempty"`    // values of a list's items, or of a map's
	Default    any               `json:"default,omitempty"`  // of a property
	List       string            `json:"list,omitempty"`     // x-kubernetes-list-type, but for atomic
	Keys       []string          `json:"keys,omitempty"`     // x-kubernetes-list-map-keys
	Map        string            `json:"map,omitempty"`      // x-kubernetes-map-type
	Unions     any               `json:"unions,omitempty"`   // x-kubernetes-unions
	Required   []string          `json:"required,omitempty"` // properties
	Properties map[string]*marks `json:"properties,omitempty"`
}

func main() {
	all := map[string]*marks{}
	for name, d := range openapi.GetOpenAPIDefinitions(func(path string) spec.Ref { return spec.MustCreateRef("#/" + path) }) {
		if !served.MatchString(name) {
			continue
		}
		s := d.Schema
		m := of(&s)
		m.Required = s.Required
		if undocumented.MatchString(name) || len(s.Properties) == 0 {
			m.About = s.Description
		}
		for field, p := range s.Properties {
			q := of(&p)
			switch {
			case undocumented.MatchString(name) || garbled.MatchString(p.Description):
				q.About = strings.TrimSuffix(p.Description, q.ValuesDoc)
			case p.Default == "" && !slices.Contains(s.Required, field):
				q.Default = "" // where the Go type is optional
			}
			if !q.empty() {
				if m.Properties == nil {
					m.Properties = map[string]*marks{}
				}
				m.Properties[field] = q
			}
		}
		if !m.empty() {
			all[name] = m
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(all); err != nil {
		fmt.Fprintln(os.Stderr, "marks:", err)
		os.Exit(1)
	}
}

// served are the names of types that are served: those of generally available versions.
var served = regexp.MustCompile(`^io\.k8s\.(api|apimachinery|apiextensions-apiserver|kube-aggregator)\..*(\.v\d+\.|\.v1alpha3\.|\.(resource|runtime|intstr|version)\.)[A-Z]`)

// undocumented types have no SwaggerDoc, and garbled descriptions are other in it.
var (
	undocumented = regexp.MustCompile(`^io\.k8s\.(apiextensions-apiserver|kube-aggregator)\.|\.(WatchEvent|GroupResource|version\.Info)$`)
	garbled      = regexp.MustCompile(`----|\\\\|zone1|DoNotSchedule|^validationActions declares`)
)

const valuesHead = "\n\nPossible enum values:"

func of(s *spec.Schema) *marks {
	m := &marks{Values: s.Enum}
	if at := strings.Index(s.Description, valuesHead); at >= 0 && len(s.Enum) > 0 {
		m.ValuesDoc = s.Description[len(strings.TrimRight(s.Description[:at], "\n")):]
	}
	if s.Items != nil && s.Items.Schema != nil {
		m.Items = s.Items.Schema.Enum
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		m.Items = s.AdditionalProperties.Schema.Enum
	}
	switch d := s.Default.(type) {
	case map[string]any, nil:
	case string:
		if d != "" {
			m.Default = d
		}
	default:
		m.Default = d
	}
	merged := s.Extensions["x-kubernetes-patch-strategy"] != nil // where a tag of the Go type lets expect something else
	if l, _ := s.Extensions["x-kubernetes-list-type"].(string); l != "atomic" || merged || s.Type.Contains("string") {
		m.List = l
	}
	if keys, ok := s.Extensions["x-kubernetes-list-map-keys"].([]any); ok {
		for _, k := range keys {
			m.Keys = append(m.Keys, fmt.Sprint(k))
		}
	}
	m.Map, _ = s.Extensions["x-kubernetes-map-type"].(string)
	m.Unions = s.Extensions["x-kubernetes-unions"]
	return m
}

func (m *marks) empty() bool {
	b, err := json.Marshal(m)
	return err == nil && string(b) == "{}"
}
