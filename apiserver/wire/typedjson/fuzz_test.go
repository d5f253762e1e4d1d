package typedjson_test

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"coracle/apiserver/wire/typedjson"
)

// FuzzDecode holds that any document is read as the library reads it, or not at all.
func FuzzDecode(f *testing.F) {
	scheme, all := kinds(f)
	for i, kind := range all {
		for _, doc := range []string{
			`{"metadata":{"name":"a","labels":{"a":"b"},"creationTimestamp":"2026-01-02T03:04:05Z","ownerReferences":[{"uid":"u","controller":true}],"managedFields":[{"fieldsV1":{"f:a":{}}}]}}`,
			`{"kind":"` + kind.Kind + `","spec":{"containers":[{"name":"c","ports":[{"containerPort":80}],"resources":{"limits":{"cpu":"1"}},"readinessProbe":{"httpGet":{"port":"http"}}}]},"data":{"a":"YQ=="}}`,
		} {
			if i%20 == 0 || kind.Kind == "Pod" || kind.Kind == "Secret" || kind.Kind == "Deployment" {
				f.Add(uint16(i), []byte(doc))
			}
		}
	}
	var c typedjson.Codec
	f.Fuzz(func(t *testing.T, kind uint16, doc []byte) {
		decodesAlike(t, &c, doc, func() runtime.Object {
			obj, err := scheme.New(all[int(kind)%len(all)])
			if err != nil {
				t.Fatal(err)
			}
			return obj
		})
	})
}

// FuzzEncode holds that any object is written as encoding/json writes it.
func FuzzEncode(f *testing.F) {
	scheme, all := kinds(f)
	for i := 0; i < len(all); i += 10 {
		f.Add(uint16(i), uint64(i), "a\u2028\xff<", true)
		f.Add(uint16(i), uint64(i), "\\\"", false)
	}
	var c typedjson.Codec
	f.Fuzz(func(t *testing.T, kind uint16, seed uint64, word string, valid bool) {
		obj, err := scheme.New(all[int(kind)%len(all)])
		if err != nil {
			t.Fatal(err)
		}
		r := filler{Rand: rand.New(rand.NewPCG(seed, 0)), words: append(words(), word), valid: valid, left: most}
		r.fill(reflect.ValueOf(obj).Elem(), 8)
		encodesAlike(t, &c, obj)
	})
}
