package wire

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
)

// interpreter reads the kind and apiVersion of a JSON object without parsing the rest, where they are written plainly. It
// takes JSON to be valid. Of what is not, a decoder with an interpreter says something else than upstream, so Decode has that
// worded by one without.
type interpreter struct{}

// Interpret implements json.MetaFactory.
func (interpreter) Interpret(data []byte) (*schema.GroupVersionKind, error) {
	if gvk, ok := interpret(data); ok {
		return gvk, nil
	}
	return json.DefaultMetaFactory.Interpret(data)
}

func interpret(b []byte) (*schema.GroupVersionKind, bool) {
	at := space(b, 0)
	if at >= len(b) || b[at] != '{' {
		return nil, false
	}
	found := map[string]string{}
	for at = space(b, at+1); at < len(b) && b[at] == '"'; {
		end := skip(b, at)
		colon := space(b, end)
		if end-at < 2 || colon >= len(b) || b[colon] != ':' {
			return nil, false
		}
		key := b[at+1 : end-1]
		from := space(b, colon+1)
		to := skip(b, from)
		if name := string(key); name == "kind" || name == "apiVersion" {
			if _, twice := found[name]; twice || to-from < 2 || b[from] != '"' || slices.ContainsFunc(b[from:to], escapes) {
				return nil, false
			}
			found[name] = string(b[from+1 : to-1])
		} else if slices.ContainsFunc(key, escapes) || strings.EqualFold(name, "kind") || strings.EqualFold(name, "apiVersion") {
			return nil, false // which encoding/json takes for the same
		}
		if at = space(b, to); at < len(b) && b[at] == ',' {
			at = space(b, at+1)
		}
	}
	gv, err := schema.ParseGroupVersion(found["apiVersion"])
	if err != nil {
		return nil, false
	}
	return &schema.GroupVersionKind{Group: gv.Group, Version: gv.Version, Kind: found["kind"]}, true
}

// escapes tells of a byte that text may be written with in more than one way.
func escapes(c byte) bool { return c == '\\' || c >= 0x80 }

// space is the offset of the first byte from at on that is not white space.
func space(b []byte, at int) int {
	for at < len(b) && (b[at] == ' ' || b[at] == '\n' || b[at] == '\t' || b[at] == '\r') {
		at++
	}
	return at
}
