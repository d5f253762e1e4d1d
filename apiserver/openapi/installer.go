package openapi

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/apiserver/catalog"
)

// installer makes the routes of one group and version, by the rules of upstream's, which go by the verbs of a kind. Of kinds that
// CustomResourceDefinitions describe less is said.
// Source: registerResourceHandlers in k8s.io/apiserver/pkg/endpoints/installer.go, and generateBuilder in
// k8s.io/apiextensions-apiserver/pkg/controller/openapi/builder.
type installer struct {
	root   string // /apis/apps/v1
	custom bool
	routes []route

	get, list, create, update, patch, delete, deleteCollection []param
}

func newInstaller(root string, custom bool) *installer {
	in := &installer{
		root: root, custom: custom,
		list: options(metav1.ListOptions{}), create: options(metav1.CreateOptions{}), update: options(metav1.UpdateOptions{}),
		patch: options(metav1.PatchOptions{}), delete: options(metav1.DeleteOptions{}),
	}
	in.deleteCollection = slices.Concat(in.delete, options(metav1.ListOptions{}, "watch", "allowWatchBookmarks"))
	if custom {
		in.get, in.deleteCollection = options(metav1.GetOptions{}), in.list
	}
	return in
}

// target is what a path stands for.
type target struct {
	of         *catalog.Kind
	sub        string                  // subresource, "" for the object itself
	path       string                  // below the root
	params     []param                 // in the path
	object     form                    // what travels
	kind       schema.GroupVersionKind // of what travels
	verbs      []string
	everywhere bool   // in all namespaces
	suffix     string // of operations' names
}

// kind adds the routes of a kind and its subresources.
func (in *installer) kind(k *catalog.Kind) {
	t := target{of: k, path: "/" + k.Resource, kind: k.GroupVersionKind, object: objectOf(k), verbs: k.AllVerbs()}
	if in.custom {
		t.verbs = []string{"create", "delete", "deletecollection", "get", "list", "patch", "update"}
	}
	if k.Namespaced {
		all := t
		all.everywhere, all.suffix = true, "ForAllNamespaces"
		in.lists(all)
		t.path = "/namespaces/{namespace}/" + k.Resource
		t.params = []param{inPath("namespace", "object name and auth scope, such as for teams and projects")}
	}
	in.lists(t)
	in.post(t)
	if t.may("deletecollection") {
		r := in.route(t, "DELETE", "deletecollection", "deletecollection", "delete collection of "+k.Kind)
		r.answer = typeOf(&metav1.Status{})
		if !in.custom {
			r.body, r.optional = typeOf(&metav1.DeleteOptions{}), true
		}
		in.add(r, in.deleteCollection)
	}
	t.path += "/{name}"
	one := t.named(k.Kind)
	in.one(one)
	if t.may("watch") {
		in.watch(one, "watch", "", "watch changes to an object of kind "+k.Kind+
			". deprecated: use the 'watch' parameter with a list operation instead, filtered to a single item with the 'fieldSelector' parameter.")
	}
	for _, s := range k.Subresources {
		in.subresource(t, s)
	}
}

// subresource adds the routes of a subresource of what t stands for.
func (in *installer) subresource(t target, s catalog.Subresource) {
	t.sub, t.path, t.verbs = s.Name, t.path+"/"+s.Name, s.Verbs
	if s.Kind != t.kind {
		t.object = typeOf(s.New())
	}
	if !in.custom {
		t.kind = s.Kind
	}
	t = t.named(t.kind.Kind)
	if strings.HasSuffix(t.kind.Kind, "Options") {
		in.connect(t, options(s.New()))
		return
	}
	in.post(t)
	in.one(t)
}

// named is the same for one object, whose name the path has.
func (t target) named(kind string) target {
	t.params = append(t.params[:len(t.params):len(t.params)], inPath("name", "name of the "+kind))
	return t
}

func (t target) may(verb string) bool { return slices.Contains(t.verbs, verb) }

// about is the target in sentences: status of the specified Pod.
func (t target) about(article string) string {
	if t.sub != "" {
		return t.sub + " of " + article + t.of.Kind
	}
	return article + t.of.Kind
}

// route is one of a target's. The operation is called after the verb, behind which name can have more that is said later.
func (in *installer) route(t target, method, action, name, doc string) route {
	verb, what := name, ""
	for _, v := range []string{"connect", "delete"} {
		if rest, ok := strings.CutPrefix(name, v); ok {
			verb, what = v, rest
		}
	}
	if t.of.Namespaced && !t.everywhere {
		what += "Namespaced"
	}
	path := in.root + t.path
	r := route{
		method: method, path: path, action: action, kind: t.kind, doc: doc, answer: t.object, params: t.params,
		id:       operationID(verb, path, what+t.of.Kind+word(t.sub, true)+t.suffix),
		consumes: []string{"*/*"}, produces: mediaTypes[:3],
	}
	if in.custom {
		r.consumes, r.produces = mediaTypes[:2], mediaTypes[:2]
	}
	return r
}

// add takes a route that has these options, and may be pretty.
func (in *installer) add(r route, options []param) {
	r.params = slices.Concat(r.params, options, []param{{
		"pretty", "query", "string",
		"If 'true', then the output is pretty printed. Defaults to 'false' unless the user-agent indicates a browser or command-line HTTP tool (curl and wget).",
	}})
	in.routes = append(in.routes, r)
}

// mediaTypes are those of answers, and at the end of streams.
var mediaTypes = [...]string{
	"application/json", "application/yaml", "application/vnd.kubernetes.protobuf",
	"application/json;stream=watch", "application/vnd.kubernetes.protobuf;stream=watch",
}

// lists adds how a collection is listed and watched.
func (in *installer) lists(t target) {
	if !t.may("list") {
		return
	}
	r := in.route(t, "GET", "list", "list", "list objects of kind "+t.of.Kind)
	if t.may("watch") {
		r.doc = "list or watch objects of kind " + t.of.Kind
	}
	r.answer = listForm(t.of)
	if !in.custom {
		r.produces = mediaTypes[:]
	}
	in.add(r, in.list)
	if t.may("watch") {
		in.watch(t, "watchlist", "List", "watch individual changes to a list of "+t.of.Kind+". deprecated: use the 'watch' parameter with a list operation instead.")
	}
}

// watch adds the older way to watch, by a path of its own.
func (in *installer) watch(t target, action, what, doc string) {
	t.path, t.suffix = "/watch"+t.path, what+t.suffix
	r := in.route(t, "GET", action, "watch", doc)
	r.answer, r.produces = typeOf(&metav1.WatchEvent{}), mediaTypes[:]
	in.add(r, in.list)
}

func (in *installer) post(t target) {
	if !t.may("create") {
		return
	}
	r := in.route(t, "POST", "post", "create", "create "+t.about(article(t.of.Kind)))
	r.body, r.created, r.accepted = t.object, true, true
	in.add(r, in.create)
}

// one adds what can be done to one object, or to one subresource of it.
func (in *installer) one(t target) {
	if t.may("get") {
		r, may := in.route(t, "GET", "get", "read", "read "+t.about("the specified ")), in.get
		if t.sub == "log" {
			r.answer, r.produces, may = text{}, append([]string{"text/plain"}, r.produces...), options(corev1.PodLogOptions{})
		}
		in.add(r, may)
	}
	if t.may("update") {
		r := in.route(t, "PUT", "put", "replace", "replace "+t.about("the specified "))
		r.body, r.created = t.object, true
		in.add(r, in.update)
	}
	if t.may("patch") {
		r := in.route(t, "PATCH", "patch", "patch", "partially update "+t.about("the specified "))
		r.body, r.created = typeOf(&metav1.Patch{}), !in.custom
		r.consumes = []string{"application/json-patch+json", "application/merge-patch+json", "application/strategic-merge-patch+json", "application/apply-patch+yaml"}
		if in.custom {
			r.consumes = slices.Delete(r.consumes, 2, 3)
		}
		in.add(r, in.patch)
	}
	if t.may("delete") {
		r := in.route(t, "DELETE", "delete", "delete", "delete "+t.about(article(t.of.Kind)))
		r.body, r.optional, r.accepted = typeOf(&metav1.DeleteOptions{}), true, true
		if !t.of.ReturnDeleted || t.of.Kind == "Namespace" { // which is returned, though upstream says otherwise
			r.answer = typeOf(&metav1.Status{})
		}
		in.add(r, in.delete)
	}
}

// connect adds what is passed on to somebody else: a stream, or all methods and paths of a proxy.
func (in *installer) connect(t target, options []param) {
	methods := []string{"GET", "POST"}
	if t.sub == "proxy" {
		methods = append(methods, "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
	}
	for _, m := range methods {
		r := in.route(t, m, "connect", "connect"+m[:1]+strings.ToLower(m[1:]), "connect "+m+" requests to "+t.about(""))
		r.params, r.produces, r.answer = slices.Concat(t.params, options), []string{"*/*"}, text{}
		in.routes = append(in.routes, r)
	}
	if t.sub == "proxy" && t.suffix == "" {
		t.path, t.suffix = t.path+"/{path}", "WithPath"
		t.params = append(t.params, inPath("path", "path to the resource"))
		in.connect(t, options)
	}
}
