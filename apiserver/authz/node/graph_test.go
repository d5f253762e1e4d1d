package node

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"pgregory.net/rapid"
)

func drawPod(r *rapid.T) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: rapid.SampledFrom([]string{"p1", "p2", "p3"}).Draw(r, "pod")}}
	pod.Spec.NodeName = rapid.SampledFrom([]string{"n1", "n2", ""}).Draw(r, "node")
	for _, secret := range rapid.SliceOfN(rapid.SampledFrom([]string{"s1", "s2"}), 0, 2).Draw(r, "secrets") {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: secret}}})
	}
	for _, claim := range rapid.SliceOfN(rapid.SampledFrom([]string{"c1", "c2"}), 0, 2).Draw(r, "claims") {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim}}})
	}
	return pod
}

func drawVolume(r *rapid.T) *corev1.PersistentVolume {
	pv := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: rapid.SampledFrom([]string{"v1", "v2"}).Draw(r, "volume")}}
	if rapid.Bool().Draw(r, "claimed") {
		pv.Spec.ClaimRef = &corev1.ObjectReference{Namespace: "blue", Name: rapid.SampledFrom([]string{"c1", "c2"}).Draw(r, "claim")}
	}
	secret := &corev1.SecretReference{Namespace: "blue", Name: rapid.SampledFrom([]string{"s1", "s2", "s3"}).Draw(r, "secret of volume")}
	pv.Spec.CSI = &corev1.CSIPersistentVolumeSource{NodeStageSecretRef: secret}
	if rapid.Bool().Draw(r, "publish too") {
		pv.Spec.CSI.NodePublishSecretRef = secret
	}
	return pv
}

// However events come, the graph knows what the objects that are left say, and nothing stays behind.
func TestGraph_FollowsEveryChange(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		g := NewGraph()
		pods, volumes := map[string]*corev1.Pod{}, map[string]*corev1.PersistentVolume{}
		for range rapid.IntRange(1, 25).Draw(r, "changes") {
			deleted := rapid.IntRange(0, 2).Draw(r, "delete") == 0
			if rapid.Bool().Draw(r, "of a pod") {
				pod := drawPod(r)
				if old := pods[pod.Name]; old != nil && old.Spec.NodeName != "" {
					pod.Spec.NodeName = old.Spec.NodeName // a pod never moves
				}
				if deleted {
					g.Remove(pod)
					delete(pods, pod.Name)
				} else {
					g.Apply(pod)
					pods[pod.Name] = pod
				}
				continue
			}
			pv := drawVolume(r)
			if deleted {
				g.Remove(pv)
				delete(volumes, pv.Name)
			} else {
				g.Apply(pv)
				volumes[pv.Name] = pv
			}
		}
		for _, node := range []string{"n1", "n2"} {
			for _, secret := range []string{"s1", "s2", "s3"} {
				want := secretLeadsTo(secret, node, pods, volumes)
				if got := g.Path(Object{"secrets", "blue", secret}, node) != nil; got != want {
					t.Fatalf("secret %s leads to %s: %v, want %v", secret, node, got, want)
				}
			}
		}
		fresh := NewGraph()
		for _, name := range slices.Sorted(maps.Keys(pods)) {
			fresh.Apply(pods[name])
		}
		for _, name := range slices.Sorted(maps.Keys(volumes)) {
			fresh.Apply(volumes[name])
		}
		if fmt.Sprint(shape(g)) != fmt.Sprint(shape(fresh)) {
			t.Fatalf("after the changes %v, fresh %v", shape(g), shape(fresh))
		}
	})
}

func secretLeadsTo(secret, node string, pods map[string]*corev1.Pod, volumes map[string]*corev1.PersistentVolume) bool {
	for _, pod := range pods {
		if pod.Spec.NodeName != node {
			continue
		}
		for _, v := range pod.Spec.Volumes {
			if v.Secret != nil && v.Secret.SecretName == secret {
				return true
			}
			for _, pv := range volumes {
				if v.PersistentVolumeClaim != nil && pv.Spec.ClaimRef != nil && pv.Spec.ClaimRef.Name == v.PersistentVolumeClaim.ClaimName &&
					pv.Spec.CSI.NodeStageSecretRef.Name == secret {
					return true
				}
			}
		}
	}
	return false
}

// shape is all that a graph keeps, in an order of its own.
func shape(g *Graph) []string {
	var lines []string
	for o, nodes := range g.through {
		for node, by := range nodes {
			words := make([]string, len(by))
			for i, b := range by {
				words[i] = b.String()
			}
			slices.Sort(words)
			lines = append(lines, fmt.Sprint(o, node, words))
		}
	}
	for o, b := range g.bound {
		lines = append(lines, fmt.Sprint(o, b))
	}
	for name, v := range g.volumes {
		lines = append(lines, fmt.Sprint(name, v))
	}
	for o, names := range g.volumesOf {
		lines = append(lines, fmt.Sprint(o, slices.Sorted(slices.Values(names))))
	}
	slices.Sort(lines)
	return lines
}

// Every kind of volume that names a secret is followed: of such kinds there are as many as fields of that type.
func TestNeeds_EveryKindOfVolume(t *testing.T) {
	source := reflect.TypeFor[corev1.VolumeSource]()
	for i := range source.NumField() {
		var v corev1.Volume
		field := reflect.New(source.Field(i).Type.Elem())
		reflect.ValueOf(&v.VolumeSource).Elem().Field(i).Set(field)
		named := nameSecrets(field.Elem())
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "p"}, Spec: corev1.PodSpec{NodeName: "n", Volumes: []corev1.Volume{v}}}
		found := slices.Contains(needsOf(pod), Object{"secrets", "blue", "hidden"})
		if named != found {
			t.Errorf("%s: names a secret is %v, followed is %v", source.Field(i).Name, named, found)
		}
	}
}

func TestNeeds_EveryKindOfPersistentVolume(t *testing.T) {
	source := reflect.TypeFor[corev1.PersistentVolumeSource]()
	for i := range source.NumField() {
		pv := &corev1.PersistentVolume{Spec: corev1.PersistentVolumeSpec{ClaimRef: &corev1.ObjectReference{Namespace: "blue", Name: "c"}}}
		field := reflect.New(source.Field(i).Type.Elem())
		reflect.ValueOf(&pv.Spec.PersistentVolumeSource).Elem().Field(i).Set(field)
		named := nameSecrets(field.Elem())
		if found := len(volumeOf(pv).secrets) > 0; named != found {
			t.Errorf("%s: names a secret is %v, followed is %v", source.Field(i).Name, named, found)
		}
	}
}

// nameSecrets names the secret "hidden" in every field that takes the name of one, and tells whether there is any.
func nameSecrets(v reflect.Value) bool {
	named := false
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		switch f.Interface().(type) {
		case *corev1.LocalObjectReference:
			f.Set(reflect.ValueOf(&corev1.LocalObjectReference{Name: "hidden"}))
		case *corev1.SecretReference:
			f.Set(reflect.ValueOf(&corev1.SecretReference{Namespace: "blue", Name: "hidden"}))
		case *corev1.ObjectReference:
			f.Set(reflect.ValueOf(&corev1.ObjectReference{Namespace: "blue", Name: "hidden"}))
		case string:
			if name != "SecretName" {
				continue
			}
			f.SetString("hidden")
		case []corev1.VolumeProjection:
			f.Set(reflect.ValueOf([]corev1.VolumeProjection{{Secret: &corev1.SecretProjection{LocalObjectReference: ref("hidden")}}}))
		default:
			continue
		}
		named = true
	}
	return named
}

func TestGraph_PassesOverOtherKinds(t *testing.T) {
	g := NewGraph()
	for _, obj := range []runtime.Object{&corev1.Secret{}, &corev1.Node{}} {
		g.Apply(obj)
		g.Remove(obj)
	}
	if lines := shape(g); lines != nil {
		t.Errorf("the graph has %v", lines)
	}
}

func BenchmarkPath(b *testing.B) {
	for _, pods := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("pods=%d", pods), func(b *testing.B) {
			g := NewGraph()
			for i := range pods {
				g.Apply(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: fmt.Sprint("p", i)},
					Spec: corev1.PodSpec{NodeName: fmt.Sprint("n", i%100), ServiceAccountName: "default"}})
			}
			b.ReportAllocs()
			for b.Loop() {
				if g.Path(Object{"serviceaccounts", "blue", "default"}, "n7") == nil {
					b.Fatal("no path")
				}
			}
		})
	}
}
