package quota_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"coracle/quota"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func pods() schema.GroupResource { return schema.GroupResource{Resource: "pods"} }

func pod(change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "a"}, {Name: "b"}}}}
	for _, c := range change {
		c(p)
	}
	return p
}

func asks(requests, limits string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Requests = list(requests)
		p.Spec.Containers[0].Resources.Limits = list(limits)
	}
}

// list is a processor time.
func list(cpu string) corev1.ResourceList {
	if cpu == "" {
		return nil
	}
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu)}
}

func TestUsage(t *testing.T) {
	deleted := func(grace int64, ago time.Duration) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.DeletionTimestamp, p.DeletionGracePeriodSeconds = new(metav1.NewTime(now.Add(-ago))), &grace
		}
	}
	service := func(t corev1.ServiceType, n int) *corev1.Service {
		return &corev1.Service{Spec: corev1.ServiceSpec{Type: t, Ports: make([]corev1.ServicePort, n)}}
	}
	claim := &corev1.PersistentVolumeClaim{Spec: corev1.PersistentVolumeClaimSpec{
		StorageClassName: new("fast"),
		Resources:        corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("2Gi")}},
	}}
	for _, test := range []struct {
		name string
		gr   schema.GroupResource
		obj  runtime.Object
		want string
	}{
		{"a pod", pods(), pod(), "count/pods=1,pods=1"},
		{"a pod that asks for processor time", pods(), pod(asks("100m", "1")), "count/pods=1,cpu=100m,limits.cpu=1,pods=1,requests.cpu=100m"},
		{"a pod that has ended", pods(), pod(asks("1", "1"), func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }), "count/pods=1"},
		{"a pod that is ending", pods(), pod(deleted(30, 10*time.Second)), "count/pods=1,pods=1"},
		{"a pod that should have ended", pods(), pod(deleted(30, time.Minute)), "count/pods=1"},
		{"a service", schema.GroupResource{Resource: "services"}, service(corev1.ServiceTypeClusterIP, 2), "count/services=1,services=1,services.loadbalancers=0,services.nodeports=0"},
		{"a service with a load balancer", schema.GroupResource{Resource: "services"}, service(corev1.ServiceTypeLoadBalancer, 2), "count/services=1,services=1,services.loadbalancers=1,services.nodeports=2"},
		{"a claim", schema.GroupResource{Resource: "persistentvolumeclaims"}, claim, "count/persistentvolumeclaims=1,fast.storageclass.storage.k8s.io/persistentvolumeclaims=1,fast.storageclass.storage.k8s.io/requests.storage=2Gi,persistentvolumeclaims=1,requests.storage=2Gi"},
		{"anything", schema.GroupResource{Group: "apps", Resource: "deployments"}, nil, "count/deployments.apps=1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := quota.String(quota.Usage(test.gr, test.obj, now)); got != test.want {
				t.Errorf("got %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestMatches(t *testing.T) {
	hard := func(names ...corev1.ResourceName) *corev1.ResourceQuota {
		q := &corev1.ResourceQuota{Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{}}}
		for _, n := range names {
			q.Spec.Hard[n] = resource.MustParse("1")
		}
		return q
	}
	scoped := func(scopes ...corev1.ResourceQuotaScope) *corev1.ResourceQuota {
		q := hard(corev1.ResourcePods)
		q.Spec.Scopes = scopes
		return q
	}
	priority := hard(corev1.ResourcePods)
	priority.Spec.ScopeSelector = &corev1.ScopeSelector{MatchExpressions: []corev1.ScopedResourceSelectorRequirement{
		{ScopeName: corev1.ResourceQuotaScopePriorityClass, Operator: corev1.ScopeSelectorOpIn, Values: []string{"high"}},
	}}
	ends := func(p *corev1.Pod) { p.Spec.ActiveDeadlineSeconds = new(int64(10)) }
	high := func(p *corev1.Pod) { p.Spec.PriorityClassName = "high" }
	for _, test := range []struct {
		name  string
		quota *corev1.ResourceQuota
		pod   *corev1.Pod
		want  bool
	}{
		{"it counts pods", hard(corev1.ResourcePods), pod(), true},
		{"it counts what pods take", hard(corev1.ResourceLimitsMemory), pod(), true},
		{"it counts devices", hard("requests.example.com/gpu"), pod(), true},
		{"it counts something else", hard(corev1.ResourceServices, corev1.ResourceRequestsStorage), pod(), false},
		{"pods that end by themselves", scoped(corev1.ResourceQuotaScopeTerminating), pod(ends), true},
		{"pods that do not", scoped(corev1.ResourceQuotaScopeTerminating), pod(), false},
		{"pods that ask for nothing", scoped(corev1.ResourceQuotaScopeBestEffort), pod(), true},
		{"pods that ask for something", scoped(corev1.ResourceQuotaScopeBestEffort), pod(asks("1", "")), false},
		{"all scopes have to hold", scoped(corev1.ResourceQuotaScopeBestEffort, corev1.ResourceQuotaScopeTerminating), pod(), false},
		{"pods of a priority", priority, pod(high), true},
		{"pods of none", priority, pod(), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := quota.Matches(test.quota, pods(), test.pod); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestMissing(t *testing.T) {
	names := []corev1.ResourceName{corev1.ResourcePods, corev1.ResourceLimitsCPU, corev1.ResourceCPU}
	if got, want := quota.Missing(names, pod(asks("1", ""))), "must specify cpu for: b; limits.cpu for: a,b"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := quota.Missing([]corev1.ResourceName{corev1.ResourcePods}, pod()); got != "" {
		t.Errorf("got %q", got)
	}
}
