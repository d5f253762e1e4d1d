package catalog

import (
	"fmt"
	"runtime/metrics"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Lists whose items are compared with all those before them, or that are told with each of them, would take hours, or all memory.
func TestAttack_LongLists(t *testing.T) {
	const many = 20_000
	named := func(i int) string { return fmt.Sprintf("n%d", i) }
	kinds := map[string]*Kind{}
	for _, k := range Builtin() {
		kinds[k.Resource] = k
	}
	claims := make([]corev1.PodResourceClaim, many)
	for i := range claims {
		claims[i].Name = named(i)
	}
	containers := make([]corev1.Container, many)
	for i := range containers {
		containers[i].Resources.Claims = []corev1.ResourceClaim{{Name: "unknown"}}
	}
	used := make([]corev1.ResourceClaim, many)
	for i := range used {
		used[i].Name = named(i)
	}
	usages := make([]certificatesv1.KeyUsage, many)
	templates := make([]corev1.PersistentVolumeClaim, many)
	volumes := make([]corev1.Volume, many)
	for i := range many {
		usages[i], templates[i].Name, volumes[i].Name = certificatesv1.KeyUsage(named(i)), named(i), "v"+named(i)
	}
	for name, c := range map[string]struct {
		resource string
		obj      runtime.Object
	}{
		"containers that each use an unknown claim": {"pods", &corev1.Pod{Spec: corev1.PodSpec{ResourceClaims: claims, Containers: containers}}},
		"claims that a container uses":              {"pods", &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{Claims: used}}}}}},
		"usages":                                    {"certificatesigningrequests", &certificatesv1.CertificateSigningRequest{Spec: certificatesv1.CertificateSigningRequestSpec{Usages: usages}}},
		"claims and volumes of a template": {"statefulsets", &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "s"}, Spec: appsv1.StatefulSetSpec{
			Selector: &metav1.LabelSelector{}, VolumeClaimTemplates: templates, Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Volumes: volumes}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			before := allocated()
			errs := kinds[c.resource].Strategy.Validate(c.obj)
			if took := allocated() - before; took > 40_000*many {
				t.Errorf("%d MB are allocated to find %d errors", took>>20, len(errs))
			}
		})
	}
}

// Each file of a volume is compared with those before it, and overlaps with all of them.
func TestAttack_FilesThatOverlap(t *testing.T) {
	pod := &corev1.Pod{Spec: corev1.PodSpec{Volumes: []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{}}}}}}
	items := make([]corev1.KeyToPath, 5000)
	for i := range items {
		items[i].Path = "a"
	}
	pod.Spec.Volumes[0].ConfigMap.Items = items
	for _, k := range Builtin() {
		if k.Resource != "pods" {
			continue
		}
		if n := len(k.Strategy.Warnings(pod, nil)); n < 500 || n > 3000 {
			t.Errorf("%d warnings, want some", n)
		}
	}
}

// allocated is how many bytes this process has allocated so far.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}
