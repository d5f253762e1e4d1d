package helm

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const patience = 30 * time.Second

// cluster is a running Coracle, and whoever uses it.
type cluster struct {
	kubeconfig string
	client     *dynamic.DynamicClient
	home       string
}

func start(t *testing.T) *cluster {
	t.Helper()
	binary, err := filepath.Abs(cmp.Or(os.Getenv("CORACLE"), "../../bin/coracle"))
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "data")
	cmd := exec.Command(binary, "up", "--data-dir", data, "--secure-port", "0")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
		if t.Failed() {
			t.Log(out.String())
		}
	})
	c := &cluster{kubeconfig: filepath.Join(data, "kubeconfigs", "admin.conf"), home: t.TempDir()}
	eventually(t, "the server is ready", func() error {
		config, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig)
		if err != nil {
			return err
		}
		if c.client, err = dynamic.NewForConfig(config); err != nil {
			return err
		}
		client, err := rest.HTTPClientFor(config)
		if err != nil {
			return err
		}
		answer, err := client.Get(config.Host + "/readyz")
		if err != nil {
			return err
		}
		answer.Body.Close()
		if answer.StatusCode != 200 {
			return fmt.Errorf("/readyz answers %s", answer.Status)
		}
		return nil
	})
	return c
}

func eventually(t *testing.T, what string, is func() error) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); ; <-tick.C {
		err := is()
		if err == nil {
			return
		}
		if time.Since(begun) > patience {
			t.Fatalf("after %s it is not so that %s: %v", patience, what, err)
		}
	}
}

// exec runs a command in a home of its own.
func (c *cluster) exec(t *testing.T, stdin, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), "HOME="+c.home, "XDG_CACHE_HOME=", "XDG_CONFIG_HOME=", "XDG_DATA_HOME=", "KUBECONFIG="+c.kubeconfig)
	cmd.Stdin = strings.NewReader(stdin)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(name), strings.Join(args, " "), err, stdout.String(), stderr.String())
	}
	return stdout.String(), nil
}

// field is what an object has at a path, "" for nothing.
func (c *cluster) field(t *testing.T, gvr schema.GroupVersionResource, namespace, name string, path ...string) string {
	t.Helper()
	obj, err := c.client.Resource(gvr).Namespace(namespace).Get(t.Context(), name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "not found"
	}
	if err != nil {
		t.Fatal(err)
	}
	v, ok, err := unstructured.NestedFieldNoCopy(obj.Object, path...)
	if err != nil || !ok {
		return ""
	}
	return fmt.Sprint(v)
}

var (
	deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	configmaps  = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	secrets     = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
	services    = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	pods        = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	jobs        = schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"}
	roles       = schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "roles"}
	fleets      = schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "fleets"}
	definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
)

// major is how one of the majors says things.
type major struct {
	name     string
	atomic   string // a failed upgrade is rolled back
	validate []string
}

func TestHelm(t *testing.T) {
	for _, m := range []major{
		{"v3", "--atomic", []string{"--validate"}},
		{"v4", "--rollback-on-failure", []string{"--dry-run=server"}},
	} {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			binary := filepath.Join(t.TempDir(), "helm")
			if out, err := exec.Command("go", "build", "-o", binary, "helm.sh/helm/"+m.name+"/cmd/helm").CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			chart(t, start(t), m, binary)
		})
	}
}

// chart takes the chart through its life.
func chart(t *testing.T, c *cluster, m major, binary string) {
	const ns = "shop"
	try := func(args ...string) (string, error) {
		t.Helper()
		return c.exec(t, "", binary, append([]string{"-n", ns}, args...)...)
	}
	run := func(args ...string) string {
		t.Helper()
		out, err := try(args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	want := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}

	// What would be installed, before there is anything; the server does not know of fleets yet, which come with the chart.
	rendered := run("template", "web", "testdata/chart")
	for _, kind := range []string{"ServiceAccount", "Role", "RoleBinding", "ConfigMap", "Secret", "Deployment", "Service", "Fleet", "Job", "Pod"} {
		if !strings.Contains(rendered, "\nkind: "+kind+"\n") {
			t.Errorf("the chart renders no %s", kind)
		}
	}

	out := run("install", "web", "testdata/chart", "--create-namespace", "--wait", "--timeout", "60s")
	if !strings.Contains(out, "STATUS: deployed") || !strings.Contains(out, "The shop web says hello.") {
		t.Errorf("installed: %s", out)
	}
	want("ready", c.field(t, deployments, ns, "web", "status", "readyReplicas"), "2")
	want("the hook", c.field(t, jobs, ns, "web-prepare", "status", "succeeded"), "1")
	want("the default of a custom resource", c.field(t, fleets, ns, "web", "spec", "home"), "galway")
	want("whose it is", c.field(t, services, ns, "web", "metadata", "annotations", "meta.helm.sh/release-name"), "web")

	var listed []struct{ Name, Revision, Status, Chart string }
	decode(t, run("list", "-o", "json"), &listed)
	want("list", fmt.Sprint(listed), "[{web 1 deployed shop-0.1.0}]")
	var status struct {
		Version int
		Info    struct{ Status, Notes string }
	}
	decode(t, run("status", "web", "-o", "json"), &status)
	want("status", fmt.Sprintf("%d %s", status.Version, status.Info.Status), "1 deployed")
	if out := run("test", "web", "--logs"); !strings.Contains(out, "the shop was tested") {
		t.Errorf("the test's log is missing: %s", out)
	}
	want("the test pod", c.field(t, pods, ns, "web-greets", "status", "phase"), "Succeeded")

	// Now that the definition is there all of it can be validated without being stored.
	run(append([]string{"template", "other", "testdata/chart"}, m.validate...)...)
	if kubectl := os.Getenv("KUBECTL"); kubectl != "" {
		out, err := c.exec(t, run("template", "other", "testdata/chart", "--no-hooks"), kubectl, "apply", "-n", ns, "--dry-run=server", "-f", "-")
		if err != nil || strings.Count(out, "created (server dry run)") != 8 {
			t.Errorf("%v, %s", err, out)
		}
	}
	want("a dry run", c.field(t, deployments, ns, "other"), "not found")

	out = run("upgrade", "web", "testdata/chart", "--set", "replicas=3,greeting=hi", "--wait", "--timeout", "60s")
	if !strings.Contains(out, "REVISION: 2") {
		t.Errorf("upgraded: %s", out)
	}
	want("ready after the upgrade", c.field(t, deployments, ns, "web", "status", "readyReplicas"), "3")
	want("the config after the upgrade", c.field(t, configmaps, ns, "web", "data", "greeting"), "hi")
	want("the fleet after the upgrade", c.field(t, fleets, ns, "web", "spec", "boats"), "3")

	// An upgrade that cannot succeed is taken back.
	_, err := try("upgrade", "web", "testdata/chart", "--set", "needs=missing,greeting=never", m.atomic, "--wait", "--timeout", "4s")
	if err == nil || !strings.Contains(err.Error(), "has been rolled back") {
		t.Errorf("an upgrade whose pods do not start: %v", err)
	}
	want("the config after the failure", c.field(t, configmaps, ns, "web", "data", "greeting"), "hi")
	eventually(t, "the old pods are there alone", func() error {
		if got := c.field(t, deployments, ns, "web", "status", "readyReplicas") + c.field(t, deployments, ns, "web", "status", "unavailableReplicas"); got != "3" {
			return fmt.Errorf("ready and not: %s", got)
		}
		return nil
	})
	var history []struct {
		Revision            int
		Status, Description string
	}
	decode(t, run("history", "web", "-o", "json"), &history)
	var states []string
	for _, h := range history {
		states = append(states, fmt.Sprintf("%d %s", h.Revision, h.Status))
	}
	want("history", strings.Join(states, ", "), "1 superseded, 2 superseded, 3 failed, 4 deployed")

	if out := run("rollback", "web", "1", "--wait", "--timeout", "60s"); !strings.Contains(out, "Rollback was a success") {
		t.Errorf("rolled back: %s", out)
	}
	want("ready after the rollback", c.field(t, deployments, ns, "web", "status", "readyReplicas"), "2")
	want("the config after the rollback", c.field(t, configmaps, ns, "web", "data", "greeting"), "hello")

	// What the server refuses, Helm says.
	_, err = try("upgrade", "web", "testdata/chart", "--set", "replicas=-1")
	if err == nil || !strings.Contains(err.Error(), "spec.replicas: Invalid value: -1: must be greater than or equal to 0") {
		t.Errorf("a negative number of replicas: %v", err)
	}
	_, err = try("install", "web2", "testdata/chart", "--set", "image=")
	if err == nil || !strings.Contains(err.Error(), "spec.template.spec.containers[0].image: Required value") {
		t.Errorf("no image: %v", err)
	}
	// What is somebody else's is left alone.
	if _, err := c.client.Resource(secrets).Namespace(ns).Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "theirs"},
	}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	_, err = try("install", "theirs", "testdata/chart")
	if err == nil || !strings.Contains(err.Error(), "invalid ownership metadata") {
		t.Errorf("a Secret that nobody gave away: %v", err)
	}

	if out := run("uninstall", "web", "--wait", "--timeout", "60s"); !strings.Contains(out, `release "web" uninstalled`) {
		t.Errorf("uninstalled: %s", out)
	}
	for _, gvr := range []schema.GroupVersionResource{deployments, configmaps, secrets, services, roles, fleets} {
		want(gvr.Resource+" after all", c.field(t, gvr, ns, "web"), "not found")
	}
	want("the definition after all", c.field(t, definitions, "", "fleets.example.com", "spec", "group"), "example.com")
}

func decode(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}
