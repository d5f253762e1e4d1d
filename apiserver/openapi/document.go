package openapi

import (
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kube-openapi/pkg/spec3"
	"k8s.io/kube-openapi/pkg/validation/spec"

	"coracle/apiserver/catalog"
)

// v3 makes the document of one chapter.
// Source: k8s.io/kube-openapi/pkg/builder3.
func v3(kinds []*catalog.Kind, c chapter, info *spec.Info) *spec3.OpenAPI {
	m := newModels(refV3)
	doc := &spec3.OpenAPI{Version: "3.0.0", Info: info, Paths: &spec3.Paths{Paths: map[string]*spec3.Path{}}, Components: &spec3.Components{}}
	shared := []schema.GroupVersion{{Version: "v1"}, c.version}
	if c.custom {
		doc.Info = &spec.Info{InfoProps: spec.InfoProps{Title: "Kubernetes CRD Swagger", Version: "v0.1.0"}}
		shared = groupVersions(true)
	} else {
		doc.Components.SecuritySchemes = spec3.SecuritySchemes{"BearerToken": {SecuritySchemeProps: spec3.SecuritySchemeProps{
			Type: "apiKey", Description: "Bearer Token authentication", Name: "authorization", In: "header",
		}}}
	}
	for path, routes := range byPath(c.routes()) {
		common, item := common(routes), &spec3.Path{}
		for _, p := range common {
			item.Parameters = append(item.Parameters, p.v3())
		}
		for _, r := range routes {
			*map[string]**spec3.Operation{
				"GET": &item.Get, "PUT": &item.Put, "POST": &item.Post, "DELETE": &item.Delete,
				"OPTIONS": &item.Options, "HEAD": &item.Head, "PATCH": &item.Patch,
			}[r.method] = r.v3(m, common)
		}
		doc.Paths.Paths[path] = item
	}
	m.nameKinds(byModel(kinds), shared)
	doc.Components.Schemas = m.schemas
	return doc
}

func (p param) v3() *spec3.Parameter {
	return &spec3.Parameter{ParameterProps: spec3.ParameterProps{
		Name: p.name, In: p.in, Required: p.in == "path", Description: p.doc,
		Schema: &spec.Schema{SchemaProps: spec.SchemaProps{Type: spec.StringOrArray{p.kind}, UniqueItems: true}},
	}}
}

func (r route) v3(m *models, common []param) *spec3.Operation {
	o := &spec3.Operation{OperationProps: spec3.OperationProps{
		Tags: []string{tag(r.path)}, Description: r.doc, OperationId: r.id,
		Responses: &spec3.Responses{ResponsesProps: spec3.ResponsesProps{StatusCodeResponses: map[int]*spec3.Response{
			http.StatusUnauthorized: {ResponseProps: spec3.ResponseProps{Description: "Unauthorized"}},
		}}},
	}}
	for _, p := range r.own(common) {
		o.Parameters = append(o.Parameters, p.v3())
	}
	for _, code := range r.codes() {
		o.Responses.StatusCodeResponses[code] = &spec3.Response{ResponseProps: spec3.ResponseProps{
			Description: http.StatusText(code), Content: content(r.produces, r.answer.in(m)),
		}}
	}
	if r.body != nil {
		o.RequestBody = &spec3.RequestBody{RequestBodyProps: spec3.RequestBodyProps{Content: content(r.consumes, r.body.in(m)), Required: !r.optional}}
	}
	r.extend(&o.VendorExtensible, metav1.GroupVersionKind(r.kind))
	return o
}

func content(types []string, of *spec.Schema) map[string]*spec3.MediaType {
	out := map[string]*spec3.MediaType{}
	for _, t := range types {
		out[t] = &spec3.MediaType{MediaTypeProps: spec3.MediaTypeProps{Schema: of}}
	}
	return out
}

// codes are those of success.
func (r route) codes() []int {
	codes := []int{http.StatusOK}
	if r.created {
		codes = append(codes, http.StatusCreated)
	}
	if r.accepted {
		codes = append(codes, http.StatusAccepted)
	}
	return codes
}

// extend says what is done to which kind.
func (r route) extend(to *spec.VendorExtensible, kind any) {
	if r.action != "" {
		to.AddExtension("x-kubernetes-action", r.action)
		to.AddExtension(kindExtension, kind)
	}
}
