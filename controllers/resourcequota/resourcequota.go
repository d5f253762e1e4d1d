package resourcequota

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/loop"
	"coracle/controllers/workload"
	"coracle/quota"
)

const (
	// soon is how long after something has gone it is counted: many go at the same time.
	soon = 50 * time.Millisecond
	// later is how long after a change it is counted again: what is on its way has come by then, or never will.
	later = 10 * time.Second
	// often is how often kinds are counted that no informer tells of.
	often = time.Minute
)

// Controller keeps the statuses of ResourceQuotas.
type Controller struct {
	client  kubernetes.Interface
	content metadata.Interface
	quotas  corelisters.ResourceQuotaLister
	sources map[schema.GroupResource]cache.SharedIndexInformer
	loop    *loop.Loop[cache.ObjectName]

	watching sync.Once
}

// New makes a controller. content lists what no informer tells of. Call it before the factory starts.
func New(client kubernetes.Interface, content metadata.Interface, factory informers.SharedInformerFactory, log *slog.Logger) *Controller {
	core, apps, batch := factory.Core().V1(), factory.Apps().V1(), factory.Batch().V1()
	c := &Controller{
		client:  client,
		content: content,
		quotas:  core.ResourceQuotas().Lister(),
		sources: map[schema.GroupResource]cache.SharedIndexInformer{
			{Resource: "pods"}:                        core.Pods().Informer(),
			{Resource: "services"}:                    core.Services().Informer(),
			{Resource: "configmaps"}:                  core.ConfigMaps().Informer(),
			{Resource: "secrets"}:                     core.Secrets().Informer(),
			{Resource: "persistentvolumeclaims"}:      core.PersistentVolumeClaims().Informer(),
			{Resource: "replicationcontrollers"}:      core.ReplicationControllers().Informer(),
			{Resource: "resourcequotas"}:              core.ResourceQuotas().Informer(),
			{Resource: "serviceaccounts"}:             core.ServiceAccounts().Informer(),
			{Group: "apps", Resource: "deployments"}:  apps.Deployments().Informer(),
			{Group: "apps", Resource: "replicasets"}:  apps.ReplicaSets().Informer(),
			{Group: "apps", Resource: "statefulsets"}: apps.StatefulSets().Informer(),
			{Group: "apps", Resource: "daemonsets"}:   apps.DaemonSets().Informer(),
			{Group: "batch", Resource: "jobs"}:        batch.Jobs().Informer(),
			{Group: "batch", Resource: "cronjobs"}:    batch.CronJobs().Informer(),
		},
	}
	c.loop = loop.New("resourcequota", log, c.reconcile)
	loop.Watch(c.loop, core.ResourceQuotas().Informer(), func(old, q *corev1.ResourceQuota) {
		switch {
		case q == nil:
		case old == nil || !quota.Equal(old.Spec.Hard, q.Spec.Hard) || !quota.Equal(q.Spec.Hard, q.Status.Hard):
			c.loop.Add(cache.MetaObjectToName(q))
		case !quota.Equal(old.Status.Used, q.Status.Used):
			c.loop.AddAfter(cache.MetaObjectToName(q), later)
		}
	})
	for _, informer := range c.sources {
		loop.Need(c.loop, informer)
	}
	return c
}

// watchSources begins to look at objects, once there is a quota: most clusters have none.
func (c *Controller) watchSources() {
	for gr, informer := range c.sources {
		loop.WatchLate(c.loop, informer, func(old, obj metav1.Object) {
			if old != nil && (obj == nil || shrinks(gr, old, obj)) {
				c.addAll(old.GetNamespace())
			}
		})
	}
}

// shrinks tells whether an object takes less than before.
func shrinks(gr schema.GroupResource, old, obj metav1.Object) bool {
	switch obj.(type) {
	case *corev1.Pod, *corev1.Service, *corev1.PersistentVolumeClaim:
	default:
		return false
	}
	if a, ok := old.(*corev1.Pod); ok && workload.Ended(a) == workload.Ended(obj.(*corev1.Pod)) && a.Generation == obj.GetGeneration() {
		return false
	}
	before, now := old.(runtime.Object), obj.(runtime.Object)
	return len(quota.Growth(quota.Usage(gr, now, time.Now()), quota.Usage(gr, before, time.Now()))) > 0
}

// addAll adds the quotas of a namespace.
func (c *Controller) addAll(namespace string) {
	quotas, err := c.quotas.ResourceQuotas(namespace).List(labels.Everything())
	if err != nil {
		return // the lister reads memory; there is no error to have
	}
	for _, q := range quotas {
		c.loop.AddAfter(cache.MetaObjectToName(q), soon)
	}
}

// Run runs the controller until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.loop.Run(ctx, 1) }

func (c *Controller) reconcile(ctx context.Context, name cache.ObjectName) error {
	q, err := c.quotas.ResourceQuotas(name.Namespace).Get(name.Name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	c.watching.Do(c.watchSources)
	used, err := c.count(ctx, q)
	if err != nil {
		return err
	}
	if quota.Equal(q.Status.Hard, q.Spec.Hard) && quota.Equal(q.Status.Used, used) {
		return nil
	}
	q = q.DeepCopy()
	q.Status = corev1.ResourceQuotaStatus{Hard: q.Spec.Hard, Used: used}
	// Whoever has been let in meanwhile has changed the quota: then this is a conflict, and counted again.
	_, err = c.client.CoreV1().ResourceQuotas(name.Namespace).UpdateStatus(ctx, q, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// count is what the quota's namespace takes of it.
func (c *Controller) count(ctx context.Context, q *corev1.ResourceQuota) (corev1.ResourceList, error) {
	used, left := corev1.ResourceList{}, map[corev1.ResourceName]bool{}
	for name, hard := range q.Spec.Hard {
		zero := hard.DeepCopy()
		zero.Sub(hard)
		used[name], left[name] = zero, true
	}
	wanted := func(name corev1.ResourceName) bool { _, ok := q.Spec.Hard[name]; return ok }
	now := time.Now()
	for gr, informer := range c.sources {
		for name := range left {
			if quota.Tracks(gr, name) {
				delete(left, name)
			}
		}
		objects, err := informer.GetIndexer().ByIndex(cache.NamespaceIndex, q.Namespace)
		if err != nil {
			return nil, fmt.Errorf("count %s: %w", gr, err)
		}
		for _, o := range objects {
			if obj, ok := o.(runtime.Object); ok && quota.Matches(q, gr, obj) {
				used = quota.Add(used, quota.Only(quota.Usage(gr, obj, now), wanted))
			}
		}
	}
	if len(left) == 0 {
		return used, nil
	}
	c.loop.AddAfter(cache.MetaObjectToName(q), often)
	others, err := c.list(ctx, q.Namespace, left)
	return quota.Add(used, others), err
}

// list counts kinds that no informer tells of. Those that are not served are not there.
func (c *Controller) list(ctx context.Context, namespace string, names map[corev1.ResourceName]bool) (corev1.ResourceList, error) {
	lists, err := discovery.ServerPreferredNamespacedResources(c.client.Discovery())
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		return nil, err
	}
	used := corev1.ResourceList{}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for _, r := range list.APIResources {
			gvr := gv.WithResource(r.Name)
			name := quota.CountName(gvr.GroupResource())
			if !names[name] {
				continue
			}
			objects, err := c.content.Resource(gvr).Namespace(namespace).List(ctx, metav1.ListOptions{})
			if err != nil {
				return nil, fmt.Errorf("count %s: %w", gvr.GroupResource(), err)
			}
			for range objects.Items {
				used = quota.Add(used, quota.Only(quota.Usage(gvr.GroupResource(), nil, time.Now()), func(n corev1.ResourceName) bool { return n == name }))
			}
		}
	}
	return used, nil
}
