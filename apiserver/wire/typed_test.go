package wire

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// What is read in one pass is what the serializer would have read, and an object about which there is more to be said is left as it was.
func TestDecodeTyped(t *testing.T) {
	s, err := NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	codec := NewCodec(s)
	pod := func() runtime.Object { return &corev1.Pod{} }
	said := func() runtime.Object {
		return &corev1.Pod{TypeMeta: metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"}}
	}
	deployment := func() runtime.Object { return &appsv1.Deployment{} }
	pods, deployments := corev1.SchemeGroupVersion.WithKind("Pod"), appsv1.SchemeGroupVersion.WithKind("Deployment")
	for _, c := range []struct {
		name, doc string
		want      schema.GroupVersionKind
		empty     func() runtime.Object
		read      bool
	}{
		{"of the kind", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}`, pods, pod, true},
		{"into one that says so", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"a"}}`, pods, said, true},
		{"without a kind", `{"metadata":{"name":"a"}}`, pods, pod, true},
		{"without a kind, into one that has it", `{"metadata":{"name":"a"}}`, pods, said, true},
		{"with a kind alone", `{"kind":"Pod"}`, pods, said, true},
		{"with a version alone", `{"apiVersion":"v1"}`, pods, pod, true},
		{"with null for both", `{"kind":null,"apiVersion":null}`, pods, said, true},
		{"with empty text for both", `{"kind":"","apiVersion":""}`, pods, said, true},
		{"of a group", `{"apiVersion":"apps/v1","kind":"Deployment"}`, deployments, deployment, true},
		{"of another kind", `{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"}}`, pods, said, false},
		{"of another version", `{"apiVersion":"v2","kind":"Pod"}`, pods, said, false},
		{"of another group", `{"apiVersion":"apps/v1","kind":"Pod"}`, pods, said, false},
		{"of a group without version", `{"apiVersion":"apps/","kind":"Deployment"}`, deployments, deployment, false},
		{"of a version that is none", `{"apiVersion":"a/b/c","kind":"Pod"}`, pods, said, false},
		{"of an odd version", `{"apiVersion":"/v1","kind":"Pod"}`, pods, pod, true},
		{"in other letters", `{"Kind":"Pod"}`, pods, pod, false},
		{"with an unknown field", `{"kind":"Pod","spec":{"x":1}}`, pods, said, false},
		{"for another kind than the object's", `{"kind":"Deployment","apiVersion":"apps/v1"}`, deployments, pod, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := c.empty()
			if read := codec.decodeTyped([]byte(c.doc), c.want, got); read != c.read {
				t.Fatalf("read: %v, want %v", read, c.read)
			}
			want := c.empty()
			if c.read {
				obj, kind, err := codec.strictJSON.Decode([]byte(c.doc), &c.want, want)
				if err != nil || obj != want || *kind != c.want {
					t.Fatalf("the serializer says %v of a %v", err, kind)
				}
				got.GetObjectKind().SetGroupVersionKind(c.want) // as Decode does
				want.GetObjectKind().SetGroupVersionKind(c.want)
			}
			if !reflect.DeepEqual(want, got) {
				t.Error(cmp.Diff(want, got))
			}
		})
	}
}
