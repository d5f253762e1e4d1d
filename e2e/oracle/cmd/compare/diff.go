package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// difference is one place where the two answers are not the same.
type difference struct{ path, real, ours string }

// comparedHeaders are those that clients act on.
var comparedHeaders = []string{"Content-Type", "Warning", "Retry-After", "X-Content-Type-Options", "Cache-Control", "Location", "Vary", "Www-Authenticate", "Content-Encoding", "Allow"}

func compare(real, ours answer) []difference {
	var ds []difference
	if real.status != ours.status {
		ds = append(ds, difference{"status", fmt.Sprint(real.status), fmt.Sprint(ours.status)})
	}
	for _, h := range comparedHeaders {
		a, b := hashes.ReplaceAllString(strings.Join(real.header[h], " + "), "hash=HASH"), hashes.ReplaceAllString(strings.Join(ours.header[h], " + "), "hash=HASH")
		if a != b {
			ds = append(ds, difference{h, a, b})
		}
	}
	if a, b := real.header.Get("Etag") != "", ours.header.Get("Etag") != ""; a != b { // how it is made is the server's own affair
		ds = append(ds, difference{"Etag", fmt.Sprint(a), fmt.Sprint(b)})
	}
	return diff("body", real.body, ours.body, ds)
}

// diff walks both bodies.
func diff(path string, a, b any, ds []difference) []difference {
	switch x := a.(type) {
	case map[string]any:
		if y, ok := b.(map[string]any); ok {
			keys := slices.Collect(maps.Keys(x))
			for k := range y {
				if _, ok := x[k]; !ok {
					keys = append(keys, k)
				}
			}
			slices.Sort(keys)
			for _, k := range keys {
				ds = diffField(path+"."+k, x, y, k, ds)
			}
			return ds
		}
	case []any:
		if y, ok := b.([]any); ok {
			for i := range max(len(x), len(y)) {
				at := fmt.Sprintf("%s[%d]", path, i)
				switch {
				case i >= len(x):
					ds = append(ds, difference{at, "nothing", render(y[i])})
				case i >= len(y):
					ds = append(ds, difference{at, render(x[i]), "nothing"})
				default:
					ds = diff(at, x[i], y[i], ds)
				}
			}
			return ds
		}
	}
	if a != b {
		ds = append(ds, difference{path, render(a), render(b)})
	}
	return ds
}

func diffField(path string, x, y map[string]any, k string, ds []difference) []difference {
	a, inX := x[k]
	b, inY := y[k]
	switch {
	case !inX:
		return append(ds, difference{path, "nothing", render(b)})
	case !inY:
		return append(ds, difference{path, render(a), "nothing"})
	}
	return diff(path, a, b, ds)
}

func render(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// excerpts cuts two long texts down to where they differ.
func excerpts(a, b string) (string, string) {
	const long, before = 600, 100
	from := 0
	for from < min(len(a), len(b)) && a[from] == b[from] {
		from++
	}
	if from -= before; from < 0 || max(len(a), len(b)) <= long {
		from = 0
	}
	cut := func(s string) string {
		end := ""
		if s = s[from:]; len(s) > long {
			s, end = s[:long], "..."
		}
		if from > 0 {
			s = "..." + s
		}
		return s + end
	}
	return cut(a), cut(b)
}

var (
	uuids     = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	times     = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	versions  = regexp.MustCompile(`(resource version: ?|resourceVersion: ?"?|current: ?|old resource version: ?|in (?:record|the precondition) \(|resourceVersion\\*": ?\\*")\d+`)
	ages      = regexp.MustCompile(`^(\d+[smhd])+( ago)?$`)
	portCells = regexp.MustCompile(`^(\d+):\d{5}/(TCP|UDP)$`)
	nodePorts = regexp.MustCompile(`(nodePort\\*":)\d+`)
	generated = regexp.MustCompile(`(kube-api-access-|gen-|Bad a{10,})[bcdfghjklmnpqrstvwxz2456789]{5}`)
	hashes    = regexp.MustCompile(`hash=[0-9A-F]{128}\b`)
	ownGroup  = regexp.MustCompile(`"apis/coracle\.dev[^}]*\},`) // in a list of documents
	addresses = regexp.MustCompile(`\b10\.\d+\.\d+\.\d+\b`)
)

// normalise replaces what may differ between two servers by a word that says what it was.
func normalise(v any) any {
	switch x := v.(type) {
	case map[string]any:
		if details, ok := x["details"].(map[string]any); ok && x["reason"] == "Conflict" { // in the order of a Go map
			causes, _ := details["causes"].([]any)
			slices.SortFunc(causes, func(a, b any) int { return cmp.Compare(render(a), render(b)) })
		}
		for k, v := range x {
			s, isText := v.(string)
			switch {
			case strings.Contains(k, "/coracle.dev") || strings.HasPrefix(k, "dev.coracle."): // in OpenAPI documents
				delete(x, k)
			case k == "resourceVersion" && isText && s != "":
				x[k] = "VERSION"
			case k == "continue" && isText && s != "":
				x[k] = "CONTINUE"
			case k == "nodePort" || k == "healthCheckNodePort":
				x[k] = "PORT"
			case k == "managedFields":
				x[k] = normalise(inOrder(v))
			default:
				x[k] = normalise(v)
			}
		}
		return x
	case []any:
		x = slices.DeleteFunc(x, ours)
		for i := range x {
			x[i] = normalise(x[i])
		}
		return x
	case string:
		if ages.MatchString(x) {
			return "AGE"
		}
		x = uuids.ReplaceAllString(x, "UID")
		x = times.ReplaceAllString(x, "TIME")
		x = versions.ReplaceAllString(x, "${1}VERSION")
		x = portCells.ReplaceAllString(x, "${1}:PORT/${2}")
		x = nodePorts.ReplaceAllString(x, "${1}PORT")
		if head, lines, ok := strings.Cut(x, " errors:\n"); ok { // in the order of a Go map
			each := strings.Split(lines, "\n")
			slices.Sort(each)
			x = head + " errors:\n" + strings.Join(each, "\n")
		}
		x = generated.ReplaceAllString(x, "${1}RANDOM")
		x = hashes.ReplaceAllString(ownGroup.ReplaceAllString(x, ""), "hash=HASH")
		return addresses.ReplaceAllString(x, "ADDRESS")
	case json.Number:
		return x.String()
	}
	return v
}

// ours tells whether v is the group that Coracle serves besides those of Kubernetes.
func ours(v any) bool {
	group, _ := v.(map[string]any)
	if m, ok := group["metadata"].(map[string]any); ok {
		group = m
	}
	return group["name"] == "coracle.dev"
}

// inOrder puts the managers of one object into the order that they have when all of them write in the same second: how fast a
// server is must not make a difference.
func inOrder(v any) any {
	managers, _ := v.([]any)
	key := func(v any) string {
		m, _ := v.(map[string]any)
		return fmt.Sprint(m["operation"], m["manager"], m["apiVersion"], m["subresource"])
	}
	slices.SortStableFunc(managers, func(a, b any) int { return cmp.Compare(key(a), key(b)) })
	return v
}
