package typedjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	kjson "sigs.k8s.io/json"
)

// sent is a pod of two kilobytes, as somebody creates it.
func sent(tb testing.TB) []byte {
	b, err := os.ReadFile("../../../e2e/testdata/pod-of-2k.json")
	if err != nil {
		tb.Fatal(err)
	}
	return bytes.Replace(b, []byte("NAME"), []byte("p"), 1)
}

// stored is the same pod as it is kept.
func stored(tb testing.TB) []byte {
	fields := make([]string, 18)
	for i := range fields {
		fields[i] = fmt.Sprintf(`"k:{\"name\":\"SETTING_%02d\"}":{".":{},"f:name":{},"f:value":{}}`, i)
	}
	owned := fmt.Sprintf(`{"manager":"load","operation":"Update","apiVersion":"v1","time":"2026-01-02T03:04:05Z","fieldsType":"FieldsV1","fieldsV1":{"f:spec":{"f:containers":{"k:{\"name\":\"main\"}":{"f:env":{%s}}}}}}`, strings.Join(fields, ","))
	b := strings.Replace(string(sent(tb)), `"name":"p",`, `"name":"p","namespace":"load","uid":"11111111-2222-3333-4444-555555555555","creationTimestamp":"2026-01-02T03:04:05Z","managedFields":[`+owned+`],`, 1)
	var pod corev1.Pod
	if err := json.Unmarshal([]byte(b), &pod); err != nil {
		tb.Fatal(err)
	}
	kept, err := json.Marshal(&pod)
	if err != nil {
		tb.Fatal(err)
	}
	return kept
}

func BenchmarkDecodePod(b *testing.B) {
	for name, body := range map[string][]byte{"sent": sent(b), "stored": stored(b)} {
		b.Run(name, func(b *testing.B) {
			var c Codec
			c.Unmarshal(body, &corev1.Pod{}) // which makes the plans
			b.ReportAllocs()
			for b.Loop() {
				if !c.Unmarshal(body, &corev1.Pod{}) {
					b.Fatal("not understood")
				}
			}
		})
		b.Run(name+"/library", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if odd, err := kjson.UnmarshalStrict(body, &corev1.Pod{}); err != nil || odd != nil {
					b.Fatal(odd, err)
				}
			}
		})
	}
}

func BenchmarkEncodePod(b *testing.B) {
	for name, body := range map[string][]byte{"sent": sent(b), "stored": stored(b)} {
		var pod corev1.Pod
		if err := json.Unmarshal(body, &pod); err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			var c Codec
			if _, err := c.Marshal(&pod); err != nil { // which makes the plans
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Marshal(&pod); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/library", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := json.Marshal(&pod); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
