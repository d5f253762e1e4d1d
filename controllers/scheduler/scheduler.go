package scheduler

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"

	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/event"
	"coracle/controllers/loop"
)

// Name is the scheduler that pods ask for by default, and where its Events come from.
const Name = v1.DefaultSchedulerName

// workers bind at the same time; deciding is done by one after the other.
const workers = 8

// Controller binds pods to nodes.
type Controller struct {
	client kubernetes.Interface
	pods   corelisters.PodLister
	nodes  corelisters.NodeLister
	events *event.Recorder
	ledger *ledger
	loop   *loop.Loop[cache.ObjectName]

	deciding sync.Mutex // from looking at the ledger to writing the choice into it

	mu      sync.Mutex // guards waiting
	waiting map[cache.ObjectName]struct{}
}

// New makes a scheduler. Call it before the factory starts.
func New(client kubernetes.Interface, factory informers.SharedInformerFactory, log *slog.Logger) *Controller {
	core := factory.Core().V1()
	c := &Controller{
		client:  client,
		pods:    core.Pods().Lister(),
		nodes:   core.Nodes().Lister(),
		events:  event.New(client, Name, log),
		ledger:  newLedger(),
		waiting: map[cache.ObjectName]struct{}{},
	}
	c.loop = loop.New("scheduler", log, c.reconcile)
	loop.Watch(c.loop, core.Pods().Informer(), c.podChanged)
	loop.Watch(c.loop, core.Nodes().Informer(), func(old, node *v1.Node) {
		if node != nil && (old == nil || matters(old, node)) {
			c.wake()
		}
	})
	return c
}

// Run runs the scheduler until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	return loop.RunAll(ctx, c.events.Run, func(ctx context.Context) error { return c.loop.Run(ctx, workers) })
}

func (c *Controller) podChanged(old, pod *v1.Pod) {
	if pod == nil {
		if c.ledger.remove(old.UID) {
			c.wake()
		}
		c.forget(cache.MetaObjectToName(old))
		return
	}
	switch {
	case pod.Status.Phase == v1.PodSucceeded, pod.Status.Phase == v1.PodFailed:
		if c.ledger.remove(pod.UID) {
			c.wake()
		}
	case pod.Spec.NodeName != "":
		c.ledger.add(pod, pod.Spec.NodeName)
	case old == nil || !equality.Semantic.DeepEqual(old.Spec, pod.Spec):
		c.loop.Add(cache.MetaObjectToName(pod))
	}
}

// matters reports whether a node changed in a way that can make room for a pod. Heartbeats do not.
func matters(old, node *v1.Node) bool {
	return !equality.Semantic.DeepEqual(old.Spec, node.Spec) ||
		!equality.Semantic.DeepEqual(old.Labels, node.Labels) ||
		!equality.Semantic.DeepEqual(old.Status.Allocatable, node.Status.Allocatable)
}

// wake tries every pod again that fits nowhere yet.
func (c *Controller) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name := range c.waiting {
		c.loop.Add(name)
	}
}

func (c *Controller) wait(name cache.ObjectName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting[name] = struct{}{}
}

func (c *Controller) forget(name cache.ObjectName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, name)
}

func (c *Controller) reconcile(ctx context.Context, name cache.ObjectName) error {
	pod, err := c.pods.Pods(name.Namespace).Get(name.Name)
	if apierrors.IsNotFound(err) {
		c.forget(name)
		return nil
	}
	if err != nil {
		return err
	}
	if !wanted(pod) || c.ledger.has(pod.UID) {
		c.forget(name)
		return nil
	}
	c.wait(name) // before looking: a node that comes meanwhile must not be missed
	node, verdict, err := c.decide(pod)
	switch {
	case err != nil:
		return err
	case node == "":
		return c.tell(ctx, pod, verdict)
	}
	c.forget(name)
	return c.bind(ctx, pod, node)
}

// wanted reports whether it is for this scheduler to find pod a node, now.
func wanted(pod *v1.Pod) bool {
	return pod.Spec.SchedulerName == Name && pod.Spec.NodeName == "" && pod.DeletionTimestamp == nil &&
		len(pod.Spec.SchedulingGates) == 0 && pod.Status.Phase != v1.PodSucceeded && pod.Status.Phase != v1.PodFailed
}

// decide returns the node for pod and enters it into the ledger, or says why there is none.
func (c *Controller) decide(pod *v1.Pod) (node string, verdict string, err error) {
	c.deciding.Lock()
	defer c.deciding.Unlock()
	nodes, err := c.nodes.List(labels.Everything())
	if err != nil {
		return "", "", err
	}
	want := demandOf(pod)
	var fitting []*v1.Node
	refusals := make([]refusal, 0, len(nodes))
	for _, node := range nodes {
		if r := c.filter(want, node); len(r.reasons) > 0 {
			refusals = append(refusals, r)
		} else {
			fitting = append(fitting, node)
		}
	}
	if len(fitting) == 0 {
		return "", explain(pod, refusals), nil
	}
	node = c.best(want, fitting)
	c.ledger.add(pod, node)
	return node, "", nil
}

func (c *Controller) bind(ctx context.Context, pod *v1.Pod, node string) error {
	err := c.client.CoreV1().Pods(pod.Namespace).Bind(ctx, &v1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID},
		Target:     v1.ObjectReference{Kind: "Node", Name: node},
	}, metav1.CreateOptions{})
	if err == nil {
		c.events.Normal(pod, "Scheduled", "Successfully assigned %v/%v to %v", pod.Namespace, pod.Name, node)
		return nil
	}
	c.ledger.remove(pod.UID)
	if apierrors.IsNotFound(err) {
		return nil // the pod is gone
	}
	return err
}

// tell says in the pod's status and in an Event why it has no node.
func (c *Controller) tell(ctx context.Context, pod *v1.Pod, verdict string) error {
	c.events.Warning(pod, "FailedScheduling", "%s", verdict)
	condition := v1.PodCondition{
		Type:               v1.PodScheduled,
		Status:             v1.ConditionFalse,
		Reason:             v1.PodReasonUnschedulable,
		Message:            verdict,
		ObservedGeneration: pod.Generation,
		LastTransitionTime: metav1.Now(),
	}
	for _, old := range pod.Status.Conditions {
		if old.Type != condition.Type || old.Status != condition.Status {
			continue
		}
		if old.Reason == condition.Reason && old.Message == condition.Message {
			return nil
		}
		condition.LastTransitionTime = old.LastTransitionTime
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"uid": pod.UID}, // another pod of the same name is none of ours
		"status":   map[string]any{"conditions": []v1.PodCondition{condition}},
	})
	if err != nil {
		return err
	}
	_, err = c.client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}, "status")
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}
