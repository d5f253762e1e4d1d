package part

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coracle/apiserver/wire"
)

func TestNamed(t *testing.T) {
	for _, c := range []struct {
		name, patch string
		want        wire.Parts // nil: it is about the whole
	}{
		{"a label", `{"metadata":{"labels":{"a":"b"}}}`, wire.Parts{"metadata": {"labels": nil}}},
		{"three deep", `{"spec":{"template":{"spec":{"containers":[]}}}}`, wire.Parts{"spec": {"template": {"spec": nil}}}},
		{"all of a member", `{"spec":null,"status":7}`, wire.Parts{"spec": nil, "status": nil}},
		{"a struct that is merged otherwise", `{"spec":{"strategy":{"type":"Recreate"}}}`, wire.Parts{"spec": {"strategy": nil}}},
		{"what is no struct", `{"spec":{"selector":{"matchLabels":{"a":"b"}},"replicas":{}}}`, wire.Parts{"spec": {"selector": {"matchLabels": nil}, "replicas": nil}}},
		{"a name that no field has", `{"Spec":{"replicas":1}}`, wire.Parts{"Spec": nil}},
		{"a directive below", `{"spec":{"$patch":"replace","replicas":1}}`, wire.Parts{"spec": nil}},
		{"a directive on top", `{"$patch":"replace"}`, nil},
		{"no object", `[]`, nil},
		{"nothing", ``, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := Named([]byte(c.patch), reflect.TypeFor[appsv1.Deployment]())
			if ok != (c.want != nil) {
				t.Fatalf("named: %t", ok)
			}
			if diff := cmp.Diff(c.want, got); ok && diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What is cut out and what completes it are the whole.
func TestCutAndComplete(t *testing.T) {
	whole := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "a", Labels: map[string]string{"a": "b"}}}
	whole.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: new(int64(1)), RunAsGroup: new(int64(2))}
	whole.Spec.Containers = []corev1.Container{{Name: "main"}}
	whole.Status.Phase = corev1.PodRunning
	parts := wire.Parts{"metadata": {"labels": nil}, "spec": {"securityContext": {"runAsUser": nil}}}

	some, rest := &corev1.Pod{}, &corev1.Pod{}
	Cut(some, whole, parts)
	want := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"a": "b"}}}
	want.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: new(int64(1))}
	if diff := cmp.Diff(want, some); diff != "" {
		t.Errorf("cut (-want +got):\n%s", diff)
	}
	Complete(rest, whole, parts)
	if rest.Labels != nil || rest.Spec.SecurityContext.RunAsUser != nil || rest.Status.Phase != corev1.PodRunning {
		t.Errorf("the rest is %+v", rest)
	}
	Complete(some, rest, parts)
	if diff := cmp.Diff(whole, some); diff != "" {
		t.Errorf("together (-want +got):\n%s", diff)
	}
}
