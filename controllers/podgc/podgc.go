package podgc

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"

	"coracle/controllers/loop"
	"coracle/controllers/workload"
)

// quarantine is how long a node has to be missing before its pods are given up.
const quarantine = 40 * time.Second

// Controller deletes pods of nodes that are gone.
type Controller struct {
	client kubernetes.Interface
	pods   corelisters.PodLister
	nodes  corelisters.NodeLister
	loop   *loop.Loop[string] // names of nodes
}

// New makes a controller. Call it before the factory starts.
func New(client kubernetes.Interface, factory informers.SharedInformerFactory, log *slog.Logger) *Controller {
	core := factory.Core().V1()
	c := &Controller{client: client, pods: core.Pods().Lister(), nodes: core.Nodes().Lister()}
	c.loop = loop.New("podgc", log, c.reconcile)
	loop.Watch(c.loop, core.Nodes().Informer(), func(old, node *v1.Node) {
		if node == nil {
			c.loop.AddAfter(old.Name, quarantine)
		}
	})
	loop.Watch(c.loop, core.Pods().Informer(), func(old, pod *v1.Pod) {
		if pod == nil || pod.Spec.NodeName == "" || old != nil && old.Spec.NodeName != "" {
			return
		}
		// The informer of nodes may be the later one to start: whether the node is there is asked after the quarantine.
		if _, err := c.nodes.Get(pod.Spec.NodeName); err != nil {
			c.loop.AddAfter(pod.Spec.NodeName, quarantine)
		}
	})
	return c
}

// Run runs the controller until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.loop.Run(ctx, 1) }

func (c *Controller) reconcile(ctx context.Context, node string) error {
	if _, err := c.nodes.Get(node); err == nil {
		return nil
	}
	// The cache may be late.
	if _, err := c.client.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		return err
	}
	pods, err := c.pods.List(labels.Everything())
	if err != nil {
		return err
	}
	for _, pod := range pods {
		if pod.Spec.NodeName != node {
			continue
		}
		if err := c.giveUp(ctx, pod); err != nil {
			return err
		}
	}
	return nil
}

// giveUp lets a pod fail, which nobody else will, and deletes it at once.
func (c *Controller) giveUp(ctx context.Context, pod *v1.Pod) error {
	api := c.client.CoreV1().Pods(pod.Namespace)
	if !workload.Ended(pod) {
		patch, err := json.Marshal(map[string]any{
			"metadata": map[string]any{"uid": pod.UID},
			"status": map[string]any{"phase": v1.PodFailed, "conditions": []v1.PodCondition{{
				Type: v1.DisruptionTarget, Status: v1.ConditionTrue, LastTransitionTime: metav1.Now(),
				Reason: "DeletionByPodGC", Message: "PodGC: node no longer exists",
			}}},
		})
		if err != nil {
			return err
		}
		_, err = api.Patch(ctx, pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
		if err != nil {
			return ignoreGone(err)
		}
	}
	return ignoreGone(api.Delete(ctx, pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: new(int64(0)), Preconditions: &metav1.Preconditions{UID: &pod.UID},
	}))
}

// ignoreGone: a pod that is gone, or another by now, is what was wanted.
func ignoreGone(err error) error {
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}
