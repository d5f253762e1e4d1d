package openapi

import (
	"reflect"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"coracle/apiserver/catalog"
)

const gvkExtension = "x-kubernetes-group-version-kind"

// v3 makes the document of one group and version.
func v3(kinds []*catalog.Kind, gv schema.GroupVersion, info *spec.Info) *spec3.OpenAPI {
	m := newModels(refV3)
	doc := &spec3.OpenAPI{Version: "3.0.0", Info: info, Paths: &spec3.Paths{Paths: map[string]*spec3.Path{}}}
	for _, p := range paths(kinds, gv) {
		item := &spec3.Path{}
		for _, q := range p.params {
			item.Parameters = append(item.Parameters, q.v3())
		}
		for _, op := range p.ops {
			o := op.v3(m, tag(gv))
			switch op.method {
			case "get":
				item.Get = o
			case "post":
				item.Post = o
			case "put":
				item.Put = o
			case "patch":
				item.Patch = o
			case "delete":
				item.Delete = o
			}
		}
		doc.Paths.Paths[p.url] = item
	}
	markKinds(m, kinds, gv)
	doc.Components = &spec3.Components{Schemas: m.schemas}
	return doc
}

func (p param) v3() *spec3.Parameter {
	out := &spec3.Parameter{ParameterProps: spec3.ParameterProps{
		Name: p.name, In: "query", Description: p.doc,
		Schema: &spec.Schema{SchemaProps: spec.SchemaProps{Type: spec.StringOrArray{p.kind}, UniqueItems: true}},
	}}
	if name, ok := strings.CutPrefix(p.name, "{"); ok {
		out.Name, out.In, out.Required = strings.TrimSuffix(name, "}"), "path", true
	}
	return out
}

var mediaTypes = [...]string{"application/json", "application/yaml", "application/vnd.kubernetes.protobuf"}

// media are the types that an operation answers in.
func (op operation) media() []string {
	if op.custom {
		return mediaTypes[:2]
	}
	return mediaTypes[:]
}

func (op operation) v3(m *models, tag string) *spec3.Operation {
	o := &spec3.Operation{OperationProps: spec3.OperationProps{
		Tags: []string{tag}, Description: op.summary, OperationId: op.id,
		Responses: &spec3.Responses{ResponsesProps: spec3.ResponsesProps{StatusCodeResponses: map[int]*spec3.Response{
			401: {ResponseProps: spec3.ResponseProps{Description: "Unauthorized"}},
		}}},
	}}
	for _, p := range op.params {
		o.Parameters = append(o.Parameters, p.v3())
	}
	answer := &spec3.Response{ResponseProps: spec3.ResponseProps{Description: "OK", Content: map[string]*spec3.MediaType{}}}
	for _, t := range op.media() {
		answer.Content[t] = &spec3.MediaType{MediaTypeProps: spec3.MediaTypeProps{Schema: op.answer.in(m)}}
	}
	o.Responses.StatusCodeResponses[200] = answer
	if op.created {
		o.Responses.StatusCodeResponses[201] = answer
	}
	if op.body != nil {
		content := map[string]*spec3.MediaType{}
		types := []string{"*/*"}
		if op.action == "patch" {
			types = []string{"application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json", "application/apply-patch+yaml"}
			if op.custom {
				types = slices.Delete(types, 2, 3)
			}
		}
		for _, t := range types {
			content[t] = &spec3.MediaType{MediaTypeProps: spec3.MediaTypeProps{Schema: op.body.in(m)}}
		}
		o.RequestBody = &spec3.RequestBody{RequestBodyProps: spec3.RequestBodyProps{Content: content, Required: op.method != "delete"}}
	}
	o.AddExtension("x-kubernetes-action", op.action)
	o.AddExtension(gvkExtension, gvkOf(op.gvk))
	return o
}

// v2 makes the document of everything.
func v2(kinds []*catalog.Kind, gvs []schema.GroupVersion, info *spec.Info) *spec.Swagger {
	m := newModels(refV2)
	doc := &spec.Swagger{SwaggerProps: spec.SwaggerProps{
		Swagger: "2.0", Info: info, Paths: &spec.Paths{Paths: map[string]spec.PathItem{}}, Definitions: spec.Definitions{},
	}}
	for _, gv := range gvs {
		for _, p := range paths(kinds, gv) {
			item := spec.PathItem{}
			for _, q := range p.params {
				item.Parameters = append(item.Parameters, q.v2())
			}
			for _, op := range p.ops {
				o := op.v2(m, tag(gv))
				switch op.method {
				case "get":
					item.Get = o
				case "post":
					item.Post = o
				case "put":
					item.Put = o
				case "patch":
					item.Patch = o
				case "delete":
					item.Delete = o
				}
			}
			doc.Paths.Paths[p.url] = item
		}
		markKinds(m, kinds, gv)
	}
	for name, s := range m.schemas {
		unwrap(s)
		doc.Definitions[name] = *s
	}
	return doc
}

// unwrap takes references out of their wrapping: v2 tools expect them bare.
func unwrap(s *spec.Schema) {
	for name, p := range s.Properties {
		unwrapOne(&p)
		s.Properties[name] = p
	}
	if s.Items != nil && s.Items.Schema != nil {
		unwrapOne(s.Items.Schema)
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		unwrapOne(s.AdditionalProperties.Schema)
	}
}

func unwrapOne(p *spec.Schema) {
	if len(p.AllOf) == 1 && p.AllOf[0].Ref.String() != "" {
		p.Ref, p.AllOf = p.AllOf[0].Ref, nil
	}
	p.Default = nil
	unwrap(p)
}

func (p param) v2() spec.Parameter {
	out := spec.Parameter{
		SimpleSchema: spec.SimpleSchema{Type: p.kind},
		ParamProps:   spec.ParamProps{Name: p.name, In: "query", Description: p.doc},
	}
	out.UniqueItems = true
	if name, ok := strings.CutPrefix(p.name, "{"); ok {
		out.Name, out.In, out.Required = strings.TrimSuffix(name, "}"), "path", true
	}
	return out
}

func (op operation) v2(m *models, tag string) *spec.Operation {
	ok := spec.Response{ResponseProps: spec.ResponseProps{Description: "OK", Schema: op.answer.in(m)}}
	o := &spec.Operation{OperationProps: spec.OperationProps{
		Tags: []string{tag}, Description: op.summary, ID: op.id, Schemes: []string{"https"},
		Consumes: []string{"*/*"}, Produces: op.media(),
		Responses: &spec.Responses{ResponsesProps: spec.ResponsesProps{StatusCodeResponses: map[int]spec.Response{
			200: ok, 401: {ResponseProps: spec.ResponseProps{Description: "Unauthorized"}},
		}}},
	}}
	if op.created {
		o.Responses.StatusCodeResponses[201] = ok
	}
	if op.body != nil {
		o.Parameters = append(o.Parameters, spec.Parameter{ParamProps: spec.ParamProps{
			Name: "body", In: "body", Required: op.method != "delete", Schema: op.body.in(m),
		}})
	}
	for _, p := range op.params {
		o.Parameters = append(o.Parameters, p.v2())
	}
	o.AddExtension("x-kubernetes-action", op.action)
	o.AddExtension(gvkExtension, gvkOf(op.gvk))
	return o
}

// markKinds tells which schemas are kinds, so that clients find a kind's schema.
func markKinds(m *models, kinds []*catalog.Kind, gv schema.GroupVersion) {
	mark := func(f form, gvk schema.GroupVersionKind) {
		f.in(m)
		t, ok := f.(goType)
		if !ok {
			return // a custom kind's schema says so itself
		}
		if s := m.schemas[modelName(t.of)]; s != nil {
			var have []any
			if s.Extensions != nil {
				have, _ = s.Extensions[gvkExtension].([]any)
			}
			if is := gvkOf(gvk); !slices.ContainsFunc(have, func(h any) bool { return reflect.DeepEqual(h, any(is)) }) {
				s.AddExtension(gvkExtension, append(have, is))
			}
		}
	}
	for _, k := range kinds {
		if k.GroupVersion() != gv {
			continue
		}
		mark(objectOf(k), k.GroupVersionKind)
		if k.NewList != nil {
			mark(listForm(k), gv.WithKind(k.ListKind()))
		}
		for _, s := range k.Subresources {
			if s.New != nil && s.Kind != k.GroupVersionKind {
				mark(typeOf(s.New()), s.Kind)
			}
		}
	}
	mark(typeOf(&metav1.DeleteOptions{}), gv.WithKind("DeleteOptions"))
	mark(typeOf(&metav1.WatchEvent{}), gv.WithKind("WatchEvent"))
}

func gvkOf(gvk schema.GroupVersionKind) map[string]any {
	return map[string]any{"group": gvk.Group, "version": gvk.Version, "kind": gvk.Kind}
}

func tag(gv schema.GroupVersion) string {
	name := groupID(gv.Group)
	if name == "" {
		name = "core"
	}
	return name + "_" + gv.Version
}
