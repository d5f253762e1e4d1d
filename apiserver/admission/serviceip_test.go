package admission_test

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coracle/apiserver/admission"
	"coracle/apiserver/catalog"
)

type services []*corev1.Service

func (s services) Services() []*corev1.Service { return s }

func TestServiceIP(t *testing.T) {
	other := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "other"}}
	other.Spec.ClusterIP, other.Spec.HealthCheckNodePort = "10.96.0.2", 30000
	ports := []corev1.ServicePort{{Port: 80}}
	for _, test := range []struct {
		name   string
		spec   corev1.ServiceSpec
		dryRun bool
		want   string // the sentence of the refusal
		health int32
	}{
		{name: "an address is given", spec: corev1.ServiceSpec{}},
		{name: "a load balancer that keeps traffic on its nodes asks at the next free port", health: 30001,
			spec: corev1.ServiceSpec{Type: corev1.ServiceTypeLoadBalancer, ExternalTrafficPolicy: corev1.ServiceExternalTrafficPolicyLocal,
				AllocateLoadBalancerNodePorts: new(false)}},
		{name: "an address of another network", spec: corev1.ServiceSpec{ClusterIP: "1.2.3.4"},
			want: `Service "s" is invalid: spec.clusterIPs: Invalid value: ["1.2.3.4"]: failed to allocate IP 1.2.3.4: the provided network does not match the current range`},
		{name: "the same, in a dry run", dryRun: true, spec: corev1.ServiceSpec{ClusterIP: "1.2.3.4"},
			want: `Service "s" is invalid: spec.clusterIPs: Invalid value: ["1.2.3.4"]: failed to allocate IP 1.2.3.4: the provided IP (1.2.3.4) is not in the valid range. The range of valid IPs is 10.96.0.0/16`},
		{name: "somebody's address", spec: corev1.ServiceSpec{ClusterIP: "10.96.0.2"},
			want: `Service "s" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.2"]: failed to allocate IP 10.96.0.2: provided IP is already allocated`},
		{name: "no address", spec: corev1.ServiceSpec{ClusterIP: "x"},
			want: `Service "s" is invalid: spec.clusterIPs[0]: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)`},
		{name: "two that do not go together", spec: corev1.ServiceSpec{ClusterIP: "10.96.5.5", ClusterIPs: []string{"10.96.5.6"}},
			want: "Service \"s\" is invalid: spec.clusterIPs: Invalid value: [\"10.96.5.6\"]: first value must match `clusterIP`"},
		{name: "a family that there is not", spec: corev1.ServiceSpec{IPFamilies: []corev1.IPFamily{corev1.IPv6Protocol}},
			want: `Service "s" is invalid: spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster`},
		{name: "both families", spec: corev1.ServiceSpec{IPFamilyPolicy: new(corev1.IPFamilyPolicyRequireDualStack)},
			want: `Service "s" is invalid: spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services`},
		{name: "both families, and the one that there is not",
			spec: corev1.ServiceSpec{IPFamilyPolicy: new(corev1.IPFamilyPolicyRequireDualStack), IPFamilies: []corev1.IPFamily{corev1.IPv6Protocol}},
			want: `Service "s" is invalid: [spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services, spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster]`},
		{name: "two families of one", spec: corev1.ServiceSpec{
			IPFamilyPolicy: new(corev1.IPFamilyPolicySingleStack), IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}},
			want: `Service "s" is invalid: spec.ipFamilyPolicy: Invalid value: "SingleStack": must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified`},
		{name: "a node port out of range", spec: corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, Ports: []corev1.ServicePort{{NodePort: 5}}},
			want: `Service "s" is invalid: spec.ports[0].nodePort: Invalid value: 5: provided port is not in the valid range. The range of valid ports is 30000-32767`},
		{name: "which a dry run does not look at", dryRun: true, spec: corev1.ServiceSpec{Type: corev1.ServiceTypeNodePort, Ports: []corev1.ServicePort{{NodePort: 5}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "s"}, Spec: test.spec}
			if svc.Spec.Ports == nil {
				svc.Spec.Ports = ports
			}
			p := &admission.ServiceIP{Services: services{other}, Range: netip.MustParsePrefix("10.96.0.0/16")}
			err := p.Mutate(t.Context(), &admission.Attributes{
				Operation: admission.Create, Kind: &catalog.Kind{Resource: "services"}, Object: svc, DryRun: test.dryRun,
			})
			said := ""
			if err != nil {
				said = err.Error()
			}
			if diff := cmp.Diff(test.want, said); diff != "" {
				t.Fatal(diff)
			}
			if err == nil && svc.Spec.ClusterIP != "10.96.0.3" {
				t.Errorf("given the address %q, 10.96.0.3 is the first that is free", svc.Spec.ClusterIP)
			}
			if svc.Spec.HealthCheckNodePort != test.health {
				t.Errorf("given the port %d for health checks, want %d", svc.Spec.HealthCheckNodePort, test.health)
			}
		})
	}
}

// What generated requests have found (seeds 51, 61 and 71 of the oracle).
func TestServiceIP_Families(t *testing.T) {
	const v4, v6 = corev1.IPv4Protocol, corev1.IPv6Protocol
	single, both, prefer := corev1.IPFamilyPolicySingleStack, corev1.IPFamilyPolicyRequireDualStack, corev1.IPFamilyPolicyPreferDualStack
	selector := map[string]string{"app": "a"}
	given := corev1.ServiceSpec{ClusterIP: "10.96.0.7", ClusterIPs: []string{"10.96.0.7"}, IPFamilies: []corev1.IPFamily{v4}, IPFamilyPolicy: &single, Selector: selector}
	for _, test := range []struct {
		name     string
		old      *corev1.ServiceSpec
		spec     corev1.ServiceSpec
		policy   corev1.IPFamilyPolicy
		families []corev1.IPFamily
		ips      []string
	}{
		{name: "any", spec: corev1.ServiceSpec{Selector: selector}, policy: single, families: []corev1.IPFamily{v4}, ips: []string{"10.96.0.2"}},
		{name: "headless", spec: corev1.ServiceSpec{ClusterIP: "None", Selector: selector}, policy: single, families: []corev1.IPFamily{v4}, ips: []string{"None"}},
		{name: "headless, and nobody selected", spec: corev1.ServiceSpec{ClusterIP: "None"}, policy: both, families: []corev1.IPFamily{v4, v6}, ips: []string{"None"}},
		{name: "the same, of the other family", spec: corev1.ServiceSpec{ClusterIP: "None", IPFamilies: []corev1.IPFamily{v6}}, policy: both,
			families: []corev1.IPFamily{v6, v4}, ips: []string{"None"}},
		{name: "both if it can be", spec: corev1.ServiceSpec{IPFamilyPolicy: &prefer, Selector: selector}, policy: prefer, families: []corev1.IPFamily{v4}, ips: []string{"10.96.0.2"}},
		{name: "an update that says nothing of it", old: &given, spec: corev1.ServiceSpec{Selector: selector}, policy: single, families: []corev1.IPFamily{v4}, ips: []string{"10.96.0.7"}},
		{name: "an address that is taken away, of which validation will say that it may not be", old: &given,
			spec:   corev1.ServiceSpec{ClusterIP: "None", ClusterIPs: []string{"10.96.0.7"}, IPFamilies: []corev1.IPFamily{v4}, Selector: selector},
			policy: single, families: []corev1.IPFamily{v4}, ips: []string{"None"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			named := metav1.ObjectMeta{Namespace: "n", Name: "s"}
			svc := &corev1.Service{ObjectMeta: named, Spec: test.spec}
			a := &admission.Attributes{Operation: admission.Create, Kind: &catalog.Kind{Resource: "services"}, Object: svc}
			if test.old != nil {
				a.Operation, a.Old = admission.Update, &corev1.Service{ObjectMeta: named, Spec: *test.old}
			}
			if err := (&admission.ServiceIP{Services: services{}, Range: netip.MustParsePrefix("10.96.0.0/16")}).Mutate(t.Context(), a); err != nil {
				t.Fatal(err)
			}
			want := []any{test.policy, test.families, test.ips}
			if diff := cmp.Diff(want, []any{*svc.Spec.IPFamilyPolicy, svc.Spec.IPFamilies, svc.Spec.ClusterIPs}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestServiceIP_IsForWhatHasAName(t *testing.T) {
	svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "n"}}
	p := &admission.ServiceIP{Services: services{}, Range: netip.MustParsePrefix("10.96.0.0/16")}
	err := p.Mutate(t.Context(), &admission.Attributes{Operation: admission.Create, Kind: &catalog.Kind{Resource: "services"}, Object: svc})
	const want = `Service "" is invalid: spec.clusterIPs: Invalid value: [""]: failed to allocate IP: IPAddress.networking.k8s.io "10.96.0.2" is invalid: spec.parentRef.name: Required value`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

func TestANamespaceAsksForSecurityThatThereIs(t *testing.T) {
	const label = "pod-security.kubernetes.io/enforce"
	namespace := func(level, version string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "n", Labels: map[string]string{label: level, label + "-version": version}}}
	}
	for _, test := range []struct {
		name     string
		old, now *corev1.Namespace
		want     string
	}{
		{"what there is", nil, namespace("baseline", "v1.30"), ""},
		{"a level that there is not", nil, namespace("everything", "latest"),
			`Namespace "n" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "everything": must be one of privileged, baseline, restricted`},
		{"a version that there is not", namespace("baseline", "v1.1"), namespace("baseline", "v9"),
			`Namespace "n" is invalid: metadata.labels[pod-security.kubernetes.io/enforce-version]: Invalid value: "v9": must be "latest" or "v1.x"`},
		{"what was wrong before may stay", namespace("x", "v1.1"), namespace("x", "v1.1"), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := &admission.Attributes{Operation: admission.Create, Kind: &catalog.Kind{Resource: "namespaces"}, Object: test.now}
			if test.old != nil {
				a.Operation, a.Old = admission.Update, test.old
			}
			said := ""
			if err := (admission.PodSecurityLabels{}).Validate(t.Context(), a); err != nil {
				said = err.Error()
			}
			if diff := cmp.Diff(test.want, said); diff != "" {
				t.Error(diff)
			}
		})
	}
}
