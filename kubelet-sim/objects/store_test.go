package objects

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	testing_ "k8s.io/client-go/testing"
)

func secret(name, value string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: name}, Data: map[string][]byte{"k": []byte(value)}}
}

func podWithSecrets(uid types.UID, names ...string) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", UID: uid}}
	for _, name := range names {
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{SecretName: name}}})
	}
	return pod
}

func TestReferences(t *testing.T) {
	ref := func(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "blue"}, Spec: corev1.PodSpec{
		ImagePullSecrets: []corev1.LocalObjectReference{ref("registry")},
		Volumes: []corev1.Volume{
			{VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "volume"}}},
			{VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: ref("volume")}}},
			{VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			{VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
				{Secret: &corev1.SecretProjection{LocalObjectReference: ref("projected")}},
				{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: ref("projected")}},
			}}}},
		},
		InitContainers: []corev1.Container{{EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: ref("from")}}}}},
		Containers: []corev1.Container{{Env: []corev1.EnvVar{{Name: "plain", Value: "x"},
			{ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: ref("key")}}},
			{ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: ref("key")}}}}}},
		EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			EnvFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: ref("from")}}}}}},
	}}
	want := map[key]bool{}
	for _, name := range []string{"volume", "projected", "from", "key"} {
		want[key{"secret", "blue", name}] = true
		want[key{"configmap", "blue", name}] = true
	}
	if diff := cmp.Diff(want, references(pod), cmp.AllowUnexported(key{})); diff != "" {
		t.Errorf("references (-want +got):\n%s", diff)
	}
}

func TestStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		client := fake.NewClientset(secret("here", "1"), secret("other", "1"))
		told := map[types.UID]int{}
		store := New(client, slog.New(slog.DiscardHandler), func(pod types.UID) { told[pod]++ })
		defer store.Wait()
		defer stop()

		if _, err := store.Secret(ctx, "blue", "here"); err == nil || err.Error() != `object "blue"/"here" not registered` {
			t.Errorf("before a pod names it: %v", err)
		}
		store.Register(ctx, podWithSecrets("p1", "here", "missing"))
		got, err := store.Secret(ctx, "blue", "here")
		if err != nil || string(got.Data["k"]) != "1" {
			t.Fatalf("got %v, %v", got, err)
		}
		_, err = store.Secret(ctx, "blue", "missing")
		if !apierrors.IsNotFound(err) || err.Error() != `secret "missing" not found` {
			t.Errorf("missing: %v", err)
		}
		if _, err := store.Secret(ctx, "blue", "other"); err == nil {
			t.Error("a Secret that no pod names was answered")
		}

		synctest.Wait()
		clear(told)
		_, err = client.CoreV1().Secrets("blue").Create(ctx, secret("missing", "now"), metav1.CreateOptions{})
		synctest.Wait()
		if got, e := store.Secret(ctx, "blue", "missing"); err != nil || e != nil || string(got.Data["k"]) != "now" {
			t.Errorf("created: %v, %v, %v", got, err, e)
		}
		if told["p1"] == 0 {
			t.Error("the pod was not told of the new Secret")
		}
		err = client.CoreV1().Secrets("blue").Delete(ctx, "here", metav1.DeleteOptions{})
		synctest.Wait()
		if _, e := store.Secret(ctx, "blue", "here"); err != nil || !apierrors.IsNotFound(e) {
			t.Errorf("deleted: %v, %v", err, e)
		}
	})
}

func TestStore_WatchesByNameAndOnlyAsLongAsAPodNeedsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		client := fake.NewClientset(secret("shared", "1"))
		store := New(client, slog.New(slog.DiscardHandler), func(types.UID) {})
		defer store.Wait()
		defer stop()
		store.Register(ctx, podWithSecrets("p1", "shared"))
		store.Register(ctx, podWithSecrets("p2", "shared"))
		synctest.Wait()
		for _, action := range client.Actions() {
			var selector string
			switch action := action.(type) {
			case testing_.ListAction:
				selector = action.GetListRestrictions().Fields.String()
			case testing_.WatchAction:
				selector = action.GetWatchRestrictions().Fields.String()
			}
			if action.GetNamespace() != "blue" || selector != "metadata.name=shared" {
				t.Errorf("%s %s in %q with fields %q: more than a node may ask", action.GetVerb(), action.GetResource().Resource, action.GetNamespace(), selector)
			}
		}
		if n := len(client.Actions()); n != 2 {
			t.Errorf("%d requests for one Secret of two pods, want a list and a watch", n)
		}
		store.Unregister("p1")
		if _, err := store.Secret(ctx, "blue", "shared"); err != nil {
			t.Errorf("forgotten while a pod names it: %v", err)
		}
		store.Register(ctx, podWithSecrets("p2"))
		if _, err := store.Secret(ctx, "blue", "shared"); err == nil {
			t.Error("remembered after no pod names it")
		}
		if len(store.items)+len(store.pods) != 0 {
			t.Errorf("left over: %d items, %d pods", len(store.items), len(store.pods))
		}
	})
}

func TestStore_ServerRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		client := fake.NewClientset(secret("s", "1"))
		var refuse atomic.Bool
		refuse.Store(true)
		client.PrependReactor("list", "secrets", func(testing_.Action) (bool, runtime.Object, error) {
			return refuse.Load(), nil, errors.New("no relationship found between node and this object")
		})
		store := New(client, slog.New(slog.DiscardHandler), func(types.UID) {})
		defer store.Wait()
		defer stop()
		store.Register(ctx, podWithSecrets("p1", "s"))
		start := time.Now()
		_, err := store.Secret(ctx, "blue", "s")
		if err == nil || err.Error() != "failed to sync secret cache: timed out waiting for the condition" {
			t.Errorf("error %v", err)
		}
		if waited := time.Since(start); waited != patience {
			t.Errorf("waited %v", waited)
		}
		refuse.Store(false)
		time.Sleep(10 * time.Second) // of the bubble's clock: the longest pause between retries
		if _, err := store.Secret(ctx, "blue", "s"); err != nil {
			t.Errorf("after the server changed its mind: %v", err)
		}
	})
}

// A pod that names many objects which may not be read waits once, not once for each.
func TestStore_WaitsForAllAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		client := fake.NewClientset()
		client.PrependReactor("list", "secrets", func(testing_.Action) (bool, runtime.Object, error) {
			return true, nil, errors.New("refused")
		})
		store := New(client, slog.New(slog.DiscardHandler), func(types.UID) {})
		defer store.Wait()
		defer stop()
		names := []string{"a", "b", "c", "d", "e"}
		store.Register(ctx, podWithSecrets("p1", names...))
		start := time.Now()
		for _, name := range names {
			if _, err := store.Secret(ctx, "blue", name); err == nil {
				t.Errorf("%s was answered", name)
			}
		}
		if waited := time.Since(start); waited != patience {
			t.Errorf("waited %v", waited)
		}
	})
}
