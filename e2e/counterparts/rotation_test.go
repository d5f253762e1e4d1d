package counterparts

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// The clients of other languages read their token again once a minute. A token that is replaced in its file and then taken back is
// missed until then, and by nobody any longer.
func TestTokenRotation(t *testing.T) {
	python := func(t *testing.T) *exec.Cmd {
		interpreter := "/usr/bin/python3" // Debian's, which sees Debian's packages
		if exec.Command(interpreter, "-c", "import kubernetes").Run() != nil {
			missing(t, "python3-kubernetes")
		}
		return exec.Command(interpreter, filepath.Join("testdata", "python", "client.py"))
	}
	javascript := func(t *testing.T) *exec.Cmd {
		dir := withPackages(t, "javascript")
		return exec.Command(program(t, "node"), filepath.Join(dir, "client.js"))
	}
	for name, command := range map[string]func(*testing.T) *exec.Cmd{"Python": python, "JavaScript": javascript} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // a minute each
			rotate(t, command(t))
		})
	}
}

func rotate(t *testing.T, cmd *exec.Cmd) {
	c := up(t, "--nodes", "1")
	c.must("POST", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/rolebindings",
		`{"metadata":{"name":"edit"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":"edit"},"subjects":[{"kind":"ServiceAccount","name":"default","namespace":"default"}]}`, nil)
	eventually(t, "there is an account", func() bool {
		code, _ := do(t, c.admin, "GET", c.url+"/api/v1/namespaces/default/serviceaccounts/default", "")
		return code == 200
	})
	// Each token lives as long as a Secret of its own.
	token := func(secret string) string {
		var bound struct{ Metadata struct{ UID string } }
		c.must("POST", "/api/v1/namespaces/default/secrets", fmt.Sprintf(`{"metadata":{"name":%q}}`, secret), &bound)
		var request struct{ Status struct{ Token string } }
		c.must("POST", "/api/v1/namespaces/default/serviceaccounts/default/token",
			fmt.Sprintf(`{"spec":{"boundObjectRef":{"apiVersion":"v1","kind":"Secret","name":%q,"uid":%q}}}`, secret, bound.Metadata.UID), &request)
		return request.Status.Token
	}
	root := t.TempDir()
	account := filepath.Join(root, "var", "run", "secrets", "kubernetes.io", "serviceaccount")
	ca, err := os.ReadFile(c.ca())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(account, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		next := filepath.Join(account, "."+name)
		if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(next, filepath.Join(account, name)); err != nil { // as a kubelet: never half a token
			t.Fatal(err)
		}
	}
	write("token", token("first"))
	write("ca.crt", string(ca))
	write("namespace", "default")

	at, err := url.Parse(c.url)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Args = append(cmd.Args, root)
	cmd.Env = append(os.Environ(), "KUBERNETES_SERVICE_HOST="+at.Hostname(), "KUBERNETES_SERVICE_PORT="+at.Port())
	lines := started(t, cmd)
	expect := func(want string, within time.Duration) {
		t.Helper()
		for late := time.After(within); ; {
			select {
			case line, ok := <-lines:
				if !ok {
					t.Fatalf("the client ended before it said %q", want)
				}
				if line == want {
					return
				}
			case <-late:
				t.Fatalf("not within %s: %q", within, want)
			}
		}
	}
	expect("created", patience)
	expect("watched ADDED", patience)
	expect("ran hello", patience) // by a WebSocket, or by an informer
	expect("listed true", patience)
	write("token", token("second"))
	c.must("DELETE", "/api/v1/namespaces/default/secrets/first", "", nil)
	expect("failed 401", patience) // the token of before is good no more
	expect("listed true", 2*time.Minute)
}
