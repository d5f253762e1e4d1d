package openapi

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"

	"coracle/apiserver/catalog"
)

// chapter is what one document of v3 is about: the kinds of a group and version, or one path where clients find their way.
type chapter struct {
	name    string // apis/apps/v1, as in the document's address
	version schema.GroupVersion
	kinds   []*catalog.Kind
	custom  bool // of kinds that CustomResourceDefinitions describe
}

// chapters lists them: those of paths, and those of kinds in the catalog's order.
func chapters(kinds []*catalog.Kind) []chapter {
	all := []chapter{{name: ".well-known/openid-configuration"}, {name: "openid/v1/jwks"}, {name: "version"}, {name: "api"}, {name: "apis"}}
	for _, k := range kinds {
		gv := k.GroupVersion()
		name := "apis/" + gv.String()
		if gv.Group == "" {
			name = "api/" + gv.Version
		}
		at := slices.IndexFunc(all, func(c chapter) bool { return c.name == name })
		if at < 0 {
			at = len(all)
			all = append(all, chapter{name: name, version: gv, custom: k.Custom != nil})
			if group := (chapter{name: "apis/" + gv.Group}); gv.Group != "" && k.Custom == nil && !slices.ContainsFunc(all, func(c chapter) bool { return c.name == group.name }) {
				all = append(all, group)
			}
		}
		all[at].kinds = append(all[at].kinds, k)
	}
	return all
}

func (c chapter) routes() []route {
	path := "/" + c.name + "/"
	if len(c.kinds) > 0 {
		in := newInstaller("/"+c.name, c.custom)
		for _, k := range c.kinds {
			in.kind(k)
		}
		if !c.custom {
			in.routes = append(in.routes, found(path, "APIResources", "get available resources", &metav1.APIResourceList{}))
		}
		return in.routes
	}
	r := route{method: "GET", path: path, produces: mediaTypes[:1]}
	switch c.name {
	case ".well-known/openid-configuration":
		r.id, r.doc = "getServiceAccountIssuerOpenIDConfiguration", "get service account issuer OpenID configuration, also known as the 'OIDC discovery doc'"
		r.answer = text{}
	case "openid/v1/jwks":
		r.id, r.doc = "getServiceAccountIssuerOpenIDKeyset", "get service account issuer OpenID JSON Web Key Set (contains public token verification keys)"
		r.answer, r.produces = text{}, []string{"application/jwk-set+json"}
	case "version":
		r.id, r.doc = "getCodeVersion", "get the version information for this server"
		r.answer, r.consumes = typeOf(&version.Info{}), mediaTypes[:1]
	case "api":
		r = found(path, "APIVersions", "get available API versions", &metav1.APIVersions{})
	case "apis":
		r = found(path, "APIVersions", "get available API versions", &metav1.APIGroupList{})
	default:
		r = found(path, "APIGroup", "get information of a group", &metav1.APIGroup{})
	}
	return []route{r}
}

// found is where a client finds what there is.
func found(path, what, doc string, answer any) route {
	return route{
		method: "GET", path: path, id: operationID("get", path, what), doc: doc,
		consumes: mediaTypes[:3], produces: mediaTypes[:3], answer: typeOf(answer),
	}
}
