package daemonset

import (
	"context"
	"log/slog"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	appslisters "k8s.io/client-go/listers/apps/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/flowcontrol"

	"coracle/controllers/event"
	"coracle/controllers/loop"
	"coracle/controllers/revision"
	"coracle/controllers/workload"
)

// A pod that keeps failing is deleted later each time, or its node and this controller would go on for ever.
const (
	firstBackOff = time.Second
	lastBackOff  = 15 * time.Minute
)

// Controller runs the pods of DaemonSets.
type Controller struct {
	client  kubernetes.Interface
	sets    appslisters.DaemonSetLister
	nodes   corelisters.NodeLister
	index   workload.Index
	pods    *workload.Pods
	history *revision.History
	events  *event.Recorder
	backOff *flowcontrol.Backoff
	loop    *loop.Loop[cache.ObjectName]
}

func kind() schema.GroupVersionKind { return appsv1.SchemeGroupVersion.WithKind("DaemonSet") }

// New makes a controller. Call it before the factory starts.
func New(client kubernetes.Interface, factory informers.SharedInformerFactory, log *slog.Logger) *Controller {
	sets, core := factory.Apps().V1().DaemonSets(), factory.Core().V1()
	c := &Controller{
		client:  client,
		sets:    sets.Lister(),
		nodes:   core.Nodes().Lister(),
		index:   workload.NewIndex(core.Pods().Informer()),
		history: revision.NewHistory(client, factory),
		events:  event.New(client, "daemonset-controller", log),
		backOff: flowcontrol.NewBackOff(firstBackOff, lastBackOff),
	}
	c.pods = workload.NewPods(client, factory, c.events)
	c.loop = loop.New("daemonset", log, c.reconcile)
	workload.WatchSelf(c.loop, sets.Informer(), c.pods.Forget)
	workload.WatchOwned(c.loop, core.Pods().Informer(), kind(), func(pod *v1.Pod) []cache.ObjectName {
		return workload.Selecting(c.all(pod.Namespace), pod, func(s *appsv1.DaemonSet) *metav1.LabelSelector { return s.Spec.Selector })
	})
	workload.WatchOwned[*appsv1.ControllerRevision](c.loop, c.history.Informer(), kind(), nil)
	loop.Watch(c.loop, core.Nodes().Informer(), func(old, node *v1.Node) {
		if old != nil && node != nil && equality.Semantic.DeepEqual(old.Labels, node.Labels) && equality.Semantic.DeepEqual(old.Spec.Taints, node.Spec.Taints) {
			return
		}
		for _, set := range c.all(metav1.NamespaceAll) {
			c.loop.Add(cache.MetaObjectToName(set))
		}
	})
	return c
}

// Run runs the controller until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	return loop.RunAll(ctx, c.events.Run, func(ctx context.Context) error { return c.loop.Run(ctx, 1) })
}

func (c *Controller) all(namespace string) []*appsv1.DaemonSet {
	sets, err := c.sets.DaemonSets(namespace).List(labels.Everything())
	if err != nil {
		return nil // the lister reads memory; there is no error to have
	}
	return sets
}

func (c *Controller) reconcile(ctx context.Context, name cache.ObjectName) error {
	set, err := c.sets.DaemonSets(name.Namespace).Get(name.Name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	selector, err := metav1.LabelSelectorAsSelector(set.Spec.Selector)
	switch {
	case err != nil || selector.Empty():
		c.events.Warning(set, "SelectingAll", "This daemon set is selecting all pods. A non-empty selector is required.")
		return nil
	case set.DeletionTimestamp != nil:
		return nil
	}
	fresh := func(ctx context.Context) (metav1.Object, error) {
		return c.client.AppsV1().DaemonSets(set.Namespace).Get(ctx, set.Name, metav1.GetOptions{})
	}
	current := c.pods.UpToDate(set.UID) // before the pods are looked at
	revisions, err := c.history.Owned(ctx, set, kind(), selector, fresh)
	if err != nil {
		return err
	}
	newest, err := c.newest(ctx, set, revisions)
	if err != nil || newest == nil {
		return err
	}
	pods, err := workload.Claim[*v1.Pod]{
		Owner: set, Kind: kind(), Selector: selector, Fresh: fresh,
		Patch: c.pods.Patch,
	}.Of(ctx, c.index.Candidates(set))
	if err != nil {
		return err
	}
	d, err := c.newDaemon(set, pods, newest.Labels[appsv1.DefaultDaemonSetUniqueLabelKey])
	if err != nil {
		return err
	}
	var managing error
	if current {
		managing = d.manage(ctx)
	}
	if err := d.writeStatus(ctx, current && managing == nil); err != nil {
		return err
	}
	if managing != nil || !current {
		return managing // the pods that are on their way bring the key back
	}
	return c.history.Truncate(ctx, revisions, set.Spec.RevisionHistoryLimit, func(r *appsv1.ControllerRevision) bool {
		return r.Name == newest.Name || d.uses(r.Labels[appsv1.DefaultDaemonSetUniqueLabelKey])
	})
}

// newest is the revision of the set's template; it is made if there is none. nil: come again.
func (c *Controller) newest(ctx context.Context, set *appsv1.DaemonSet, revisions []*appsv1.ControllerRevision) (*appsv1.ControllerRevision, error) {
	data, err := revision.Data(&set.Spec.Template)
	if err != nil {
		return nil, err
	}
	next, last := revision.Next(revisions), (*appsv1.ControllerRevision)(nil)
	for _, r := range revisions {
		if string(r.Data.Raw) == string(data) {
			last = r
		}
	}
	switch {
	case last != nil && last.Revision == next-1:
		return last, nil
	case last != nil:
		return c.history.Renumber(ctx, last, next)
	}
	hash := workload.Hash(&set.Spec.Template, set.Status.CollisionCount)
	made, collision, err := c.history.Make(ctx, &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       set.Namespace,
			Name:            set.Name + "-" + hash,
			Labels:          with(set.Spec.Template.Labels, appsv1.DefaultDaemonSetUniqueLabelKey, hash),
			Annotations:     set.Annotations,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(set, kind())},
		},
		Data:     runtime.RawExtension{Raw: data},
		Revision: next,
	})
	if apierrors.HasStatusCause(err, v1.NamespaceTerminatingCause) {
		return nil, nil
	}
	if err != nil || !collision {
		return made, err
	}
	count := int32(1)
	if set.Status.CollisionCount != nil {
		count += *set.Status.CollisionCount
	}
	set = set.DeepCopy()
	set.Status.CollisionCount = &count
	_, err = c.client.AppsV1().DaemonSets(set.Namespace).UpdateStatus(ctx, set, metav1.UpdateOptions{})
	return nil, err
}

func with(labels map[string]string, key, value string) map[string]string {
	all := map[string]string{key: value}
	for k, v := range labels {
		if k != key {
			all[k] = v
		}
	}
	return all
}
