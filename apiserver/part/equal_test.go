package part

import (
	"reflect"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func pod(change func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "a", Labels: map[string]string{"a": "b", "c": "d"}, CreationTimestamp: metav1.NewTime(time.Unix(7, 0).UTC())}}
	p.Spec.Containers = []corev1.Container{{
		Name: "main", Command: []string{"x"}, Ports: []corev1.ContainerPort{{ContainerPort: 80}},
		Resources:     corev1.ResourceRequirements{Limits: corev1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("1.5e30")}},
		LivenessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString("web")}}},
	}}
	p.Spec.RuntimeClassName = new("c")
	change(p)
	return p
}

// Two values are equal here when reflect.DeepEqual says so.
func TestEqual(t *testing.T) {
	main := func(p *corev1.Pod) *corev1.Container { return &p.Spec.Containers[0] }
	all := map[string]*corev1.Pod{}
	for name, change := range map[string]func(*corev1.Pod){
		"as it is":             func(*corev1.Pod) {},
		"another name":         func(p *corev1.Pod) { p.Name = "b" },
		"another label":        func(p *corev1.Pod) { p.Labels["a"] = "c" },
		"another key":          func(p *corev1.Pod) { delete(p.Labels, "a"); p.Labels["b"] = "b" },
		"no labels":            func(p *corev1.Pod) { p.Labels = nil },
		"empty labels":         func(p *corev1.Pod) { p.Labels = map[string]string{} },
		"another time":         func(p *corev1.Pod) { p.CreationTimestamp = metav1.NewTime(time.Unix(8, 0).UTC()) },
		"another port":         func(p *corev1.Pod) { main(p).Ports[0].ContainerPort = 81 },
		"one more port":        func(p *corev1.Pod) { main(p).Ports = append(main(p).Ports, corev1.ContainerPort{}) },
		"no ports":             func(p *corev1.Pod) { main(p).Ports = nil },
		"empty ports":          func(p *corev1.Pod) { main(p).Ports = []corev1.ContainerPort{} },
		"another quantity":     func(p *corev1.Pod) { main(p).Resources.Limits["cpu"] = resource.MustParse("200m") },
		"another big quantity": func(p *corev1.Pod) { main(p).Resources.Limits["memory"] = resource.MustParse("1.5e31") },
		"another probe":        func(p *corev1.Pod) { main(p).LivenessProbe.TCPSocket.Port = intstr.FromInt32(80) },
		"no probe":             func(p *corev1.Pod) { main(p).LivenessProbe = nil },
		"bytes": func(p *corev1.Pod) {
			p.ManagedFields = []metav1.ManagedFieldsEntry{{FieldsV1: &metav1.FieldsV1{Raw: []byte("{}")}}}
		},
		"other bytes": func(p *corev1.Pod) {
			p.ManagedFields = []metav1.ManagedFieldsEntry{{FieldsV1: &metav1.FieldsV1{Raw: []byte("[]")}}}
		},
		"another bool":    func(p *corev1.Pod) { main(p).TTY = true },
		"another pointer": func(p *corev1.Pod) { p.Spec.RuntimeClassName = new("d") },
	} {
		all[name] = pod(change)
	}
	for x, a := range all {
		for y, b := range all {
			for _, b := range []*corev1.Pod{b, b.DeepCopy()} {
				if got, want := Equal(a, b), reflect.DeepEqual(a, b); got != want {
					t.Errorf("%s and %s: %t, want %t", x, y, got, want)
				}
			}
		}
	}
	type holder struct{ Object runtime.Object }
	a, b := &holder{pod(func(*corev1.Pod) {})}, &holder{&corev1.Node{}}
	if !Equal(a, &holder{a.Object.DeepCopyObject()}) || Equal(a, b) || Equal(a, &holder{}) || !Equal(&holder{}, &holder{}) {
		t.Error("interfaces are not compared by what they hold")
	}
}
