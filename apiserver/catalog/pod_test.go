package catalog

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/fields"
	"sigs.k8s.io/yaml"
)

func TestPodsAreGivenTimeToEnd(t *testing.T) {
	for name, c := range map[string]struct {
		node  string
		phase corev1.PodPhase
		own   *int64
		asked *int64
		want  int64
	}{
		"as long as the pod says":                    {node: "n", own: new(int64(30)), want: 30},
		"as long as the client asks for":             {node: "n", own: new(int64(30)), asked: new(int64(5)), want: 5},
		"at once when the client says so":            {node: "n", own: new(int64(30)), asked: new(int64(0)), want: 0},
		"at once when it runs nowhere":               {own: new(int64(30)), want: 0},
		"at once when it has failed":                 {node: "n", phase: corev1.PodFailed, own: new(int64(30)), want: 0},
		"at once when it is done":                    {node: "n", phase: corev1.PodSucceeded, asked: new(int64(9)), want: 0},
		"a second, when less than nothing":           {node: "n", own: new(int64(-30)), want: 1},
		"a second, when less than nothing is wanted": {node: "n", own: new(int64(30)), asked: new(int64(-1)), want: 1},
		"no time where none is said":                 {node: "n", want: 0},
	} {
		t.Run(name, func(t *testing.T) {
			p := &corev1.Pod{
				Spec:   corev1.PodSpec{NodeName: c.node, TerminationGracePeriodSeconds: c.own},
				Status: corev1.PodStatus{Phase: c.phase},
			}
			if got := podKind().Strategy.GracePeriod(p, c.asked); got != c.want {
				t.Errorf("%d seconds, want %d", got, c.want)
			}
		})
	}
}

func TestPodsAreClassedByWhatTheyAskFor(t *testing.T) {
	of := func(requests, limits string) corev1.Container {
		list := func(text string) corev1.ResourceList {
			l := corev1.ResourceList{}
			for part := range strings.FieldsSeq(text) {
				name, amount, _ := strings.Cut(part, "=")
				l[corev1.ResourceName(name)] = resource.MustParse(amount)
			}
			return l
		}
		return corev1.Container{Resources: corev1.ResourceRequirements{Requests: list(requests), Limits: list(limits)}}
	}
	for name, c := range map[string]struct {
		spec corev1.PodSpec
		want corev1.PodQOSClass
	}{
		"nothing asked for": {corev1.PodSpec{Containers: []corev1.Container{of("", "")}}, corev1.PodQOSBestEffort},
		"as much as it may have": {
			corev1.PodSpec{Containers: []corev1.Container{of("cpu=1 memory=1Gi", "cpu=1000m memory=1024Mi")}}, corev1.PodQOSGuaranteed,
		},
		"less than it may have": {
			corev1.PodSpec{Containers: []corev1.Container{of("cpu=1 memory=1Gi", "cpu=2 memory=1Gi")}}, corev1.PodQOSBurstable,
		},
		"memory without limits": {
			corev1.PodSpec{Containers: []corev1.Container{of("cpu=1", "cpu=1")}}, corev1.PodQOSBurstable,
		},
		"one container of two": {
			corev1.PodSpec{Containers: []corev1.Container{of("cpu=1 memory=1Gi", "cpu=1 memory=1Gi"), of("", "")}}, corev1.PodQOSBurstable,
		},
		"an init container counts": {
			corev1.PodSpec{
				InitContainers: []corev1.Container{of("", "")},
				Containers:     []corev1.Container{of("cpu=1 memory=1Gi", "cpu=1 memory=1Gi")},
			}, corev1.PodQOSBurstable,
		},
		"other resources do not": {
			corev1.PodSpec{Containers: []corev1.Container{of("example.com/gpu=1", "example.com/gpu=1")}}, corev1.PodQOSBestEffort,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := qosClass(&c.spec); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestImagesWithoutAVersionArePulledEachTime(t *testing.T) {
	for image, want := range map[string]corev1.PullPolicy{
		"nginx": corev1.PullAlways, "nginx:latest": corev1.PullAlways, "nginx:1.27": corev1.PullIfNotPresent,
		"registry.example.com:5000/nginx":                                               corev1.PullAlways,
		"nginx@sha256:2b7412e6465c3c7fc5bb21d3e6f1917c167358449fecac8176c6e496e5c1f05f": corev1.PullIfNotPresent,
	} {
		p := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: image}}}}
		setDefaults(podKind(), p)
		if got := p.Spec.Containers[0].ImagePullPolicy; got != want {
			t.Errorf("%s: %s, want %s", image, got, want)
		}
	}
}

// An image with a tag is told without taking its name apart, which may not make a difference.
func TestATagDecidesWithoutTheGrammar(t *testing.T) {
	byGrammar := func(image string) corev1.PullPolicy {
		if m := imageReference.FindStringSubmatch(image); m != nil && (m[1] == "latest" || m[1] == "" && m[2] == "") && !isHexID(image) {
			return corev1.PullAlways
		}
		return corev1.PullIfNotPresent
	}
	const digest = "@sha256:2b7412e6465c3c7fc5bb21d3e6f1917c167358449fecac8176c6e496e5c1f05f"
	parts := []string{"", "a", "/", ":", "latest", "1.2", "@", "host:5000/", "[::1]:5000/", "[::1]", digest, digest[1:], " ", "A", "late"}
	for _, a := range parts {
		for _, b := range parts {
			for _, c := range parts {
				for _, d := range parts {
					if image := a + b + c + d; pullPolicyFor(image) != byGrammar(image) {
						t.Fatalf("%s: %s, by the grammar %s", image, pullPolicyFor(image), byGrammar(image))
					}
				}
			}
		}
	}
}

func TestLimitsAreRequested(t *testing.T) {
	one := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}
	for name, c := range map[string]struct{ limits, want corev1.ResourceList }{
		"none":  {},
		"empty": {limits: corev1.ResourceList{}, want: corev1.ResourceList{}},
		"some":  {limits: one, want: one},
	} {
		p := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{Limits: c.limits}}}}}
		setDefaults(podKind(), p)
		if diff := cmp.Diff(c.want, p.Spec.Containers[0].Resources.Requests); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestObjectsAreSelectedByTheirFields(t *testing.T) {
	kinds := map[string]*Kind{}
	for _, k := range coreKinds() {
		kinds[k.Resource] = k
	}
	for _, c := range []struct{ resource, object, matching, other string }{
		{"pods", `{"spec":{"nodeName":"n","hostNetwork":true},"status":{"phase":"Running","podIPs":[{"ip":"10.0.0.1"}]}}`,
			"spec.nodeName=n,spec.hostNetwork=true,status.phase!=Failed,status.podIP=10.0.0.1", "spec.nodeName="},
		{"secrets", `{"type":"Opaque"}`, "type=Opaque", "type=kubernetes.io/tls"},
		{"nodes", `{"spec":{"unschedulable":true}}`, "spec.unschedulable=true", "spec.unschedulable=false"},
		{"namespaces", `{"status":{"phase":"Active"}}`, "status.phase=Active", "status.phase=Terminating"},
		{"services", `{"spec":{"clusterIP":"None","type":"ClusterIP"}}`, "spec.clusterIP=None,spec.type=ClusterIP", "spec.type=NodePort"},
		{"replicationcontrollers", `{"status":{"replicas":2}}`, "status.replicas=2", "status.replicas=0"},
		{"events", `{"involvedObject":{"kind":"Pod","name":"web","uid":"u"},"type":"Warning","source":{"component":"kubelet"}}`,
			"involvedObject.kind=Pod,involvedObject.name=web,involvedObject.uid=u,type=Warning,source=kubelet", "reason=Started"},
		{"events", `{"reportingComponent":"scheduler"}`, "source=scheduler,reportingComponent=scheduler", "source="},
	} {
		k := kinds[c.resource]
		set := k.Fields(decode(t, k, []byte(c.object)))
		if !fields.ParseSelectorOrDie(c.matching).Matches(set) {
			t.Errorf("%s %s is not selected by %s: %v", c.resource, c.object, c.matching, set)
		}
		if fields.ParseSelectorOrDie(c.other).Matches(set) {
			t.Errorf("%s %s is selected by %s: %v", c.resource, c.object, c.other, set)
		}
	}
}

// A secret's value is in its data and nowhere else: no error, warning, cell or field repeats it.
func TestValuesOfSecretsAreNotRepeated(t *testing.T) {
	const value = "hunter2-and-more"
	k := secretKind()
	for _, typ := range []corev1.SecretType{
		"", corev1.SecretTypeBasicAuth, corev1.SecretTypeBootstrapToken, corev1.SecretTypeDockercfg, corev1.SecretTypeDockerConfigJson,
		corev1.SecretTypeOpaque, corev1.SecretTypeSSHAuth, corev1.SecretTypeServiceAccountToken, corev1.SecretTypeTLS,
	} {
		data := map[string][]byte{"..": []byte(value), "a b": []byte(value)}
		for _, key := range []string{
			corev1.DockerConfigKey, corev1.DockerConfigJsonKey, corev1.TLSCertKey, corev1.TLSPrivateKeyKey, corev1.SSHAuthPrivateKey,
		} {
			data[key] = []byte(value)
		}
		secret := &corev1.Secret{Type: typ, Data: data, Immutable: new(true)}
		secret.Name, secret.Namespace = "s", "default"
		old := secret.DeepCopy()
		old.Data = map[string][]byte{"token": []byte(value)}
		said := []any{Cells(k, secret, time.Now()), k.Fields(secret), k.Strategy.Warnings(secret, old)}
		for _, e := range append(create(k, secret.DeepCopy()), update(k, "", secret.DeepCopy(), old)...) {
			said = append(said, e.Error(), e.BadValue)
		}
		all, err := json.Marshal(said)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{value, "hunter2", base64.StdEncoding.EncodeToString([]byte(value))} {
			if strings.Contains(string(all), form) {
				t.Errorf("%q: %s", typ, all)
			}
		}
	}
}

func FuzzPod(f *testing.F) {
	b, err := os.ReadFile("testdata/create/pods.yaml")
	if err != nil {
		f.Fatal(err)
	}
	var cases []recorded
	if err := yaml.Unmarshal(b, &cases); err != nil {
		f.Fatal(err)
	}
	for _, c := range cases {
		f.Add([]byte(c.Given))
	}
	k := podKind()
	old := &corev1.Pod{}
	if err := json.Unmarshal(cases[1].Given, old); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p := &corev1.Pod{}
		if json.Unmarshal(b, p) != nil {
			return
		}
		p.ManagedFields = nil
		exercise(t, k, p.DeepCopy(), old.DeepCopy())
		exercise(t, k, old.DeepCopy(), p.DeepCopy())
		exercise(t, k, p.DeepCopy(), p.DeepCopy())
		// What is stored stays as it is when it is read and written again.
		create(k, p)
		once, _ := json.Marshal(p)
		setDefaults(k, p)
		if twice, _ := json.Marshal(p); string(once) != string(twice) {
			t.Errorf("defaults of what has defaults:\n%s\n%s", once, twice)
		}
	})
}

func BenchmarkCreatePod(b *testing.B) {
	data, err := os.ReadFile("testdata/create/pods.yaml")
	if err != nil {
		b.Fatal(err)
	}
	var cases []recorded
	if err := yaml.Unmarshal(data, &cases); err != nil {
		b.Fatal(err)
	}
	k := podKind()
	for name, c := range map[string]recorded{"least": cases[0], "rich": cases[1]} {
		pod := decode(b, k, c.Given)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if errs := create(k, pod.DeepCopyObject()); len(errs) > 0 {
					b.Fatal(errs)
				}
			}
		})
	}
}

func BenchmarkPrintPod(b *testing.B) {
	p := &corev1.Pod{
		Spec: corev1.PodSpec{Containers: make([]corev1.Container, 2)},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{
			{Name: "a", Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
			{Name: "b", RestartCount: 3, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}},
		}},
	}
	k, now := podKind(), time.Now()
	for b.Loop() {
		Cells(k, p, now)
	}
}
