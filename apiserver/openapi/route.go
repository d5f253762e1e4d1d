package openapi

import (
	"reflect"
	"slices"
	"sort"
	"strings"
	"unicode"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// route is one method of one path, in no version's form yet.
type route struct {
	method, path, id, doc string
	params                []param
	consumes, produces    []string
	body                  form // nil for none
	optional              bool // the body may be left out
	answer                form
	created, accepted     bool // 201 and 202 besides 200

	action string // what is done to the kind; "" where there is none
	kind   schema.GroupVersionKind
}

// param is one parameter in a path or a query.
type param struct{ name, in, kind, doc string }

// inOrder sorts parameters as documents have them.
func inOrder(params []param) []param {
	sort.Slice(params, func(i, j int) bool {
		a, b := params[i], params[j]
		return a.name < b.name || a.name == b.name && a.in < b.in
	})
	return params
}

// byPath gathers the routes of each path.
func byPath(routes []route) map[string][]route {
	out := map[string][]route{}
	for _, r := range routes {
		out[r.path] = append(out[r.path], r)
	}
	return out
}

// common are the parameters that all routes of one path have, which are said once for the path.
func common(routes []route) []param {
	count := map[param]int{}
	for _, r := range routes {
		for _, p := range r.params {
			count[p]++
		}
	}
	var out []param
	for p, n := range count {
		if n == len(routes) {
			out = append(out, p)
		}
	}
	return inOrder(out)
}

// own are the parameters of a route that are not said for its path.
func (r route) own(common []param) []param {
	return inOrder(slices.DeleteFunc(slices.Clone(r.params), func(p param) bool { return slices.Contains(common, p) }))
}

func inPath(name, doc string) param { return param{name, "path", "string", doc} }

// options are the query parameters that an object with options stands for: its fields that are no objects themselves.
// Source: AddObjectParams in k8s.io/apiserver/pkg/endpoints.
func options(of any, without ...string) []param {
	object := reflect.Indirect(reflect.ValueOf(of)).Type()
	docs := docsOf(object)
	var out []param
	for i := range object.NumField() {
		f := object.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || slices.Contains(without, name) {
			continue
		}
		t := f.Type
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		kind := "string"
		switch t.Kind() {
		case reflect.Struct, reflect.Interface:
			continue
		case reflect.Bool:
			kind = "boolean"
		case reflect.Int32, reflect.Int64:
			kind = "integer"
		}
		out = append(out, param{name, "query", kind, docs[name]})
	}
	return out
}

// operationID names what a verb does at a path: the group and version that the path is of stand between the verb and what it is done to.
// Source: GetOperationIDAndTags in k8s.io/apiserver/pkg/endpoints/openapi.
func operationID(verb, path, what string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if parts[0] == "api" {
		parts = append([]string{"apis", "core"}, parts[1:]...)
	}
	if parts[0] == "apis" {
		for _, p := range parts[1:min(len(parts), 3)] {
			verb += word(strings.TrimSuffix(p, ".k8s.io"), true)
		}
	}
	return verb + word(what, true)
}

// tag is what the operations of a path are listed under: its group and version.
func tag(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if parts[0] == "api" {
		parts = append([]string{"apis", "core"}, parts[1:]...)
	}
	if parts[0] != "apis" || len(parts) == 1 {
		return word(parts[0], false)
	}
	out := word(strings.TrimSuffix(parts[1], ".k8s.io"), false)
	if len(parts) > 2 {
		out += "_" + word(parts[2], false)
	}
	return out
}

// word leaves out of s what no identifier has, and begins a new word there.
func word(s string, capital bool) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)):
			capital = true
		case capital:
			b.WriteRune(unicode.ToUpper(r))
			capital = false
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func article(kind string) string {
	switch {
	case strings.HasSuffix(kind, "s") && !strings.HasSuffix(kind, "ss"):
		return ""
	case strings.ContainsRune("AEIOUaeiou", rune(kind[0])):
		return "an "
	}
	return "a "
}
