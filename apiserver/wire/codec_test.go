package wire

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

func TestDecodeOptions(t *testing.T) {
	proto := func(obj runtime.Object) []byte {
		var b bytes.Buffer
		if err := protobuf.NewSerializer(scheme.Scheme, scheme.Scheme).Encode(obj, &b); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	zero := new(int64(0))
	options := &metav1.DeleteOptions{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "DeleteOptions"}, GracePeriodSeconds: zero}
	pod := &corev1.Pod{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}}
	const refused = `no kind "Pod" is registered for version "v1" in scheme "pkg/runtime/scheme.go:111"`
	for name, c := range map[string]struct {
		body Body
		err  string
	}{
		"options in JSON":                         {Body{Bytes: []byte(`{"apiVersion":"v1","kind":"DeleteOptions","gracePeriodSeconds":0}`), ContentType: JSON}, ""},
		"options without a kind":                  {Body{Bytes: []byte(`{"gracePeriodSeconds":0}`)}, ""},
		"options in YAML":                         {Body{Bytes: []byte("kind: DeleteOptions\napiVersion: apps/v1\ngracePeriodSeconds: 0"), ContentType: YAML}, ""},
		"options in protobuf":                     {Body{Bytes: proto(options), ContentType: Protobuf}, ""},
		"another kind in JSON is refused":         {Body{Bytes: []byte(`{"apiVersion":"v1","kind":"Pod"}`), ContentType: JSON}, refused},
		"another kind in YAML is refused":         {Body{Bytes: []byte("kind: Pod\napiVersion: v1"), ContentType: YAML}, refused},
		"another kind in protobuf is refused too": {Body{Bytes: proto(pod), ContentType: Protobuf}, refused},
	} {
		t.Run(name, func(t *testing.T) {
			into, got := &metav1.DeleteOptions{}, ""
			if err := NewCodec(scheme.Scheme).DecodeOptions(c.body, metav1.SchemeGroupVersion.WithKind("DeleteOptions"), into); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(c.err, got); diff != "" {
				t.Fatal(diff)
			}
			if c.err == "" {
				if diff := cmp.Diff(zero, into.GracePeriodSeconds); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}
