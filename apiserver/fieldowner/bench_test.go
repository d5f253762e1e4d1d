package fieldowner

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coracle/apiserver/catalog"
)

// BenchmarkNote notes the owners of a pod of 2 KB that is created, that gets a label, and that gets a status; whole is what
// comparing the whole objects costs.
func BenchmarkNote(b *testing.B) {
	o := owners(b)
	var pods *catalog.Kind
	for _, k := range catalog.Builtin() {
		if k.Resource == "pods" {
			pods = k
		}
	}
	empty := pods.New()
	made := benchPod()
	made.SetGroupVersionKind(pods.GroupVersionKind)
	created := made.DeepCopy()
	o.Note(pods, "", created, nil, "maker", time.Now())
	labelled := created.DeepCopy()
	labelled.Labels = map[string]string{"app": "web", "more": "yes"}
	running := created.DeepCopy()
	running.Status.Phase = corev1.PodRunning
	for _, bench := range []struct {
		what, sub string
		old, obj  runtime.Object
	}{
		{"create", "", nil, made},
		{"label", "", created, labelled},
		{"status", "status", created, running},
	} {
		b.Run(bench.what, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				obj := bench.obj.(*corev1.Pod)
				had := obj.ManagedFields
				o.Note(pods, bench.sub, obj, bench.old, "benchmark", time.Now())
				obj.ManagedFields = had
			}
		})
		b.Run("whole "+bench.what, func(b *testing.B) {
			b.ReportAllocs()
			m, err := o.Manager(pods, bench.sub)
			if err != nil {
				b.Fatal(err)
			}
			old := bench.old
			if old == nil {
				old = empty
			}
			for b.Loop() {
				obj := bench.obj.(*corev1.Pod)
				had := obj.ManagedFields
				m.UpdateNoErrors(old, obj, "benchmark")
				obj.ManagedFields = had
			}
		})
	}
}

func benchPod() *corev1.Pod {
	p := &corev1.Pod{}
	p.Name, p.Namespace, p.UID = "web", "blue", "0b5e0a49"
	p.Labels = map[string]string{"app": "web"}
	c := corev1.Container{Name: "main", Image: "example/image:1.2.3", Command: []string{"/bin/run"}, Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080, Protocol: "TCP"}}}
	for i := range 18 {
		c.Env = append(c.Env, corev1.EnvVar{Name: fmt.Sprintf("SETTING_%02d", i), Value: "a value of common length"})
	}
	p.Spec = corev1.PodSpec{RestartPolicy: "Always", DNSPolicy: "ClusterFirst", ServiceAccountName: "default", Containers: []corev1.Container{c}}
	return p
}
