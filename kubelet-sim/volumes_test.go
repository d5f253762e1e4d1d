package kubeletsim

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clienttesting "k8s.io/client-go/testing"
)

const (
	serviceAccountDir = "/var/run/secrets/kubernetes.io/serviceaccount"
	tokenSeconds      = 607 // how long mounted tokens live
)

// mountsSecret gives the pod a volume with a Secret, as the classic era does for the token of its account.
func mountsSecret(name string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: name}}})
		pod.Spec.Containers[0].VolumeMounts = append(pod.Spec.Containers[0].VolumeMounts, corev1.VolumeMount{Name: name, MountPath: "/" + name, ReadOnly: true})
	}
}

// mountsToken gives it what the modern era does: a bound token, the cluster's CA and the namespace.
func mountsToken(pod *corev1.Pod) {
	pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "kube-api-access-x", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
		{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: new(int64(tokenSeconds))}},
		{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "kube-root-ca.crt"}, Items: []corev1.KeyToPath{{Key: "ca.crt", Path: "ca.crt"}}, Optional: new(true)}},
		{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{Path: "namespace", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.namespace"}}}}},
	}}}})
	pod.Spec.Containers[0].VolumeMounts = append(pod.Spec.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "kube-api-access-x", MountPath: serviceAccountDir, ReadOnly: true})
}

func secret(name string, data map[string]string) *corev1.Secret {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: name}, Data: map[string][]byte{}}
	for key, value := range data {
		secret.Data[key] = []byte(value)
	}
	return secret
}

func TestVolumes_ServiceAccount(t *testing.T) {
	ca := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "kube-root-ca.crt"}, Data: map[string]string{"ca.crt": "PEM"}}
	inCluster(t, func(c *cluster) {
		c.create(newPod("web", mountsToken))
		c.wantState("web", "Running web=running")
		for name, want := range map[string]string{"token": "token 1 of blue/some-sa for pod uid-of-web", "ca.crt": "PEM", "namespace": "blue"} {
			if got := c.read("pods/blue/web/web" + serviceAccountDir + "/" + name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
			if got := c.read("nodes/n1/pods/uid-of-web/containers/web/rootfs" + serviceAccountDir + "/" + name); got != want {
				t.Errorf("%s by the long way: %q, want %q", name, got, want)
			}
		}
		if got := c.read("nodes/n1/pods/uid-of-web/volumes/kubernetes.io~projected/kube-api-access-x/token"); got != "token 1 of blue/some-sa for pod uid-of-web" {
			t.Errorf("the volume's token: %q", got)
		}
	}, ca)
}

// Whoever is not the owner of the data directory cannot get at what is in it.
func TestVolumes_AreTheOwnersAlone(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.create(newPod("web", mountsToken))
		for _, name := range []string{"nodes", "nodes/n1", "nodes/n1/pods", "nodes/n1/rootfs", "pods", "pods/blue"} {
			info, err := os.Stat(filepath.Join(c.config.Dir, name))
			if err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%s: %v, %v; want 0700", name, info.Mode(), err)
			}
		}
	})
}

func TestVolumes_TokenIsRenewed(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.create(newPod("web", mountsToken))
		token := func() string { return c.read("pods/blue/web/web" + serviceAccountDir + "/token") }
		first := token()
		c.pass(tokenSeconds*time.Second*8/10 - tokenJitter - time.Second)
		if got := token(); got != first {
			t.Errorf("renewed early: %q", got)
		}
		c.pass(tokenJitter + time.Second)
		if got := token(); got != "token 2 of blue/some-sa for pod uid-of-web" {
			t.Errorf("after 80%% of its life: %q", got)
		}
		c.pass(tokenSeconds * time.Second)
		if got := token(); got != "token 3 of blue/some-sa for pod uid-of-web" {
			t.Errorf("a life later: %q", got)
		}
	})
}

func TestVolumes_TokenWhileTheServerIsAway(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.create(newPod("web", mountsToken))
		var away atomic.Bool
		away.Store(true)
		c.on("create", "serviceaccounts", func(clienttesting.Action) (bool, runtime.Object, error) {
			return away.Load(), nil, errors.New("connection refused")
		})
		c.pass((tokenSeconds - 7) * time.Second)
		if got := c.read("pods/blue/web/web" + serviceAccountDir + "/token"); got != "token 1 of blue/some-sa for pod uid-of-web" {
			t.Errorf("a valid token was not kept: %q", got)
		}
		if slices.ContainsFunc(c.events(), func(line string) bool { return strings.HasPrefix(line, "FailedMount") }) {
			t.Error("FailedMount although the old token is valid")
		}
		c.pass(2 * time.Minute)
		if lines := c.events(); !strings.HasPrefix(lines[len(lines)-1], `FailedMount: MountVolume.SetUp failed for volume "kube-api-access-x" : token of service account blue/some-sa expired and refresh failed: connection refused`) {
			t.Errorf("after it expired: %q", lines)
		}
		away.Store(false)
		c.pass(lastMountRetry)
		if got := c.read("pods/blue/web/web" + serviceAccountDir + "/token"); got != "token 2 of blue/some-sa for pod uid-of-web" {
			t.Errorf("when the server is back: %q", got)
		}
		c.wantState("web", "Running web=running")
	})
}

func TestVolumes_MissingSecret(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.create(newPod("web", mountsSecret("creds")))
		c.wantState("web", "Pending web=ContainerCreating")
		c.pass(time.Second)
		want := []string{`FailedMount: MountVolume.SetUp failed for volume "creds" : secret "creds" not found (2)`}
		if diff := cmp.Diff(want, c.events()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if c.exists("pods/blue/web") {
			t.Error("a container that is not created can be seen")
		}
		if _, err := c.client.CoreV1().Secrets("blue").Create(c.Context(), secret("creds", map[string]string{"user": "ann"}), metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		c.settle() // without any time going by
		c.wantState("web", "Running web=running")
		if got := c.read("pods/blue/web/web/creds/user"); got != "ann" {
			t.Errorf("user: %q", got)
		}
	})
}

func TestVolumes_FollowTheirSources(t *testing.T) {
	inCluster(t, func(c *cluster) {
		c.create(newPod("web", mountsSecret("creds"), func(pod *corev1.Pod) {
			pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "info", VolumeSource: corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{
				Items: []corev1.DownwardAPIVolumeFile{{Path: "labels", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels"}}}}}})
			pod.Spec.Containers[0].VolumeMounts = append(pod.Spec.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "info", MountPath: "/info"})
		}))
		if _, err := c.client.CoreV1().Secrets("blue").Update(c.Context(), secret("creds", map[string]string{"user": "bob", "new": "x"}), metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		pod := c.pod("web")
		pod.Labels = map[string]string{"tier": "front"}
		if _, err := c.client.CoreV1().Pods("blue").Update(c.Context(), pod, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		c.settle()
		for name, want := range map[string]string{"creds/user": "bob", "creds/new": "x", "info/labels": `tier="front"`} {
			if got := c.read("pods/blue/web/web/" + name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if err := c.client.CoreV1().Secrets("blue").Delete(c.Context(), "creds", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		c.pass(time.Second)
		c.wantState("web", "Running web=running") // what runs is left alone
		if got := c.read("pods/blue/web/web/creds/user"); got != "bob" {
			t.Errorf("the deleted Secret's file: %q, want what it was", got)
		}
	}, secret("creds", map[string]string{"user": "ann"}))
}
