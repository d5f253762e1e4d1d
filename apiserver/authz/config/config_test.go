package config

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/apiserver/authz"
	"coracle/apiserver/authz/node"
	"coracle/rbac"
)

func parts() Parts {
	policy := rbac.NewPolicy()
	policy.Apply(
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "r"}, Rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}},
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "b"}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "r"}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "ann"}}},
	)
	return Parts{RBAC: policy, Node: node.Authorizer{Graph: node.NewGraph()}, Now: time.Now}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// kubeconfig of a service that allows all and counts how often it is asked.
func service(t *testing.T, asked *int) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked++
		var review authorizationv1.SubjectAccessReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			t.Error(err)
		}
		review.Status = authorizationv1.SubjectAccessReviewStatus{Allowed: true, Reason: "the service says so"}
		if err := json.NewEncoder(w).Encode(review); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	return write(t, "kubeconfig", `{"apiVersion":"v1","kind":"Config","current-context":"c","contexts":[{"name":"c","context":{"cluster":"s","user":"u"}}],
		"clusters":[{"name":"s","cluster":{"server":"`+server.URL+`"}}],"users":[{"name":"u","user":{}}]}`)
}

func names(l *Live) []string {
	var names []string
	for _, a := range *l.current.Load() {
		names = append(names, a.Name())
	}
	return names
}

func TestNew_Flags(t *testing.T) {
	asked := 0
	kubeconfig, policy := service(t, &asked), write(t, "policy.jsonl", "")
	for _, c := range []struct {
		name   string
		change func(*Flags)
		want   []string
		err    string
	}{
		{"the defaults", func(*Flags) {}, []string{"kubernetes.io/system-privileged-group", "node", "rbac"}, ""},
		{"order counts", func(f *Flags) { f.Modes = []string{"RBAC", "AlwaysDeny", "Node"} }, []string{"kubernetes.io/system-privileged-group", "rbac", "alwaysdeny", "node"}, ""},
		{"all of them", func(f *Flags) {
			f.Modes, f.PolicyFile, f.WebhookConfigFile = []string{"ABAC", "Webhook", "AlwaysAllow"}, policy, kubeconfig
		}, []string{"kubernetes.io/system-privileged-group", "abac", "default", "alwaysallow"}, ""},
		{"none", func(f *Flags) { f.Modes = nil }, nil, "configure authorization: at least one authorization-mode must be passed"},
		{"an unknown mode", func(f *Flags) { f.Modes = []string{"rbac"} }, nil, `configure authorization: authorization-mode "rbac" is not a valid mode`},
		{"a mode twice", func(f *Flags) { f.Modes = []string{"RBAC", "RBAC"} }, nil, `configure authorization: authorization-mode ["RBAC" "RBAC"] has mode specified more than once`},
		{"ABAC without a file", func(f *Flags) { f.Modes = []string{"ABAC"} }, nil, "configure authorization: authorization-mode ABAC's authorization policy file not passed"},
		{"a file without ABAC", func(f *Flags) { f.PolicyFile = policy }, nil, "configure authorization: cannot specify --authorization-policy-file without mode ABAC"},
		{"a webhook without a file", func(f *Flags) { f.Modes = []string{"Webhook"} }, nil, "configure authorization: authorization-mode Webhook's authorization config file not passed"},
		{"a file without a webhook", func(f *Flags) { f.WebhookConfigFile = kubeconfig }, nil, "configure authorization: cannot specify --authorization-webhook-config-file without mode Webhook"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := DefaultFlags()
			c.change(&f)
			l, err := New(f, parts())
			message := ""
			if err != nil {
				message = err.Error()
			}
			if message != c.err {
				t.Fatalf("error is %q, want %q", message, c.err)
			}
			if err == nil {
				if diff := cmp.Diff(c.want, names(l)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

const header = "apiVersion: apiserver.config.k8s.io/v1\nkind: AuthorizationConfiguration\nauthorizers:\n"

func hook(name, kubeconfig, more string) string {
	return fmt.Sprintf(`- type: Webhook
  name: %s
  webhook:
    timeout: 3s
    subjectAccessReviewVersion: v1
    matchConditionSubjectAccessReviewVersion: v1
    failurePolicy: Deny
    connectionInfo: {type: KubeConfigFile, kubeConfigFile: %s}
%s`, name, kubeconfig, more)
}

func TestNew_File(t *testing.T) {
	asked := 0
	kubeconfig := service(t, &asked)
	for _, c := range []struct {
		name, text string
		want       []string
		err        string // part of it
	}{
		{"authorizers in their order", header + "- {type: RBAC, name: rbac}\n" + hook("second.example.com", kubeconfig, "") + hook("third", kubeconfig, "") + "- {type: Node, name: node}\n",
			[]string{"kubernetes.io/system-privileged-group", "rbac", "second.example.com", "third", "node"}, ""},
		{"none", header, nil, "authorizers: Required value: at least one authorization mode must be defined"},
		{"another name", header + "- {type: RBAC, name: mine}\n", nil, "expected name rbac for authorizer RBAC instead of mine"},
		{"a type twice", header + "- {type: RBAC, name: rbac}\n- {type: RBAC, name: rbac}\n", nil, `authorizers[1].type: Duplicate value: "RBAC"`},
		{"an unknown field", header + "- {type: RBAC, name: rbac, colour: blue}\n", nil, `unknown field "authorizers[0].colour"`},
		{"another kind", "apiVersion: v1\nkind: Pod\n", nil, `no kind "Pod" is registered for version "v1"`},
		{"a condition that does not compile", header + hook("x", kubeconfig, "    matchConditions:\n    - expression: request.usr == 'ann'\n"), nil, "undefined field 'usr'"},
		{"a condition that is no condition", header + hook("x", kubeconfig, "    matchConditions:\n    - expression: request.user\n"), nil, "must evaluate to bool"},
		{"a kubeconfig that is not there", header + hook("x", "/nowhere/kubeconfig", ""), nil, "error loading file"},
		{"a webhook in a cluster", header + strings.Replace(hook("x", "y", ""), "{type: KubeConfigFile, kubeConfigFile: y}", "{type: InClusterConfig}", 1), nil, "this server is not in a cluster"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := New(Flags{ConfigFile: write(t, "authz.yaml", c.text)}, parts())
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error is %v, want %q in it", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, names(l)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if _, err := New(Flags{ConfigFile: "/nowhere/authz.yaml"}, parts()); err == nil {
		t.Error("a file that is not there was read")
	}
}

func TestMatchConditions(t *testing.T) {
	asked := 0
	text := header + hook("hook", service(t, &asked), `    matchConditions:
    - expression: has(request.resourceAttributes)
    - expression: request.resourceAttributes.namespace == 'kube-system' && !('system:masters' in request.groups)
`)
	l, err := New(Flags{ConfigFile: write(t, "authz.yaml", text)}, parts())
	if err != nil {
		t.Fatal(err)
	}
	request := func(ns string) *rbac.Attributes {
		return &rbac.Attributes{User: &user.DefaultInfo{Name: "eve"}, Verb: "get", ResourceRequest: true, Resource: "pods", Namespace: ns}
	}
	if answer := l.Ask(t.Context(), request("blue")); answer.Allowed() || asked != 0 {
		t.Errorf("blue: %v, asked %d times", answer.Verdict, asked)
	}
	if answer := l.Ask(t.Context(), &rbac.Attributes{User: request("").User, Verb: "get", Path: "/metrics"}); answer.Allowed() || asked != 0 {
		t.Errorf("a path: %v, asked %d times", answer.Verdict, asked)
	}
	if answer := l.Ask(t.Context(), request("kube-system")); !answer.Allowed() || answer.Reason() != "the service says so" || asked != 1 {
		t.Errorf("kube-system: %v %q, asked %d times", answer.Verdict, answer.Reason(), asked)
	}
}

// A service that does not answer in time is a refusal under the policy Deny, and nothing under NoOpinion.
func TestFailurePolicy(t *testing.T) {
	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer silent.Close()
	kubeconfig := write(t, "kubeconfig", `{"apiVersion":"v1","kind":"Config","current-context":"c","contexts":[{"name":"c","context":{"cluster":"s","user":"u"}}],
		"clusters":[{"name":"s","cluster":{"server":"`+silent.URL+`"}}],"users":[{"name":"u","user":{}}]}`)
	for policy, want := range map[string]authz.Verdict{"Deny": authz.Deny, "NoOpinion": authz.NoOpinion} {
		text := strings.NewReplacer("timeout: 3s", "timeout: 50ms", "Policy: Deny", "Policy: "+policy).Replace(hook("x", kubeconfig, ""))
		l, err := New(Flags{ConfigFile: write(t, "authz.yaml", header+text)}, parts())
		if err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		answer := l.Ask(t.Context(), &rbac.Attributes{User: &user.DefaultInfo{Name: "eve"}, Verb: "get", Path: "/metrics"})
		if took := time.Since(started); took > 10*time.Second {
			t.Errorf("%s: the timeout of 50ms took %v", policy, took)
		}
		if answer.Verdict != want || answer.Err == nil || !strings.Contains(answer.Err.Error(), "Timeout") {
			t.Errorf("%s: %v (%v)", policy, answer.Verdict, answer.Err)
		}
	}
}

// buffer is a log that is written by one goroutine and read by another.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.b.Reset()
	return b.b.String()
}

func TestRun_FollowsTheFile(t *testing.T) {
	path := write(t, "authz.yaml", header+"- {type: RBAC, name: rbac}\n")
	synctest.Test(t, func(t *testing.T) {
		l, err := New(Flags{ConfigFile: path}, parts())
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var logged buffer
		ended := make(chan error)
		go func() { ended <- l.Run(ctx, slog.New(slog.NewTextHandler(&logged, nil))) }()
		synctest.Wait() // until the file as it is now was looked at

		age := time.Now()
		change := func(text string) {
			t.Helper()
			if text == "" {
				os.Remove(path)
			} else if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			} else {
				age = age.Add(time.Second)
				os.Chtimes(path, age, age)
			}
			time.Sleep(3 * reloadEvery) // of the bubble's clock
			synctest.Wait()
		}
		for _, c := range []struct {
			name, text string
			want       []string
			logged     string
		}{
			{"a comment changes nothing that counts", header + "- {type: RBAC, name: rbac} # the same\n", []string{"rbac"}, "follows the changed file"},
			{"a mistake changes nothing", header + "- {type: RBAC}\n", []string{"rbac"}, "authorizers[0].name: Required value"},
			{"no file changes nothing", "", []string{"rbac"}, "no such file"},
			{"a type of the start must stay", header + "- {type: AlwaysAllow, name: alwaysallow}\n", []string{"rbac"}, "missing required types: [RBAC]"},
			{"no type may be added", header + "- {type: RBAC, name: rbac}\n- {type: AlwaysAllow, name: alwaysallow}\n", []string{"rbac"}, "authorizer type AlwaysAllow is not allowed if it was not enabled at initial server startup"},
		} {
			change(c.text)
			lines := logged.take()
			if got := names(l)[1:]; !cmp.Equal(got, c.want) || strings.Count(lines, c.logged) != 1 {
				t.Errorf("%s: %v, logged %q", c.name, got, lines)
			}
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestRun_AddsAWebhook(t *testing.T) {
	asked := 0
	kubeconfig := service(t, &asked)
	path := write(t, "authz.yaml", header+"- {type: RBAC, name: rbac}\n")
	l, err := New(Flags{ConfigFile: path}, parts())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(header+hook("first", kubeconfig, "")+"- {type: RBAC, name: rbac}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if changed, err := l.reload(); !changed || err != nil {
		t.Fatalf("%v %v", changed, err)
	}
	if got := names(l)[1:]; !cmp.Equal(got, []string{"first", "rbac"}) {
		t.Errorf("%v", got)
	}
	if changed, err := l.reload(); changed || err != nil {
		t.Errorf("the same again: %v %v", changed, err)
	}
}

func TestRun_WithoutAFileThereIsNothingToDo(t *testing.T) {
	l, err := New(DefaultFlags(), parts())
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Run(t.Context(), slog.New(slog.NewTextHandler(io.Discard, nil))); err != nil {
		t.Error(err)
	}
}

func TestLive_Answers(t *testing.T) {
	l, err := New(DefaultFlags(), parts())
	if err != nil {
		t.Fatal(err)
	}
	get := &rbac.Attributes{User: &user.DefaultInfo{Name: "ann"}, Verb: "get", ResourceRequest: true, Resource: "pods", Namespace: "blue"}
	if answer := l.Authorize(t.Context(), get); answer.Verdict != authz.Allow || answer.Reason() != `RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "r" to User "ann"` {
		t.Errorf("%v %q", answer.Verdict, answer.Reason())
	}
	if rules := l.RulesFor(get.User, "blue"); len(rules.Resource) != 1 || rules.Incomplete {
		t.Errorf("%+v", rules)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(header + "- {type: RBAC, name: rbac}\n")
	f.Add(header + "- type: Webhook\n  name: x\n  webhook: {matchConditions: [{expression: 'true'}]}\n")
	compiler := newCompiler()
	f.Fuzz(func(t *testing.T, text string) {
		c, err := read([]byte(text), compiler, nil)
		if err == nil && len(c.Authorizers) == 0 {
			t.Errorf("%q configures nobody", text)
		}
	})
}
