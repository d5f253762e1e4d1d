package deployment

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	appslisters "k8s.io/client-go/listers/apps/v1"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/event"
	"coracle/controllers/loop"
	"coracle/controllers/workload"
)

// Controller rolls out Deployments.
type Controller struct {
	client      kubernetes.Interface
	deployments appslisters.DeploymentLister
	sets        appslisters.ReplicaSetLister
	pods        workload.Index
	events      *event.Recorder
	loop        *loop.Loop[cache.ObjectName]
}

// New makes a controller. Call it before the factory starts.
func New(client kubernetes.Interface, factory informers.SharedInformerFactory, log *slog.Logger) *Controller {
	apps, pods := factory.Apps().V1(), factory.Core().V1().Pods().Informer()
	c := &Controller{
		client:      client,
		deployments: apps.Deployments().Lister(),
		sets:        apps.ReplicaSets().Lister(),
		pods:        workload.NewIndex(pods),
		events:      event.New(client, "deployment-controller", log),
	}
	c.loop = loop.New("deployment", log, c.reconcile)
	workload.WatchSelf(c.loop, apps.Deployments().Informer(), nil)
	workload.WatchOwned(c.loop, apps.ReplicaSets().Informer(), kind(), c.selecting)
	loop.Watch(c.loop, pods, c.podChanged)
	return c
}

// Run runs the controller until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	return loop.RunAll(ctx, c.events.Run, func(ctx context.Context) error { return c.loop.Run(ctx, 2) })
}

// selecting are the names of the Deployments that might adopt a ReplicaSet.
func (c *Controller) selecting(set *appsv1.ReplicaSet) []cache.ObjectName {
	deployments, err := c.deployments.Deployments(set.Namespace).List(labels.Everything())
	if err != nil {
		return nil // the lister reads memory; there is no error to have
	}
	return workload.Selecting(deployments, set, func(d *appsv1.Deployment) *metav1.LabelSelector { return d.Spec.Selector })
}

// podChanged wakes a Deployment that may have been waiting for its last old pod to end. Everything else that it has to
// know of pods its ReplicaSets tell.
func (c *Controller) podChanged(old, pod *v1.Pod) {
	if pod != nil && !workload.Ended(pod) || old == nil {
		return
	}
	ref := metav1.GetControllerOfNoCopy(old)
	if ref == nil || ref.Kind != "ReplicaSet" {
		return
	}
	set, err := c.sets.ReplicaSets(old.Namespace).Get(ref.Name)
	if err != nil {
		return
	}
	if ref = metav1.GetControllerOfNoCopy(set); ref == nil || !workload.Is(ref, kind()) {
		return
	}
	d, err := c.deployments.Deployments(old.Namespace).Get(ref.Name)
	if err == nil && d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		c.loop.Add(cache.MetaObjectToName(d))
	}
}

func (c *Controller) reconcile(ctx context.Context, name cache.ObjectName) error {
	d, err := c.deployments.Deployments(name.Namespace).Get(name.Name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	r := &rollout{Controller: c, d: d.DeepCopy()}
	if selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector); err != nil || selector.Empty() {
		c.events.Warning(d, "SelectingAll", "This deployment is selecting all pods. A non-empty selector is required.")
		return r.observe(ctx)
	}
	sets, err := c.claim(ctx, d)
	if err != nil {
		return err
	}
	r.sort(sets)
	if d.DeletionTimestamp != nil {
		return r.writeStatus(ctx, r.status())
	}
	if err := r.notePause(ctx); err != nil {
		return err
	}
	if err := r.syncNew(ctx, false); err != nil {
		return err
	}
	switch {
	case d.Spec.Paused, r.isScaling():
		return r.resize(ctx)
	case d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType:
		return r.recreate(ctx)
	case d.Spec.Strategy.Type == appsv1.RollingUpdateDeploymentStrategyType:
		return r.roll(ctx)
	}
	return fmt.Errorf("unexpected deployment strategy type: %s", d.Spec.Strategy.Type)
}

// claim returns the ReplicaSets that are the Deployment's, the oldest first.
func (c *Controller) claim(ctx context.Context, d *appsv1.Deployment) ([]*appsv1.ReplicaSet, error) {
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil {
		return nil, err
	}
	all, err := c.sets.ReplicaSets(d.Namespace).List(labels.Everything())
	if err != nil {
		return nil, err
	}
	sets, err := workload.Claim[*appsv1.ReplicaSet]{
		Owner: d, Kind: kind(), Selector: selector,
		Fresh: func(ctx context.Context) (metav1.Object, error) {
			return c.client.AppsV1().Deployments(d.Namespace).Get(ctx, d.Name, metav1.GetOptions{})
		},
		Patch: func(ctx context.Context, set *appsv1.ReplicaSet, patch []byte) error {
			_, err := c.client.AppsV1().ReplicaSets(set.Namespace).Patch(ctx, set.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
			return err
		},
	}.Of(ctx, all)
	slices.SortFunc(sets, byAge)
	return sets, err
}
