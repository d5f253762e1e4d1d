package disruption

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	v1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	appslisters "k8s.io/client-go/listers/apps/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	policylisters "k8s.io/client-go/listers/policy/v1"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/event"
	"coracle/controllers/loop"
	"coracle/controllers/workload"
)

// patience is how long after an eviction was allowed the pod's deletion is waited for.
const patience = 2 * time.Minute

// Controller keeps the statuses of PodDisruptionBudgets.
type Controller struct {
	client      kubernetes.Interface
	budgets     policylisters.PodDisruptionBudgetLister
	pods        corelisters.PodLister
	controllers corelisters.ReplicationControllerLister
	replicaSets appslisters.ReplicaSetLister
	deployments appslisters.DeploymentLister
	sets        appslisters.StatefulSetLister
	events      *event.Recorder
	loop        *loop.Loop[cache.ObjectName]
}

// New makes a controller. Call it before the factory starts.
func New(client kubernetes.Interface, factory informers.SharedInformerFactory, log *slog.Logger) *Controller {
	core, apps, budgets := factory.Core().V1(), factory.Apps().V1(), factory.Policy().V1().PodDisruptionBudgets()
	c := &Controller{
		client:      client,
		budgets:     budgets.Lister(),
		pods:        core.Pods().Lister(),
		controllers: core.ReplicationControllers().Lister(),
		replicaSets: apps.ReplicaSets().Lister(),
		deployments: apps.Deployments().Lister(),
		sets:        apps.StatefulSets().Lister(),
		events:      event.New(client, "controllermanager", log),
	}
	c.loop = loop.New("disruption", log, c.reconcile)
	loop.Need(c.loop, core.ReplicationControllers().Informer(), apps.ReplicaSets().Informer(), apps.Deployments().Informer(), apps.StatefulSets().Informer())
	workload.WatchSelf(c.loop, budgets.Informer(), nil)
	loop.Watch(c.loop, core.Pods().Informer(), func(old, pod *v1.Pod) {
		if old != nil && pod != nil && !matters(old, pod) {
			return
		}
		for _, p := range []*v1.Pod{old, pod} {
			if p != nil {
				c.addFor(p)
			}
		}
	})
	return c
}

// matters tells whether a change of a pod can change a count.
func matters(old, pod *v1.Pod) bool {
	return workload.Ready(old) != workload.Ready(pod) || workload.Ended(old) != workload.Ended(pod) ||
		(old.DeletionTimestamp == nil) != (pod.DeletionTimestamp == nil) ||
		!equality.Semantic.DeepEqual(old.Labels, pod.Labels) || !equality.Semantic.DeepEqual(old.OwnerReferences, pod.OwnerReferences)
}

// Run runs the controller until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	return loop.RunAll(ctx, c.events.Run, func(ctx context.Context) error { return c.loop.Run(ctx, 1) })
}

// addFor adds the budgets that a pod is under.
func (c *Controller) addFor(pod *v1.Pod) {
	budgets, err := c.budgets.PodDisruptionBudgets(pod.Namespace).List(labels.Everything())
	if err != nil {
		return // the lister reads memory; there is no error to have
	}
	for _, b := range budgets {
		if s, err := metav1.LabelSelectorAsSelector(b.Spec.Selector); err == nil && s.Matches(labels.Set(pod.Labels)) {
			c.loop.Add(cache.MetaObjectToName(b))
		}
	}
}

func (c *Controller) reconcile(ctx context.Context, name cache.ObjectName) error {
	budget, err := c.budgets.PodDisruptionBudgets(name.Namespace).Get(name.Name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	status, err := c.count(budget)
	if err != nil {
		// Nothing may be evicted as long as nobody can count.
		c.events.Warning(budget, "CalculateExpectedPodCountFailed", "Failed to calculate the number of expected pods: %v", err)
		status = *budget.Status.DeepCopy()
		status.DisruptionsAllowed = 0
		meta.SetStatusCondition(&status.Conditions, metav1.Condition{
			Type: policyv1.DisruptionAllowedCondition, Status: metav1.ConditionFalse, Reason: policyv1.SyncFailedReason,
			Message: err.Error(), ObservedGeneration: status.ObservedGeneration,
		})
	}
	if equality.Semantic.DeepEqual(budget.Status, status) {
		return nil
	}
	budget = budget.DeepCopy()
	budget.Status = status
	_, err = c.client.PolicyV1().PodDisruptionBudgets(name.Namespace).UpdateStatus(ctx, budget, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// count is what a budget's status should say.
func (c *Controller) count(budget *policyv1.PodDisruptionBudget) (policyv1.PodDisruptionBudgetStatus, error) {
	var status policyv1.PodDisruptionBudgetStatus
	selector, err := metav1.LabelSelectorAsSelector(budget.Spec.Selector)
	if err != nil {
		return status, err
	}
	pods, err := c.pods.Pods(budget.Namespace).List(selector)
	if err != nil {
		return status, err
	}
	if len(pods) == 0 {
		c.events.Normal(budget, "NoPods", "No matching pods found")
	}
	expected, desired, err := c.expected(budget, pods)
	if err != nil {
		return status, err
	}
	status = policyv1.PodDisruptionBudgetStatus{
		ExpectedPods:       expected,
		DesiredHealthy:     desired,
		DisruptedPods:      c.disrupted(budget, pods),
		ObservedGeneration: budget.Generation,
		Conditions:         budget.DeepCopy().Status.Conditions,
	}
	for _, pod := range pods {
		_, disrupted := status.DisruptedPods[pod.Name]
		if pod.DeletionTimestamp == nil && !disrupted && workload.Ready(pod) {
			status.CurrentHealthy++
		}
	}
	condition := metav1.Condition{
		Type: policyv1.DisruptionAllowedCondition, Status: metav1.ConditionFalse, Reason: policyv1.InsufficientPodsReason,
		ObservedGeneration: budget.Generation,
	}
	if expected > 0 && status.CurrentHealthy > desired {
		status.DisruptionsAllowed = status.CurrentHealthy - desired
		condition.Status, condition.Reason = metav1.ConditionTrue, policyv1.SufficientPodsReason
	}
	meta.SetStatusCondition(&status.Conditions, condition)
	return status, nil
}

// disrupted are the pods whose eviction was allowed and whose deletion is still to come.
func (c *Controller) disrupted(budget *policyv1.PodDisruptionBudget, pods []*v1.Pod) map[string]metav1.Time {
	left := map[string]metav1.Time{}
	for _, pod := range pods {
		at, ok := budget.Status.DisruptedPods[pod.Name]
		if !ok || pod.DeletionTimestamp != nil {
			continue
		}
		wait := time.Until(at.Add(patience))
		if wait <= 0 {
			c.events.Warning(pod, "NotDeleted", "Pod was expected by PDB %s/%s to be deleted but it wasn't", budget.Namespace, budget.Name)
			continue
		}
		left[pod.Name] = at
		c.loop.AddAfter(cache.MetaObjectToName(budget), wait)
	}
	return left
}

// expected are how many pods there should be, and how many of them healthy.
func (c *Controller) expected(budget *policyv1.PodDisruptionBudget, pods []*v1.Pod) (expected, desired int32, err error) {
	limit, isMost := budget.Spec.MinAvailable, false
	if budget.Spec.MaxUnavailable != nil {
		limit, isMost = budget.Spec.MaxUnavailable, true
	}
	switch {
	case limit == nil:
		return 0, 0, nil
	case !isMost && limit.Type == intstr.Int:
		return int32(len(pods)), limit.IntVal, nil
	}
	if expected, err = c.scale(budget, pods); err != nil {
		return 0, 0, err
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(limit, int(expected), true)
	if err != nil {
		return 0, 0, err
	}
	if isMost {
		return expected, max(expected-int32(n), 0), nil
	}
	return expected, int32(n), nil
}

// scale adds up how many pods the owners of these pods ask for.
func (c *Controller) scale(budget *policyv1.PodDisruptionBudget, pods []*v1.Pod) (int32, error) {
	scales, unmanaged := map[types.UID]int32{}, false
	for _, pod := range pods {
		ref := metav1.GetControllerOfNoCopy(pod)
		if ref == nil {
			unmanaged = true
			continue
		}
		owner, replicas := c.ownerOf(pod.Namespace, ref)
		if owner == "" {
			return 0, fmt.Errorf("found no controllers for pod %q", pod.Name)
		}
		scales[owner] = replicas
	}
	if unmanaged {
		c.events.Warning(budget, "UnmanagedPods", "Pods selected by this PodDisruptionBudget (selector: %v) were found "+
			"to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. "+
			"To account for these pods please set \".spec.minAvailable\" "+
			"field of the PDB to an integer value.", budget.Spec.Selector)
	}
	total := int32(0)
	for _, n := range scales {
		total += n
	}
	return total, nil
}

// ownerOf is who decides how many pods there are, for a ReplicaSet of a Deployment that Deployment; "" if nobody is known.
func (c *Controller) ownerOf(namespace string, ref *metav1.OwnerReference) (types.UID, int32) {
	is := func(group, kind string) bool {
		return workload.Is(ref, schema.GroupVersionKind{Group: group, Kind: kind})
	}
	switch {
	case is("apps", "ReplicaSet"):
		set, err := c.replicaSets.ReplicaSets(namespace).Get(ref.Name)
		if err != nil || set.UID != ref.UID {
			return "", 0
		}
		if above := metav1.GetControllerOfNoCopy(set); above != nil && above.Kind == "Deployment" {
			if d, err := c.deployments.Deployments(namespace).Get(above.Name); err == nil && d.UID == above.UID {
				return d.UID, *d.Spec.Replicas
			}
		}
		return set.UID, *set.Spec.Replicas
	case is("apps", "StatefulSet"):
		if set, err := c.sets.StatefulSets(namespace).Get(ref.Name); err == nil && set.UID == ref.UID {
			return set.UID, *set.Spec.Replicas
		}
	case is("", "ReplicationController"):
		if rc, err := c.controllers.ReplicationControllers(namespace).Get(ref.Name); err == nil && rc.UID == ref.UID {
			return rc.UID, *rc.Spec.Replicas
		}
	}
	return "", 0
}
