package apiserver

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// What is read as JSON is read as YAML would be, and whatever that has doubts about is left to it.
func TestSimpleJSON(t *testing.T) {
	for text, simple := range map[string]bool{
		`{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a","labels":{"a":"1"}},"spec":{"containers":[{"name":"a","ports":[{"containerPort":80}],"tty":true,"env":null}]}}`: true,
		"{\n \"a\": [1, -2, []],\n \"b\": {}\n}\n": true,
		`{}`:                            true,
		`{"a":1.0}`:                     false,
		`{"a":1e3}`:                     false,
		`{"a":123456789012345678901}`:   false,
		`{"a":"\n"}`:                    false,
		`{"a":"\ud83d\ude00"}`:          false,
		`{"a":"ä"}`:                     false,
		"{\"a\":\t1}":                   false,
		`{"a":1,"a":2}`:                 false,
		`{"a":{"b":1,"b":1}}`:           false,
		`{"<<":{"a":1}}`:                false,
		`{"a":1} x`:                     false,
		`{a: 1}`:                        false,
		`[1]`:                           false,
		`a: 1`:                          false,
		``:                              false,
		` {"a":1}`:                      false,
		"{\"" + long(1001) + "\":1}":    false,
		"{\"a\":\"" + long(5000) + `"}`: true,
	} {
		got, ok := simpleJSON([]byte(text))
		if ok != simple {
			t.Errorf("%.60s: simple is %t", text, ok)
		}
		if !ok {
			continue
		}
		want, _, err := fromYAML([]byte(text))
		if err != nil {
			t.Errorf("%.60s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%.60s: (-YAML +JSON)\n%s", text, diff)
		}
	}
}

func long(n int) string { return strings.Repeat("x", n) }

// FuzzSimpleJSON: whatever is read as JSON says the same in YAML, to a strict reader too.
func FuzzSimpleJSON(f *testing.F) {
	f.Add([]byte(`{"apiVersion":"v1","metadata":{"name":"a"},"spec":[1,true,null,"x: y # z","- a","&a *b !c"]}`))
	f.Add([]byte("{\n\"a\":1,\n\"?\":{\"b\": \"|\"}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, ok := simpleJSON(text)
		if !ok {
			return
		}
		want, _, err := fromYAML(text)
		if err != nil {
			t.Fatalf("%q is no YAML: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-YAML +JSON):\n%s", text, diff)
		}
		if err := yaml.UnmarshalStrict(text, &map[string]any{}); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	})
}
