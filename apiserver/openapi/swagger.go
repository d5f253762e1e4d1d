package openapi

import (
	"encoding/base64"
	"encoding/json"
	"hash/fnv"
	"net/http"
	"strings"

	"k8s.io/kube-openapi/pkg/validation/spec"

	"coracle/apiserver/catalog"
)

// swagger is the document of v2, which is about everything. Parameters that many operations have are kept in one place.
type swagger struct {
	*spec.Swagger
	models *models
	shared map[param]spec.Parameter // references
}

// v2 makes the document of everything.
// Source: k8s.io/kube-openapi/pkg/builder.
func v2(kinds []*catalog.Kind, info *spec.Info) (*spec.Swagger, error) {
	doc := swagger{
		Swagger: &spec.Swagger{SwaggerProps: spec.SwaggerProps{
			Swagger: "2.0", Info: info, Paths: &spec.Paths{Paths: map[string]spec.PathItem{}}, Definitions: spec.Definitions{}, Parameters: map[string]spec.Parameter{},
			SecurityDefinitions: spec.SecurityDefinitions{"BearerToken": {SecuritySchemeProps: spec.SecuritySchemeProps{
				Type: "apiKey", Description: "Bearer Token authentication", Name: "authorization", In: "header",
			}}},
			Security: []map[string][]string{{"BearerToken": {}}},
		}},
		models: newModels(refV2), shared: map[param]spec.Parameter{},
	}
	for _, c := range chapters(kinds) {
		for path, routes := range byPath(c.routes()) {
			item, err := doc.path(routes)
			if err != nil {
				return nil, err
			}
			doc.Paths.Paths[path] = item
		}
	}
	doc.models.nameKinds(byModel(kinds), groupVersions(false))
	for name, s := range doc.models.schemas {
		unwrap(s)
		doc.Definitions[name] = *s
	}
	return doc.Swagger, nil
}

func (doc swagger) path(routes []route) (item spec.PathItem, err error) {
	common := common(routes)
	if item.Parameters, err = doc.parameters(common); err != nil {
		return item, err
	}
	for _, r := range routes {
		o, err := doc.operation(r, common)
		if err != nil {
			return item, err
		}
		*map[string]**spec.Operation{
			"GET": &item.Get, "PUT": &item.Put, "POST": &item.Post, "DELETE": &item.Delete,
			"OPTIONS": &item.Options, "HEAD": &item.Head, "PATCH": &item.Patch,
		}[r.method] = o
	}
	return item, nil
}

func (doc swagger) operation(r route, common []param) (*spec.Operation, error) {
	answer := r.answer.in(doc.models)
	o := &spec.Operation{OperationProps: spec.OperationProps{
		Tags: []string{tag(r.path)}, Description: r.doc, ID: r.id, Schemes: []string{"https"}, Consumes: r.consumes, Produces: r.produces,
		Responses: &spec.Responses{ResponsesProps: spec.ResponsesProps{StatusCodeResponses: map[int]spec.Response{
			http.StatusUnauthorized: {ResponseProps: spec.ResponseProps{Description: "Unauthorized"}},
		}}},
	}}
	for _, code := range r.codes() {
		o.Responses.StatusCodeResponses[code] = spec.Response{ResponseProps: spec.ResponseProps{Description: http.StatusText(code), Schema: answer}}
	}
	if r.body != nil {
		body := spec.Parameter{ParamProps: spec.ParamProps{Name: "body", In: "body", Required: !r.optional, Schema: r.body.in(doc.models)}}
		if strings.HasPrefix(body.Schema.Ref.String(), refV2+"io.k8s.apimachinery") {
			var err error
			if body, err = doc.share(body); err != nil {
				return nil, err
			}
		}
		o.Parameters = []spec.Parameter{body} // the first by its name
	}
	own, err := doc.parameters(r.own(common))
	o.Parameters = append(o.Parameters, own...)
	r.extend(&o.VendorExtensible, inMap(r.kind))
	return o, err
}

// parameters are those of a path or an operation: by reference, but for those that older kubectls look for in their places, and names,
// whose descriptions differ.
// Source: k8s.io/kube-openapi/pkg/builder/parameters.go.
func (doc swagger) parameters(of []param) ([]spec.Parameter, error) {
	var out []spec.Parameter
	for _, p := range of {
		q := spec.Parameter{
			SimpleSchema:      spec.SimpleSchema{Type: p.kind},
			CommonValidations: spec.CommonValidations{UniqueItems: true},
			ParamProps:        spec.ParamProps{Name: p.name, In: p.in, Required: p.in == "path", Description: p.doc},
		}
		if p.name != "name" && p.name != "fieldValidation" && p.name != "dryRun" {
			ref, known := doc.shared[p]
			if !known {
				var err error
				if ref, err = doc.share(q); err != nil {
					return nil, err
				}
				doc.shared[p] = ref
			}
			q = ref
		}
		out = append(out, q)
	}
	return out, nil
}

// share keeps a parameter under a name that follows from what it is, and returns a reference.
func (doc swagger) share(p spec.Parameter) (spec.Parameter, error) {
	b, err := json.Marshal(p)
	if err != nil {
		return p, err
	}
	h := fnv.New64()
	h.Write(b)
	name := p.Name + "-" + base64.URLEncoding.EncodeToString(h.Sum(nil)[:6])
	doc.Parameters[name] = p
	return spec.Parameter{Refable: spec.Refable{Ref: spec.MustCreateRef("#/parameters/" + name)}}, nil
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
