package openapi

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/apiserver/catalog"
)

// operation is one method of one path, in no version's form yet.
type operation struct {
	method, id, action, summary string
	gvk                         schema.GroupVersionKind
	params                      []param
	body, answer                form
	created                     bool // 201 besides 200
	custom                      bool // neither protobuf nor strategic merge patches
}

type param struct{ name, kind, doc string }

// path is a URL template with its operations; params are those of every operation.
type path struct {
	url    string
	params []param
	ops    []operation
}

// paths lists those of one group and version.
func paths(kinds []*catalog.Kind, gv schema.GroupVersion) []path {
	root := "/apis/" + gv.String()
	if gv.Group == "" {
		root = "/api/" + gv.Version
	}
	var out []path
	for _, k := range kinds {
		if k.GroupVersion() != gv {
			continue
		}
		base, in := root+"/"+k.Resource, []param(nil)
		if k.Namespaced {
			if has(k, "list") {
				out = append(out, path{url: base, params: listParams(), ops: []operation{list(k, "ForAllNamespaces")}})
			}
			base = root + "/namespaces/{namespace}/" + k.Resource
			in = []param{{"{namespace}", "string", "object name and auth scope, such as for teams and projects"}}
		}
		out = append(out, collection(k, base, in), single(k, base, in))
		for _, s := range k.Subresources {
			out = append(out, subresource(k, s, base, in))
		}
	}
	return out
}

func has(k *catalog.Kind, verb string) bool {
	for _, v := range k.AllVerbs() {
		if v == verb {
			return true
		}
	}
	return false
}

func collection(k *catalog.Kind, base string, in []param) path {
	p := path{url: base, params: append(in[:len(in):len(in)], pretty)}
	if has(k, "list") {
		l := list(k, "")
		l.params = listParams()
		p.ops = append(p.ops, l)
	}
	if has(k, "create") {
		p.ops = append(p.ops, operation{
			method: "post", action: "post", id: opID("create", k, ""), summary: "create " + article(k.Kind), gvk: k.GroupVersionKind,
			params: writeParams(false), body: objectOf(k), answer: objectOf(k), created: true, custom: k.Custom != nil,
		})
	}
	if has(k, "deletecollection") {
		p.ops = append(p.ops, operation{
			method: "delete", action: "deletecollection", id: opID("deleteCollection", k, ""), summary: "delete collection of " + k.Kind, gvk: k.GroupVersionKind,
			params: append(listParams(), deleteParams()...), body: typeOf(&metav1.DeleteOptions{}), answer: typeOf(&metav1.Status{}),
		})
	}
	return p
}

func single(k *catalog.Kind, base string, in []param) path {
	return path{
		url:    base + "/{name}",
		params: append([]param{{"{name}", "string", "name of the " + k.Kind}}, append(in[:len(in):len(in)], pretty)...),
		ops:    object4(k, k.AllVerbs(), "", k.GroupVersionKind, objectOf(k)),
	}
}

func subresource(k *catalog.Kind, s catalog.Subresource, base string, in []param) path {
	t := typeOf(&metav1.Status{})
	switch {
	case s.Kind == k.GroupVersionKind:
		t = objectOf(k)
	case s.New != nil:
		t = typeOf(s.New())
	}
	return path{
		url:    base + "/{name}/" + s.Name,
		params: append([]param{{"{name}", "string", "name of the " + s.Kind.Kind}}, append(in[:len(in):len(in)], pretty)...),
		ops:    object4(k, s.Verbs, s.Name, s.Kind, t),
	}
}

// object4 are the operations on one object, or on one subresource of it.
func object4(k *catalog.Kind, verbs []string, sub string, gvk schema.GroupVersionKind, t form) []operation {
	what := ""
	if sub != "" {
		what = sub + " of "
	}
	var ops []operation
	for _, v := range verbs {
		op := operation{gvk: gvk, answer: t, custom: k.Custom != nil}
		switch v {
		case "get":
			op.method, op.action, op.id, op.summary = "get", "get", opID("read", k, sub), "read "+what+"the specified "+k.Kind
		case "update":
			op.method, op.action, op.id, op.summary = "put", "put", opID("replace", k, sub), "replace "+what+"the specified "+k.Kind
			op.params, op.body, op.created = writeParams(false), t, true
		case "patch":
			op.method, op.action, op.id, op.summary = "patch", "patch", opID("patch", k, sub), "partially update "+what+"the specified "+k.Kind
			op.params, op.body, op.created = writeParams(true), typeOf(&metav1.Patch{}), true
		case "delete":
			op.method, op.action, op.id, op.summary = "delete", "delete", opID("delete", k, sub), "delete "+article(k.Kind)
			op.params, op.body, op.answer = deleteParams(), typeOf(&metav1.DeleteOptions{}), typeOf(&metav1.Status{})
		case "create":
			if sub == "" {
				continue // on the collection
			}
			op.method, op.action, op.id, op.summary = "post", "post", opID("create", k, sub), "create "+what+article(k.Kind)
			op.params, op.body, op.created = writeParams(false), t, true
		default:
			continue
		}
		ops = append(ops, op)
	}
	return ops
}

func list(k *catalog.Kind, suffix string) operation {
	return operation{
		method: "get", action: "list", id: opID("list", k, "") + suffix,
		summary: "list or watch objects of kind " + k.Kind, gvk: k.GroupVersionKind, answer: listForm(k), custom: k.Custom != nil,
	}
}

func opID(verb string, k *catalog.Kind, sub string) string {
	group := "Core"
	if k.Group != "" {
		group = title(groupID(k.Group))
	}
	scope := ""
	if k.Namespaced {
		scope = "Namespaced"
	}
	return fmt.Sprintf("%s%s%s%s%s%s", verb, group, title(k.Version), scope, k.Kind, title(sub))
}

// groupID is a group in the names of operations: its first word, or all of them in groups of others than Kubernetes,
// since many of those begin alike.
func groupID(group string) string {
	words := strings.Split(group, ".")
	if len(words) == 1 || strings.HasSuffix(group, ".k8s.io") {
		return words[0]
	}
	for i := range words[1:] {
		words[i+1] = title(words[i+1])
	}
	return strings.Join(words, "")
}

func title(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func article(kind string) string {
	if strings.ContainsRune("AEIOU", rune(kind[0])) {
		return "an " + kind
	}
	return "a " + kind
}

var pretty = param{"pretty", "string", "If 'true', then the output is pretty printed."}

func writeParams(patch bool) []param {
	ps := []param{
		{"dryRun", "string", "All: the request is processed in every stage, and nothing is stored."},
		{"fieldManager", "string", "The name of the actor that makes the changes, of at most 128 printable characters."},
		{"fieldValidation", "string", "What happens to unknown and duplicate fields: Ignore, Warn (the default) or Strict."},
	}
	if patch {
		ps = append(ps, param{"force", "boolean", "Apply takes over fields that others own."})
	}
	return ps
}

func deleteParams() []param {
	return []param{
		{"dryRun", "string", "All: the request is processed in every stage, and nothing is deleted."},
		{"gracePeriodSeconds", "integer", "How long until the object is gone; 0 means at once."},
		{"orphanDependents", "boolean", "Deprecated: use propagationPolicy."},
		{"propagationPolicy", "string", "Orphan, Background or Foreground."},
	}
}

func listParams() []param {
	return []param{
		{"allowWatchBookmarks", "boolean", "Send BOOKMARK events."},
		{"continue", "string", "Where the listing before ended."},
		{"fieldSelector", "string", "Restricts the objects by their fields."},
		{"labelSelector", "string", "Restricts the objects by their labels."},
		{"limit", "integer", "At most so many objects."},
		{"resourceVersion", "string", "How old the answer may be."},
		{"resourceVersionMatch", "string", "Exact or NotOlderThan."},
		{"sendInitialEvents", "boolean", "Begin a watch with what there is."},
		{"timeoutSeconds", "integer", "How long a watch lasts."},
		{"watch", "boolean", "Stream changes."},
	}
}
