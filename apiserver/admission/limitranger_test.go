package admission

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"coracle/apiserver/catalog"
)

type ranges []*corev1.LimitRange

func (r ranges) LimitRanges(string) []*corev1.LimitRange { return r }

func cpu(quantity string) corev1.ResourceList {
	if quantity == "" {
		return nil
	}
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(quantity)}
}

func TestLimitRanger(t *testing.T) {
	container := func(change func(*corev1.LimitRangeItem)) ranges {
		item := corev1.LimitRangeItem{Type: corev1.LimitTypeContainer}
		change(&item)
		return ranges{{Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{item}}}}
	}
	for _, test := range []struct {
		name            string
		ranges          ranges
		request, limit  string
		wantRequest     string
		wantLimit, told string // told: the annotation
		refused         string
	}{
		{"what is not asked for is given", container(func(l *corev1.LimitRangeItem) { l.DefaultRequest, l.Default = cpu("100m"), cpu("1") }), "", "",
			"100m", "1", "LimitRanger plugin set: cpu request for container c; cpu limit for container c", ""},
		{"what is asked for stays", container(func(l *corev1.LimitRangeItem) { l.DefaultRequest = cpu("100m") }), "200m", "",
			"200m", "0", "", ""},
		{"too little", container(func(l *corev1.LimitRangeItem) { l.Min = cpu("100m") }), "50m", "", "50m", "0", "", "minimum cpu usage per Container is 100m, but request is 50m"},
		{"nothing said", container(func(l *corev1.LimitRangeItem) { l.Min = cpu("100m") }), "", "", "0", "0", "", "minimum cpu usage per Container is 100m.  No request is specified"},
		{"too much", container(func(l *corev1.LimitRangeItem) { l.Max = cpu("1") }), "", "2", "0", "2", "", "maximum cpu usage per Container is 1, but limit is 2"},
		{"no limit", container(func(l *corev1.LimitRangeItem) { l.Max = cpu("1") }), "1", "", "1", "0", "", "maximum cpu usage per Container is 1.  No limit is specified"},
		{"too far apart", container(func(l *corev1.LimitRangeItem) { l.MaxLimitRequestRatio = cpu("2") }), "100m", "300m", "100m", "300m", "", "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000"},
		{"just near enough", container(func(l *corev1.LimitRangeItem) { l.MaxLimitRequestRatio = cpu("2") }), "100m", "200m", "100m", "200m", "", ""},
		{"in all", ranges{{Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{Type: corev1.LimitTypePod, Max: cpu("1")}}}}}, "", "2", "0", "2", "", "maximum cpu usage per Pod is 1, but limit is 2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			pod := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{Requests: cpu(test.request), Limits: cpu(test.limit)}}}}}
			pod.Name = "p"
			a := &Attributes{Operation: Create, Namespace: "blue", Name: "p", Object: pod, Kind: &catalog.Kind{Resource: "pods"}}
			plugin := LimitRanger{Ranges: test.ranges}
			if err := plugin.Mutate(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			r := pod.Spec.Containers[0].Resources
			if r.Requests.Cpu().String() != test.wantRequest || r.Limits.Cpu().String() != test.wantLimit || pod.Annotations[limitRangerAnnotation] != test.told {
				t.Errorf("request %s, limit %s, told %q", r.Requests.Cpu(), r.Limits.Cpu(), pod.Annotations[limitRangerAnnotation])
			}
			got := ""
			if err := plugin.Validate(t.Context(), a); err != nil {
				got = err.Error()
			}
			want := test.refused
			if want != "" {
				want = `pods "p" is forbidden: ` + want
			}
			if got != want {
				t.Errorf("refused with %q, want %q", got, want)
			}
		})
	}
}
