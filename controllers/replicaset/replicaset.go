package replicaset

import (
	"context"
	"log/slog"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/event"
	"coracle/controllers/loop"
	"coracle/controllers/workload"
)

// burst is how many pods are made or deleted for one ReplicaSet before it is looked at again.
const burst = 500

// Controller keeps as many pods as ReplicaSets, or ReplicationControllers, ask for.
type Controller struct {
	kind   kind
	index  workload.Index
	pods   *workload.Pods
	events *event.Recorder
	loop   *loop.Loop[cache.ObjectName]
}

// New makes a controller of ReplicaSets. Call it before the factory starts.
func New(client kubernetes.Interface, factory informers.SharedInformerFactory, log *slog.Logger) *Controller {
	return newController("replicaset", client, newReplicaSets(client, factory), factory, log)
}

// NewReplication makes a controller of ReplicationControllers. Call it before the factory starts.
func NewReplication(client kubernetes.Interface, factory informers.SharedInformerFactory, log *slog.Logger) *Controller {
	return newController("replication", client, newReplicationControllers(client, factory), factory, log)
}

func newController(name string, client kubernetes.Interface, k kind, factory informers.SharedInformerFactory, log *slog.Logger) *Controller {
	pods := factory.Core().V1().Pods().Informer()
	c := &Controller{kind: k, index: workload.NewIndex(pods), events: event.New(client, name+"-controller", log)}
	c.pods = workload.NewPods(client, factory, c.events)
	c.loop = loop.New(name, log, c.reconcile)
	workload.WatchSelf(c.loop, k.informer(), c.pods.Forget)
	workload.WatchOwned(c.loop, pods, k.gvk(), c.selecting)
	return c
}

// Run runs the controller until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	return loop.RunAll(ctx, c.events.Run, func(ctx context.Context) error { return c.loop.Run(ctx, 2) })
}

// selecting are the names of those that might adopt a pod.
func (c *Controller) selecting(pod *v1.Pod) []cache.ObjectName {
	sets, err := c.kind.list(pod.Namespace)
	if err != nil {
		return nil // the lister reads memory; there is no error to have
	}
	return workload.Selecting(sets, pod, func(s *appsv1.ReplicaSet) *metav1.LabelSelector { return s.Spec.Selector })
}

func (c *Controller) reconcile(ctx context.Context, name cache.ObjectName) error {
	set, err := c.kind.get(name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	current := c.pods.UpToDate(set.UID)
	active, terminating, err := c.claim(ctx, set)
	if err != nil {
		return err
	}
	var managing error
	if current && set.DeletionTimestamp == nil {
		managing = c.manage(ctx, set, active)
	}
	status, wait := newStatus(set, active, terminating, managing, time.Now())
	if !c.kind.countsTerminating() {
		status.TerminatingReplicas = nil
	}
	if !equality.Semantic.DeepEqual(set.Status, status) {
		set = set.DeepCopy()
		set.Status = status
		if err := c.kind.updateStatus(ctx, set); err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	switch {
	case managing != nil:
		return managing
	case !current:
		return loop.ErrAgain
	case wait > 0:
		c.loop.AddAfter(name, wait)
	}
	return nil
}

// claim returns the pods that are the set's: those that count, and those that are about to end.
func (c *Controller) claim(ctx context.Context, set *appsv1.ReplicaSet) (active, terminating []*v1.Pod, err error) {
	selector, err := metav1.LabelSelectorAsSelector(set.Spec.Selector)
	if err != nil {
		return nil, nil, err
	}
	candidates := c.index.Candidates(set)
	for _, pod := range candidates {
		if workload.Terminating(pod) && metav1.IsControlledBy(pod, set) && workload.Selects(set.Spec.Selector, pod) {
			terminating = append(terminating, pod)
		}
	}
	active, err = workload.Claim[*v1.Pod]{
		Owner: set, Kind: c.kind.gvk(), Selector: selector,
		Fresh: func(ctx context.Context) (metav1.Object, error) {
			return c.kind.fresh(ctx, cache.MetaObjectToName(set))
		},
		Patch: c.pods.Patch,
	}.Of(ctx, slices.DeleteFunc(candidates, func(pod *v1.Pod) bool { return !workload.Active(pod) }))
	return active, terminating, err
}

// manage makes pods where there are too few and deletes some where there are too many.
func (c *Controller) manage(ctx context.Context, set *appsv1.ReplicaSet, active []*v1.Pod) error {
	want := int(*set.Spec.Replicas)
	if missing := min(want-len(active), burst); missing > 0 {
		owner := metav1.NewControllerRef(set, c.kind.gvk())
		return workload.InBatches(missing, func(int) error {
			return c.pods.Create(ctx, set, workload.FromTemplate(&set.Spec.Template, owner))
		})
	}
	if extra := min(len(active)-want, burst); extra > 0 {
		related, err := c.related(set)
		if err != nil {
			return err
		}
		victims := workload.Victims(active, related, extra, time.Now())
		return workload.AtOnce(len(victims), func(i int) error { return c.pods.Delete(ctx, set, victims[i]) })
	}
	return nil
}

// related are the pods of all sets that have the same controller as this one.
func (c *Controller) related(set *appsv1.ReplicaSet) ([]*v1.Pod, error) {
	ref := metav1.GetControllerOfNoCopy(set)
	if ref == nil {
		return nil, nil
	}
	sets, err := c.kind.list(set.Namespace)
	if err != nil {
		return nil, err
	}
	var pods []*v1.Pod
	for _, other := range sets {
		if its := metav1.GetControllerOfNoCopy(other); its != nil && its.UID == ref.UID {
			pods = append(pods, c.index.Owned(other.UID)...)
		}
	}
	return pods, nil
}
