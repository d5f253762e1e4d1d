package kubeletsim

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write what the tests got into testdata")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func uidOf(name string) types.UID { return types.UID("uid-of-" + name) }

// runs sets the command of the pod's first container.
func runs(command ...string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.Containers[0].Command = command }
}

func restart(policy corev1.RestartPolicy) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.RestartPolicy = policy }
}

func initContainers(containers ...corev1.Container) func(*corev1.Pod) {
	return func(pod *corev1.Pod) { pod.Spec.InitContainers = containers }
}

func sidecar(name string) corev1.Container {
	return corev1.Container{Name: name, Image: "proxy", RestartPolicy: new(corev1.ContainerRestartPolicyAlways)}
}

var containerID = regexp.MustCompile(`coracle://[0-9a-f]{64}`)

// golden compares with testdata/<name>, container IDs aside.
func golden(t *testing.T, name, got string) {
	t.Helper()
	got = containerID.ReplaceAllString(got, "coracle://<id>")
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got; -update accepts):\n%s", path, diff)
	}
}

// statuses are all statuses that the server saw while do ran, as YAML documents.
func (c *cluster) statuses(do func()) string {
	c.Helper()
	watch, err := c.client.CoreV1().Pods("blue").Watch(c.Context(), metav1.ListOptions{})
	if err != nil {
		c.Fatal(err)
	}
	defer watch.Stop()
	do()
	var all strings.Builder
	for {
		select {
		case event := <-watch.ResultChan():
			pod := event.Object.(*corev1.Pod)
			data, err := yaml.Marshal(pod.Status)
			if err != nil {
				c.Fatal(err)
			}
			fmt.Fprintf(&all, "---\n# %s\n%s", event.Type, data)
		default:
			return all.String()
		}
	}
}

// A pod from its binding to its end, as watchers see it.
func TestPod_Phases(t *testing.T) {
	inCluster(t, func(c *cluster) {
		golden(c.T, "phases.golden.yaml", c.statuses(func() {
			c.create(newPod("web",
				initContainers(corev1.Container{Name: "first", Image: "busybox", Command: []string{"sleep", "5"}}, sidecar("side")),
				func(pod *corev1.Pod) {
					pod.Spec.Volumes = []corev1.Volume{{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
					pod.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "scratch", MountPath: "/scratch", ReadOnly: true}}
				}))
			c.pass(5e9)
			if err := c.client.CoreV1().Pods("blue").Delete(c.Context(), "web", metav1.DeleteOptions{}); err != nil {
				c.Fatal(err)
			}
			c.settle()
		}))
		c.wantState("web", "gone")
	})
}

func TestPod_Events(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.create(newPod("one"))
		c.create(newPod("two"))
		if err := c.client.CoreV1().Pods("blue").Delete(c.Context(), "two", metav1.DeleteOptions{}); err != nil {
			c.Fatal(err)
		}
		c.settle()
		want := []string{
			`Pulling: Pulling image "nginx"`,
			`Pulled: Successfully pulled image "nginx" in 0s (0s including waiting). Image size: 132047553 bytes.`,
			"Created: Container created", "Started: Container started",
			`Pulled: Container image "nginx" already present on machine and can be accessed by the pod`,
			"Created: Container created", "Started: Container started",
			"Killing: Stopping container web",
		}
		if diff := cmp.Diff(want, c.events()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		list, err := c.client.CoreV1().Events("blue").List(c.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range list.Items {
			if event.Source != (corev1.EventSource{Component: "kubelet", Host: "n1"}) || event.InvolvedObject.FieldPath != "spec.containers{web}" {
				t.Errorf("%s comes from %v about %v", event.Reason, event.Source, event.InvolvedObject)
			}
		}
	})
}

// The node does nothing that the Node authorizer and the NodeRestriction plugin would refuse a kubelet.
func TestKubelet_AsksOnlyWhatANodeMay(t *testing.T) {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "creds"}, Data: map[string][]byte{"k": []byte("v")}}
	inCluster(t, func(c *cluster) {
		c.create(newPod("elsewhere", func(pod *corev1.Pod) { pod.Spec.NodeName = "n2" }))
		c.create(newPod("web", mountsSecret("creds"), mountsToken))
		if err := c.client.CoreV1().Pods("blue").Delete(c.Context(), "web", metav1.DeleteOptions{}); err != nil {
			c.Fatal(err)
		}
		c.pass(60e9)
		asked := map[string]bool{}
		for _, action := range c.client.Actions() {
			line := action.GetVerb() + " " + action.GetResource().Resource
			if sub := action.GetSubresource(); sub != "" {
				line += "/" + sub
			}
			switch a := action.(type) {
			case clienttesting.ListActionImpl:
				line += " " + a.GetListRestrictions().Fields.String()
			case clienttesting.WatchActionImpl:
				line += " " + a.GetWatchRestrictions().Fields.String()
			case clienttesting.GetActionImpl:
				line += " " + a.GetName()
			case clienttesting.PatchActionImpl:
				line += " " + a.GetName()
				if strings.Contains(string(a.GetPatch()), `"uid":"uid-of-elsewhere"`) {
					t.Errorf("a status of another node's pod was sent: %s", a.GetPatch())
				}
			}
			asked[line] = true
		}
		allowed := []string{
			"create nodes", "get nodes n1", "patch nodes/status n1",
			"create leases", "get leases n1", "update leases",
			"list pods spec.nodeName=n1", "watch pods spec.nodeName=n1", "get pods web", "patch pods/status web", "delete pods",
			"list secrets metadata.name=creds", "watch secrets metadata.name=creds",
			"list configmaps metadata.name=kube-root-ca.crt", "watch configmaps metadata.name=kube-root-ca.crt",
			"list services ", "get services kubernetes",
			"create serviceaccounts/token", "create events", "patch events",
			"create pods", "list events ", // the test's own
		}
		for _, line := range allowed {
			delete(asked, line)
		}
		if len(asked) > 0 {
			t.Errorf("the node also asked: %v", asked)
		}
		c.wantState("elsewhere", "Pending")
	}, secret)
}

func TestRun_RefusesConfigs(t *testing.T) {
	good := Config{NodeName: "n1", Client: fake.NewClientset(), Dir: t.TempDir()}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*Config){
		"no client":                 func(c *Config) { c.Client = nil },
		"no data directory":         func(c *Config) { c.Dir = "" },
		"a file as data directory":  func(c *Config) { c.Dir = file },
		"a node name that climbs":   func(c *Config) { c.NodeName = "../n1" },
		"no node name":              func(c *Config) { c.NodeName = "" },
		"a node IP that is none":    func(c *Config) { c.NodeIP = "localhost" },
		"a pod CIDR that is none":   func(c *Config) { c.PodCIDR = "10.244.0.0" },
		"a pod CIDR without a room": func(c *Config) { c.PodCIDR = "10.244.0.0/31" },
	} {
		t.Run(name, func(t *testing.T) {
			config := good
			edit(&config)
			ctx, cancel := context.WithCancelCause(t.Context())
			cancel(errors.New("Run should have returned before"))
			if err := New(config).Run(ctx); err == nil {
				t.Error("Run accepted it")
			}
		})
	}
}
