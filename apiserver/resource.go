package apiserver

import (
	"context"
	"net/http"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"coracle/apiserver/catalog"
	"coracle/apiserver/decision"
	"coracle/apiserver/wire"
)

// call is one request for a resource, with all that is known of it before its body is read.
type call struct {
	*Server
	w    http.ResponseWriter
	r    *http.Request
	kind *catalog.Kind
	info *apirequest.RequestInfo
	rec  *decision.Record
	// sub is the subresource's row, with an empty Name for the resource itself.
	sub catalog.Subresource
	// settled: admission has had its say about all that is done here.
	settled bool
	turn    *turn // of several objects that are deleted at the same time, nil of one
	// large: the body has taken a place that others wait for.
	large bool
	// writes: the store has been told of a write to come.
	writes bool
}

// writeTimeout bounds everything but watches and streams, as upstream's request timeout does.
const writeTimeout = 34 * time.Second

// resource finds the row of the catalog that a path speaks of, and the verb's function.
func (s *Server) resource(w http.ResponseWriter, r *http.Request) error {
	info := infoOf(r)
	if !info.IsResourceRequest {
		notFound(w, r)
		return nil
	}
	c := &call{Server: s, w: w, r: r, info: info, rec: decision.From(r.Context())}
	defer c.leave()
	kind, release := s.kind(info)
	defer release()
	c.kind = kind
	if c.kind == nil || !c.scopeMatches() {
		return s.notServed(w, r, info.APIGroup)
	}
	if info.Subresource != "" {
		sub, ok := c.kind.Subresource(info.Subresource)
		if !ok && c.kind.Custom != nil {
			warn(r.Context(), s.Catalog.Deprecated(c.kind))
			return apierrors.NewNotFound(c.kind.Qualified(), info.Name)
		}
		if !ok || info.Name == "" {
			return s.notServed(w, r, info.APIGroup)
		}
		c.sub = sub
	} else if len(info.Parts) > 2 {
		notFound(w, r)
		return nil
	}
	c.rec.Request.Served = true

	everywhere := info.Verb == "deletecollection" && c.kind.Namespaced && info.Namespace == ""
	if everywhere || r.Method == http.MethodHead && c.kind.Custom == nil || info.Verb == "watch" && r.Method != http.MethodGet {
		return methodNotAllowed()
	}
	serve, verbs := c.operation()
	nameless := info.Name == "" && (info.Verb == "update" || info.Verb == "patch")
	if serve == nil || nameless || !allows(verbs, info.Verb) {
		return c.refuseVerb(verbs)
	}
	warn(r.Context(), s.Catalog.Deprecated(c.kind))
	if !longRunning(info) {
		ctx, cancel := context.WithTimeout(r.Context(), writeTimeout)
		defer cancel()
		c.r = r.WithContext(ctx)
	}
	return serve(c)
}

// scopeMatches refuses namespaced paths to cluster-wide resources, and names without their namespace.
func (c *call) scopeMatches() bool {
	if c.info.Resource == "namespaces" && c.info.APIGroup == "" {
		return true
	}
	if c.kind.Namespaced {
		// A selector for one name counts as a name.
		reads := c.info.Verb == "list" || c.info.Verb == "watch"
		return c.info.Namespace != "" || reads || c.info.Name == "" && c.kind.Custom == nil
	}
	return c.info.Namespace == ""
}

// operation is the function for the request's verb, and the verbs that the resource has.
func (c *call) operation() (serve func(*call) error, verbs []string) {
	if c.sub.Name != "" {
		return c.subresource(), c.sub.Verbs
	}
	verbs = c.kind.AllVerbs()
	if c.kind.Virtual {
		return c.virtual(), verbs
	}
	if review := c.review(); review != nil {
		return review, verbs
	}
	switch c.info.Verb {
	case "get":
		return (*call).get, verbs
	case "list":
		return (*call).list, verbs
	case "watch":
		return (*call).watch, verbs
	case "create":
		return (*call).create, verbs
	case "update":
		return (*call).update, verbs
	case "patch":
		return (*call).patch, verbs
	case "delete":
		return (*call).delete, verbs
	case "deletecollection":
		return (*call).deleteCollection, verbs
	}
	return nil, verbs
}

func allows(verbs []string, verb string) bool {
	for _, v := range verbs {
		if v == verb {
			return true
		}
	}
	return false
}

// refuseVerb answers a verb that the resource does not have: a path that no verb leads to is not there, and a watch is a list
// that turns out to be none.
func (c *call) refuseVerb(verbs []string) error {
	if c.info.Verb == "watch" && allows(verbs, "list") {
		warn(c.r.Context(), c.Catalog.Deprecated(c.kind))
		return apierrors.NewMethodNotSupported(c.kind.Qualified(), "watch")
	}
	ofName := []string{"get", "update", "patch", "delete"}
	if c.sub.Name == "" && len(c.info.Parts) > 1 && !slices.ContainsFunc(ofName, func(v string) bool { return allows(verbs, v) }) {
		return c.notServed(c.w, c.r, c.kind.Group)
	}
	return methodNotAllowed()
}

func methodNotAllowed() error {
	return apierrors.NewGenericServerResponse(http.StatusMethodNotAllowed, "", schema.GroupResource{}, "", "", 0, false)
}

// notServed answers a path that nothing serves: with a Status where the group is served, else with plain text.
func (s *Server) notServed(w http.ResponseWriter, r *http.Request, group string) error {
	for _, k := range s.Catalog.Kinds() {
		if k.Group == group && k.Custom == nil {
			return apierrors.NewGenericServerResponse(http.StatusNotFound, "", schema.GroupResource{}, "", "", 0, false)
		}
	}
	notFound(w, r)
	return nil
}

// want is the kind that travels in a body: the subresource's own, or the resource's.
func (c *call) want() schema.GroupVersionKind {
	if c.sub.Name != "" && !c.sub.Kind.Empty() {
		return c.sub.Kind
	}
	return c.kind.GroupVersionKind
}

// offer is what the client may ask for instead of the object itself.
func (c *call) offer() wire.Offer {
	custom := !c.Codec.Scheme.Recognizes(c.want())
	watch := c.info.Verb == "list" || c.info.Verb == "watch"
	return wire.Offer{Table: true, Partial: true, JSONOnly: custom, Direct: custom, Watch: watch}
}
