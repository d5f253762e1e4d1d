package cluster

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"coracle/apiserver/wire"
)

// What is kept of a write in memory is what reading it from the store would give, for everything that a cluster at work writes.
func TestObjectsInMemoryAreThoseInTheStore(t *testing.T) {
	c, err := Start(t.Context(), Config{DataDir: t.TempDir(), Nodes: 1, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Stop()
	config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client := kubernetes.NewForConfigOrDie(config)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	labels := map[string]string{"app": "web"}
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: appsv1.DeploymentSpec{
		Replicas: new(int32(2)), Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "nginx"}}}},
	}}
	deployments := client.AppsV1().Deployments("default")
	if _, err := deployments.Create(ctx, deployment, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := deployments.Patch(ctx, "web", types.ApplyYAMLPatchType, []byte(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"labels":{"tier":"front"}}}`), metav1.PatchOptions{FieldManager: "test"}); err != nil {
		t.Fatal(err)
	}
	if err := wait.PollUntilContextCancel(ctx, 20*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		d, err := deployments.Get(ctx, "web", metav1.GetOptions{})
		return err == nil && d.Status.AvailableReplicas == 2, err
	}); err != nil {
		t.Fatal(err)
	}

	scheme, err := wire.NewScheme()
	if err != nil {
		t.Fatal(err)
	}
	codec := wire.StoredCodec{Codec: wire.NewCodec(scheme), New: newStored(c.server.Catalog)}
	compared := map[string]int{}
	for _, k := range c.server.Catalog.Kinds() {
		entries, err := c.server.Registry.Under(ctx, k.GroupResource())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			have, err := e.Object()
			if err != nil {
				t.Fatal(err)
			}
			want, err := codec.Decode(e.Key, e.Body)
			if err != nil {
				t.Fatal(err)
			}
			compared[k.Resource]++
			// Fractions of seconds are not written.
			if !apiequality.Semantic.DeepEqual(seconds(t, want), seconds(t, have)) {
				t.Errorf("%s (-read +kept):\n%s", e.Key, cmp.Diff(want, have))
			}
			if !cmp.Equal(want.(metav1.Object).GetManagedFields(), have.(metav1.Object).GetManagedFields()) || want.(metav1.Object).GetResourceVersion() != have.(metav1.Object).GetResourceVersion() {
				t.Errorf("%s: owners or version differ (-read +kept):\n%s", e.Key, cmp.Diff(want, have))
			}
		}
	}
	for _, resource := range []string{"pods", "nodes", "deployments", "replicasets", "clusterroles", "secrets", "leases", "events"} {
		if compared[resource] == 0 {
			t.Errorf("no %s were compared", resource)
		}
	}
}

// seconds is an object as it is written, read again by the most general reader.
func seconds(t *testing.T, obj any) map[string]any {
	t.Helper()
	u, err := runtime.DefaultUnstructuredConverter.ToUnstructured(obj)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
