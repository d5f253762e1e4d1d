package openapi

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"

	"k8s.io/kube-openapi/pkg/validation/spec"
)

// Upstream's types say more of themselves in comments than in their fields and tags: which values there are, which fields must
// be there, how lists and maps are merged. The file has that of all types, by the names of their schemas; e2e/oracle/cmd/marks
// makes it.
//
//go:embed marks.json.gz
var marksFile string

// marks are those of one schema, or of one of its properties.
type marks struct {
	About      string            `json:"about"`    // the description, of what has none of its own
	Values     []any             `json:"values"`   // which there are
	ValuesDoc  string            `json:"doc"`      // what is said of them, at the end of the description
	Items      []any             `json:"items"`    // values of a list's items, or of a map's
	Default    any               `json:"default"`  // of a property
	List       string            `json:"list"`     // x-kubernetes-list-type, but for atomic
	Keys       []any             `json:"keys"`     // x-kubernetes-list-map-keys
	Map        string            `json:"map"`      // x-kubernetes-map-type
	Unions     any               `json:"unions"`   // x-kubernetes-unions
	Required   []string          `json:"required"` // properties
	Properties map[string]*marks `json:"properties"`
}

// readMarks returns the marks by schema.
func readMarks() (map[string]*marks, error) {
	z, err := gzip.NewReader(bytes.NewReader([]byte(marksFile)))
	if err != nil {
		return nil, err
	}
	all := map[string]*marks{}
	return all, json.NewDecoder(z).Decode(&all)
}

// on puts the marks on the schema of a type.
func (m *marks) on(s *spec.Schema) {
	s.Required = nil
	if m == nil {
		return
	}
	s.Required = m.Required
	if s.Description == "" {
		s.Description = m.About
	}
	m.extensions(s)
	for name, p := range s.Properties {
		if q := m.Properties[name]; q != nil {
			q.onProperty(&p)
			s.Properties[name] = p
		}
	}
}

func (m *marks) onProperty(p *spec.Schema) {
	if m.About != "" {
		p.Description = m.About
	}
	p.Enum, p.Description = m.Values, p.Description+m.ValuesDoc
	if m.Default != nil {
		p.Default = m.Default
	}
	switch {
	case len(m.Items) == 0:
	case p.Items != nil && p.Items.Schema != nil:
		p.Items.Schema.Enum = m.Items
	case p.AdditionalProperties != nil && p.AdditionalProperties.Schema != nil:
		p.AdditionalProperties.Schema.Enum = m.Items
	}
	m.extensions(p)
}

func (m *marks) extensions(s *spec.Schema) {
	if m.List != "" {
		s.AddExtension("x-kubernetes-list-type", m.List)
		delete(s.Extensions, "x-kubernetes-list-map-keys")
	}
	if len(m.Keys) > 0 {
		s.AddExtension("x-kubernetes-list-map-keys", m.Keys)
	}
	if m.Map != "" {
		s.AddExtension("x-kubernetes-map-type", m.Map)
	}
	if m.Unions != nil {
		s.AddExtension("x-kubernetes-unions", m.Unions)
	}
}
