package nodelifecycle

import (
	"context"
	"log/slog"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	coordinationlisters "k8s.io/client-go/listers/coordination/v1"
	corelisters "k8s.io/client-go/listers/core/v1"

	"coracle/controllers/event"
	"coracle/controllers/loop"
)

// Controller watches over nodes.
type Controller struct {
	client kubernetes.Interface
	nodes  corelisters.NodeLister
	pods   corelisters.PodLister
	leases coordinationlisters.LeaseLister
	events *event.Recorder // of nodes
	taints *event.Recorder // of pods that are driven away
	loop   *loop.Loop[string]

	// Only the one worker looks at these.
	heard   map[string]heartbeat
	tainted map[string]map[types.UID]time.Time // by node: since when a pod has been there that has to leave some time
}

// New makes a controller. Call it before the factory starts.
func New(client kubernetes.Interface, factory informers.SharedInformerFactory, log *slog.Logger) *Controller {
	core, leases := factory.Core().V1(), factory.Coordination().V1().Leases()
	c := &Controller{
		client:  client,
		nodes:   core.Nodes().Lister(),
		pods:    core.Pods().Lister(),
		leases:  leases.Lister(),
		events:  event.New(client, "node-controller", log),
		taints:  event.New(client, "taint-eviction-controller", log),
		heard:   map[string]heartbeat{},
		tainted: map[string]map[types.UID]time.Time{},
	}
	c.loop = loop.New("nodelifecycle", log, c.reconcile)
	loop.Watch(c.loop, core.Nodes().Informer(), func(old, node *v1.Node) {
		if node == nil {
			node = old
		}
		c.loop.Add(node.Name)
	})
	loop.Watch(c.loop, leases.Informer(), func(_, lease *coordinationv1.Lease) {
		if lease != nil && lease.Namespace == v1.NamespaceNodeLease {
			c.loop.Add(lease.Name)
		}
	})
	loop.Watch(c.loop, core.Pods().Informer(), func(old, pod *v1.Pod) {
		if pod == nil || pod.Spec.NodeName == "" {
			return
		}
		if old == nil || old.Spec.NodeName == "" || !equality.Semantic.DeepEqual(old.Spec.Tolerations, pod.Spec.Tolerations) {
			c.loop.Add(pod.Spec.NodeName)
		}
	})
	return c
}

// Run runs the controller until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	return loop.RunAll(ctx, c.events.Run, c.taints.Run, func(ctx context.Context) error { return c.loop.Run(ctx, 1) })
}

func (c *Controller) reconcile(ctx context.Context, name string) error {
	node, err := c.nodes.Get(name)
	if apierrors.IsNotFound(err) {
		delete(c.heard, name)
		delete(c.tainted, name)
		return nil
	}
	if err != nil {
		return err
	}
	if node, err = c.checkHealth(ctx, node.DeepCopy()); err != nil {
		return err
	}
	if node, err = c.taint(ctx, node); err != nil {
		return err
	}
	return c.evict(ctx, node)
}

// podsOn are the pods of a node.
func (c *Controller) podsOn(node string) ([]*v1.Pod, error) {
	all, err := c.pods.List(labels.Everything())
	if err != nil {
		return nil, err
	}
	var pods []*v1.Pod
	for _, pod := range all {
		if pod.Spec.NodeName == node {
			pods = append(pods, pod)
		}
	}
	return pods, nil
}

// ready is a node's condition Ready, nil if it has none.
func ready(node *v1.Node) *v1.NodeCondition {
	for i := range node.Status.Conditions {
		if node.Status.Conditions[i].Type == v1.NodeReady {
			return &node.Status.Conditions[i]
		}
	}
	return nil
}

func updateOptions() metav1.UpdateOptions { return metav1.UpdateOptions{} }
