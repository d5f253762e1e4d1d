package resourcequota_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"coracle/controllers/looptest"
	"coracle/controllers/resourcequota"
	"coracle/quota"
)

func pod(name string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}}
}

func limit(hard ...corev1.ResourceName) *corev1.ResourceQuota {
	q := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "q"}, Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{}}}
	for _, name := range hard {
		q.Spec.Hard[name] = resource.MustParse("10")
	}
	return q
}

func TestController(t *testing.T) {
	objects := []runtime.Object{
		limit(corev1.ResourcePods, corev1.ResourceConfigMaps, "count/deployments.apps", corev1.ResourceServices),
		pod("a"), pod("b"), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "c"}},
		&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "other", Name: "a"}},
	}
	looptest.Run(t, objects, func(t *testing.T, w *looptest.World) {
		quotas := w.Client.CoreV1().ResourceQuotas("default")
		check := func(what, used string) {
			t.Helper()
			q, err := quotas.Get(t.Context(), "q", metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if got := quota.String(q.Status.Used); got != used || !quota.Equal(q.Spec.Hard, q.Status.Hard) {
				t.Errorf("%s: %s, want %s; hard %s", what, got, used, quota.String(q.Status.Hard))
			}
		}
		w.Start(resourcequota.New(w.Client, w.Metadata(), w.Factory, w.Log))
		check("at first", "configmaps=1,count/deployments.apps=0,pods=2,services=0")

		if err := w.Client.CoreV1().Pods("default").Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		w.Advance(time.Second)
		check("when a pod has gone", "configmaps=1,count/deployments.apps=0,pods=1,services=0")

		ended := pod("b")
		ended.Status.Phase = corev1.PodSucceeded
		if _, err := w.Client.CoreV1().Pods("default").UpdateStatus(t.Context(), ended, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		w.Advance(time.Second)
		check("when a pod has ended", "configmaps=1,count/deployments.apps=0,pods=0,services=0")

		q, err := quotas.Get(t.Context(), "q", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		q.Status.Used = q.Status.Used.DeepCopy()
		q.Status.Used[corev1.ResourcePods] = resource.MustParse("7")
		if _, err := quotas.UpdateStatus(t.Context(), q, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		w.Advance(5 * time.Second)
		check("what was charged stands at first", "configmaps=1,count/deployments.apps=0,pods=7,services=0")
		w.Advance(10 * time.Second)
		check("but not if nothing came of it", "configmaps=1,count/deployments.apps=0,pods=0,services=0")
	})
}
