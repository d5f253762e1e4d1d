package wire

import (
	stdjson "encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
)

func FuzzInterpret(f *testing.F) {
	for _, s := range []string{
		`{"kind":"Pod","apiVersion":"v1"}`,
		` { "metadata" : {"kind":"x"} , "apiVersion" : "apps/v1" , "kind" : "Deployment" } `,
		`{"Kind":"Pod","apiversion":"v1"}`,
		`{"kind":"Pod","kind":"Node"}`,
		`{"kind":"P\u006fd"}`, `{"ki\u006ed":"Pod"}`, `{"kind":1}`, `{"kind":null}`, `{}`, `[]`, `"`, `{"kind":"Pod" "apiVersion":"v1"}`, `{"a":"\"","kind":"Pod"}`,
		`{"apiVersion":"a/b/c"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !stdjson.Valid(b) {
			interpret(b) // and does not panic
			return
		}
		want, err := json.DefaultMetaFactory.Interpret(b)
		got, ok := interpret(b)
		if !ok {
			return
		}
		if err != nil {
			t.Fatalf("%q: %v; read without an error", b, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%q: (-want +got):\n%s", b, diff)
		}
	})
}
