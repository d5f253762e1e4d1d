package env

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/kubelet-sim/downward"
)

type sources struct{}

func (sources) Secret(_ context.Context, _, name string) (*corev1.Secret, error) {
	if name != "creds" {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "secret"}, name)
	}
	return &corev1.Secret{Data: map[string][]byte{"user": []byte("ann"), "pass": []byte("s3cret")}}, nil
}

func (sources) ConfigMap(_ context.Context, _, name string) (*corev1.ConfigMap, error) {
	if name != "settings" {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "configmap"}, name)
	}
	return &corev1.ConfigMap{Data: map[string]string{"level": "debug", "user": "bob"}}, nil
}

func TestBuild(t *testing.T) {
	local := func(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }
	fromSecret := func(name, key string, optional *bool) corev1.EnvVar {
		return corev1.EnvVar{Name: "V", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: local(name), Key: key, Optional: optional}}}
	}
	fromConfigMap := func(name, key string, optional *bool) corev1.EnvVar {
		return corev1.EnvVar{Name: "V", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: local(name), Key: key, Optional: optional}}}
	}
	secretRef := func(name string, optional *bool) corev1.EnvFromSource {
		return corev1.EnvFromSource{Prefix: "P_", SecretRef: &corev1.SecretEnvSource{LocalObjectReference: local(name), Optional: optional}}
	}
	configMapRef := func(name string, optional *bool) corev1.EnvFromSource {
		return corev1.EnvFromSource{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: local(name), Optional: optional}}
	}
	services := Env{"DNS_SERVICE_HOST": "10.96.0.10", "user": "service"}
	for _, test := range []struct {
		name string
		from []corev1.EnvFromSource
		env  []corev1.EnvVar
		want Env // besides the services
		err  string
	}{
		{name: "nothing declared", want: Env{}},
		{name: "plain and empty values", env: []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "B"}}, want: Env{"A": "1", "B": ""}},
		{name: "references to earlier variables and services",
			env:  []corev1.EnvVar{{Name: "B", Value: "$(A)"}, {Name: "A", Value: "1"}, {Name: "C", Value: "$(A)$$(A)@$(DNS_SERVICE_HOST)"}},
			want: Env{"A": "1", "B": "$(A)", "C": "1$(A)@10.96.0.10"}},
		{name: "a declared variable hides a service's", env: []corev1.EnvVar{{Name: "user", Value: "me"}}, want: Env{"user": "me"}},
		{name: "a key of a Secret", env: []corev1.EnvVar{fromSecret("creds", "pass", nil)}, want: Env{"V": "s3cret"}},
		{name: "a key of a ConfigMap", env: []corev1.EnvVar{fromConfigMap("settings", "level", nil)}, want: Env{"V": "debug"}},
		{name: "a field", env: []corev1.EnvVar{{Name: "V", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}}}}, want: Env{"V": "10.244.0.9"}},
		{name: "a resource", env: []corev1.EnvVar{{Name: "V", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "requests.cpu"}}}}, want: Env{"V": "0"}},
		{name: "all keys, with a prefix, later ones winning", from: []corev1.EnvFromSource{configMapRef("settings", nil), secretRef("creds", nil)},
			want: Env{"level": "debug", "user": "bob", "P_user": "ann", "P_pass": "s3cret"}},
		{name: "env wins over envFrom", from: []corev1.EnvFromSource{configMapRef("settings", nil)}, env: []corev1.EnvVar{{Name: "level", Value: "info"}},
			want: Env{"level": "info", "user": "bob"}},
		{name: "optional and missing is left out", from: []corev1.EnvFromSource{configMapRef("none", new(true)), secretRef("none", new(true))},
			env: []corev1.EnvVar{fromSecret("none", "k", new(true)), fromConfigMap("none", "k", new(true)), fromSecret("creds", "none", new(true)), fromConfigMap("settings", "none", new(true))}, want: Env{}},
		{name: "a missing Secret", env: []corev1.EnvVar{fromSecret("none", "k", nil)}, err: `secret "none" not found`},
		{name: "a missing ConfigMap", from: []corev1.EnvFromSource{configMapRef("none", nil)}, err: `configmap "none" not found`},
		{name: "a missing key of a Secret", env: []corev1.EnvVar{fromSecret("creds", "none", nil)}, err: "couldn't find key none in Secret blue/creds"},
		{name: "a missing key of a ConfigMap", env: []corev1.EnvVar{fromConfigMap("settings", "none", new(false))}, err: "couldn't find key none in ConfigMap blue/settings"},
		{name: "a source that is not simulated", env: []corev1.EnvVar{{Name: "V", ValueFrom: &corev1.EnvVarSource{}}}, err: "this kind of environment variable source is not simulated"},
	} {
		t.Run(test.name, func(t *testing.T) {
			container := corev1.Container{Name: "web", EnvFrom: test.from, Env: test.env}
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "blue"}, Spec: corev1.PodSpec{Containers: []corev1.Container{container}}}
			got, err := Build(t.Context(), pod, &container, downward.Node{PodIP: "10.244.0.9"}, services, sources{})
			if err != nil || test.err != "" {
				if err == nil || err.Error() != test.err {
					t.Fatalf("error %v, want %s", err, test.err)
				}
				return
			}
			want := Env{}
			for name, value := range services {
				want[name] = value
			}
			for name, value := range test.want {
				want[name] = value
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("environment (-want +got):\n%s", diff)
			}
		})
	}
}

func TestExpand(t *testing.T) {
	lookup := func(name string) (string, bool) {
		value, ok := map[string]string{"A": "one", "B": "$(A)", "E": ""}[name]
		return value, ok
	}
	for in, want := range map[string]string{
		"":             "",
		"plain":        "plain",
		"$(A)":         "one",
		"x$(A)y$(A)z":  "xoneyonez",
		"$(B)":         "$(A)", // once only
		"$(E)":         "",
		"$(NONE)":      "$(NONE)",
		"$$(A)":        "$(A)",
		"$$$(A)":       "$one",
		"$$$$(A)":      "$$(A)",
		"$":            "$",
		"a$":           "a$",
		"$A ${A} $é":   "$A ${A} $é",
		"$(A":          "$(A",
		"$($(A)":       "$($(A)",
		"$()":          "$()",
		"costs $5 $(A": "costs $5 $(A",
	} {
		if got := Expand(in, lookup); got != want {
			t.Errorf("Expand(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestEnv_SubPath(t *testing.T) {
	env := Env{"POD": "web-0", "EMPTY": ""}
	if got, err := env.SubPath("logs/$(POD)"); got != "logs/web-0" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := env.SubPath("$(B)/$(A)/$(B)/$(EMPTY)"); err == nil || err.Error() != "missing value for A, B, EMPTY" {
		t.Errorf("error %v", err)
	}
}

func TestServices(t *testing.T) {
	service := func(name, ip string, ports ...corev1.ServicePort) corev1.Service {
		return corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.ServiceSpec{ClusterIP: ip, Ports: ports}}
	}
	got := Services([]corev1.Service{
		service("my-db", "10.96.0.7", corev1.ServicePort{Name: "main", Port: 5432}, corev1.ServicePort{Name: "m-x", Port: 53, Protocol: corev1.ProtocolUDP}),
		service("headless", corev1.ClusterIPNone, corev1.ServicePort{Port: 1}),
		service("external", "", corev1.ServicePort{Port: 1}),
		service("six", "fd00::1", corev1.ServicePort{Port: 80}),
	})
	want := Env{
		"MY_DB_SERVICE_HOST": "10.96.0.7", "MY_DB_SERVICE_PORT": "5432", "MY_DB_SERVICE_PORT_MAIN": "5432", "MY_DB_SERVICE_PORT_M_X": "53",
		"MY_DB_PORT": "tcp://10.96.0.7:5432", "MY_DB_PORT_5432_TCP": "tcp://10.96.0.7:5432", "MY_DB_PORT_5432_TCP_PROTO": "tcp",
		"MY_DB_PORT_5432_TCP_PORT": "5432", "MY_DB_PORT_5432_TCP_ADDR": "10.96.0.7",
		"MY_DB_PORT_53_UDP": "udp://10.96.0.7:53", "MY_DB_PORT_53_UDP_PROTO": "udp", "MY_DB_PORT_53_UDP_PORT": "53", "MY_DB_PORT_53_UDP_ADDR": "10.96.0.7",
		"SIX_SERVICE_HOST": "fd00::1", "SIX_SERVICE_PORT": "80", "SIX_PORT": "tcp://[fd00::1]:80", "SIX_PORT_80_TCP": "tcp://[fd00::1]:80",
		"SIX_PORT_80_TCP_PROTO": "tcp", "SIX_PORT_80_TCP_PORT": "80", "SIX_PORT_80_TCP_ADDR": "fd00::1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("variables (-want +got):\n%s", diff)
	}
}

func FuzzExpand(f *testing.F) {
	f.Add("$(A)$$(B")
	f.Fuzz(func(t *testing.T, s string) {
		// Whatever is escaped comes back as it was.
		escaped := strings.ReplaceAll(s, "$", "$$")
		if got := Expand(escaped, func(string) (string, bool) { return "replaced", true }); got != s {
			t.Errorf("%q escaped came back as %q", s, got)
		}
	})
}
