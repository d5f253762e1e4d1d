package downward

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func pod() *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "web", Namespace: "blue", UID: "uid-1",
			Labels:      map[string]string{"tier": "front", "app": "we\"b"},
			Annotations: map[string]string{"Example.com/Note": "hi\nthere"},
		},
		Spec: corev1.PodSpec{
			NodeName: "n1", ServiceAccountName: "some-sa",
			Containers: []corev1.Container{{Name: "web", Resources: corev1.ResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m"), corev1.ResourceMemory: resource.MustParse("64Mi")},
				Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("100Mi")},
			}}},
			InitContainers: []corev1.Container{{Name: "first"}},
		},
	}
}

var node = Node{HostIP: "127.0.0.1", PodIP: "10.244.0.7", Allocatable: corev1.ResourceList{
	corev1.ResourceCPU: resource.MustParse("4"), corev1.ResourceMemory: resource.MustParse("8Gi"),
}}

func TestField(t *testing.T) {
	for _, test := range []struct{ path, want, err string }{
		{path: "metadata.name", want: "web"},
		{path: "metadata.uid", want: "uid-1"},
		{path: "metadata.labels", want: "app=\"we\\\"b\"\ntier=\"front\""},
		{path: "metadata.labels['tier']", want: "front"},
		{path: "metadata.labels['none']", want: ""},
		{path: "metadata.annotations['Example.com/Note']", want: "hi\nthere"},
		{path: "spec.nodeName", want: "n1"},
		{path: "spec.serviceAccountName", want: "some-sa"},
		{path: "status.hostIP", want: "127.0.0.1"},
		{path: "status.podIPs", want: "10.244.0.7"},
		{path: "spec.containers", err: "unsupported fieldPath: spec.containers"},
		{path: "spec['x']", err: `fieldPath "spec['x']" does not support subscript`},
		{path: "metadata.labels['x", err: "unsupported fieldPath: metadata.labels['x"},
		{path: "['x']", err: "unsupported fieldPath: ['x']"},
	} {
		t.Run(test.path, func(t *testing.T) {
			got, err := Field(pod(), node, test.path)
			if got != test.want || message(err) != test.err {
				t.Errorf("got %q, %q; want %q, %q", got, message(err), test.want, test.err)
			}
		})
	}
}

func TestResource(t *testing.T) {
	for _, test := range []struct {
		name, container, resource, divisor, want, err string
	}{
		{name: "cpu rounds up to whole cores", resource: "requests.cpu", want: "1"},
		{name: "cpu in millicores", resource: "requests.cpu", divisor: "1m", want: "250"},
		{name: "memory in bytes", resource: "limits.memory", want: "104857600"},
		{name: "memory in mebibytes", resource: "limits.memory", divisor: "1Mi", want: "100"},
		{name: "a limit not set is the node's", resource: "limits.cpu", want: "4"},
		{name: "a request not set is zero", container: "first", resource: "requests.memory", want: "0"},
		{name: "unknown container", container: "ghost", resource: "limits.cpu", err: "container ghost not found"},
		{name: "unknown resource", resource: "limits.gpu", err: "unsupported container resource : limits.gpu"},
		{name: "no resource", resource: "cpu", err: "unsupported container resource : cpu"},
	} {
		t.Run(test.name, func(t *testing.T) {
			selector := &corev1.ResourceFieldSelector{ContainerName: test.container, Resource: test.resource}
			if test.divisor != "" {
				selector.Divisor = resource.MustParse(test.divisor)
			}
			got, err := Resource(pod(), node, "web", selector)
			if got != test.want || message(err) != test.err {
				t.Errorf("got %q, %q; want %q, %q", got, message(err), test.want, test.err)
			}
		})
	}
}

func FuzzField(f *testing.F) {
	f.Add("metadata.labels['app']")
	f.Add("metadata.annotations['']")
	f.Fuzz(func(t *testing.T, path string) {
		if _, err := Field(pod(), node, path); err != nil && err.Error() == "" {
			t.Error("an error without a sentence")
		}
	})
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
