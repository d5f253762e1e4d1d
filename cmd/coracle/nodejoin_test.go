package main

import (
	"bytes"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

func TestNodeJoin_Refuses(t *testing.T) {
	const token = "--token=07401b.f395accd246ae52d"
	hash := "--discovery-token-ca-cert-hash=sha256:" + strings.Repeat("ab", 32)
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"a cluster without a port":   {[]string{"192.0.2.1", token, hash}, `"192.0.2.1" is no HOST:PORT, such as 192.0.2.1:6443`},
		"a URL":                      {[]string{"https://192.0.2.1:6443", token, hash}, `is no HOST:PORT`},
		"a host and a path":          {[]string{"192.0.2.1:6443/x?", token, hash}, `is no HOST:PORT`},
		"no token":                   {[]string{"192.0.2.1:6443", hash}, "--token: the bootstrap token is not of the form"},
		"a token of no form":         {[]string{"192.0.2.1:6443", "--token=F395accd246ae52d", hash}, "--token: the bootstrap token is not of the form"},
		"no hash":                    {[]string{"192.0.2.1:6443", token}, "without --discovery-token-ca-cert-hash whoever knows the token could pretend to be the cluster"},
		"a hash of another kind":     {[]string{"192.0.2.1:6443", token, "--discovery-token-ca-cert-hash=md5:ab"}, `--discovery-token-ca-cert-hash: unknown hash format "md5"`},
		"a hash, and doing without":  {[]string{"192.0.2.1:6443", token, hash, "--discovery-token-unsafe-skip-ca-verification"}, "exclude each other"},
		"no cluster":                 {[]string{token, hash}, "HOST:PORT of the cluster is missing"},
		"a name that leads away":     {[]string{"--node-name=../../etc"}, `--node-name "../../etc" is no name of a node`},
		"an address that is none":    {[]string{"--node-name=a", "--node-ip=here"}, `--node-ip "here" is no IP address`},
		"a network that is none":     {[]string{"--node-name=a", "--pod-cidr=10.0.0.1"}, `--pod-cidr "10.0.0.1" is no network`},
		"a level that nobody knows":  {[]string{"--log-level=loud"}, `--log-level "loud" is not known`},
		"a node that has not joined": {[]string{"--node-name=a"}, "a has not joined yet, or its certificate is over: say HOST:PORT, --token and --discovery-token-ca-cert-hash"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := root("1.2.3", "coracle")
			cmd.SetOut(&bytes.Buffer{})
			cmd.SetErr(&bytes.Buffer{})
			cmd.SetArgs(append([]string{"node", "join", "--data-dir", t.TempDir()}, test.args...))
			err := cmd.ExecuteContext(t.Context())
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "395accd") {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

func TestJoining_Free(t *testing.T) {
	node := func(ready corev1.ConditionStatus) *corev1.Node {
		return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "worker"}, Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready}}}}
	}
	resource := schema.GroupResource{Resource: "nodes"}
	for name, test := range map[string]struct {
		there  []runtime.Object
		answer error
		want   string
	}{
		"no such node":                 {},
		"a node that is down":          {there: []runtime.Object{node(corev1.ConditionUnknown)}},
		"a node that is up":            {there: []runtime.Object{node(corev1.ConditionTrue)}, want: `a Node with name "worker" and status "Ready" already exists in the cluster`},
		"a token that may not look":    {answer: apierrors.NewForbidden(resource, "worker", nil)},
		"a token that is not let in":   {answer: apierrors.NewUnauthorized("Unauthorized"), want: "the cluster does not let the token in: it is for signing alone, or over"},
		"a server that is out of sort": {answer: apierrors.NewInternalError(bytes.ErrTooLarge), want: `cannot get Node "worker"`},
	} {
		t.Run(name, func(t *testing.T) {
			client := fake.NewClientset(test.there...)
			if test.answer != nil {
				client.PrependReactor("get", "nodes", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, test.answer })
			}
			err := (&joining{name: "worker"}).free(t.Context(), client)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}
