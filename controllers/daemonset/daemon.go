package daemonset

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/workload"
)

// burst is how many pods are made or deleted for one DaemonSet before it is looked at again.
const burst = 250

// daemon is one DaemonSet at one moment, with its pods by node.
type daemon struct {
	*Controller
	set   *appsv1.DaemonSet
	hash  string // of the newest revision
	nodes []*v1.Node
	pods  map[string][]*v1.Pod // the oldest first
	now   time.Time
}

func (c *Controller) newDaemon(set *appsv1.DaemonSet, pods []*v1.Pod, hash string) (*daemon, error) {
	nodes, err := c.nodes.List(labels.Everything())
	if err != nil {
		return nil, err
	}
	slices.SortFunc(nodes, func(a, b *v1.Node) int { return cmp.Compare(a.Name, b.Name) })
	d := &daemon{Controller: c, set: set, hash: hash, nodes: nodes, pods: map[string][]*v1.Pod{}, now: time.Now()}
	slices.SortFunc(pods, func(a, b *v1.Pod) int {
		unbound := func(p *v1.Pod) int {
			if p.Spec.NodeName == "" {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(unbound(a), unbound(b)), a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Name, b.Name))
	})
	for _, pod := range pods {
		if node := nodeOf(pod); node != "" && (!workload.Ended(pod) || pod.DeletionTimestamp == nil) {
			d.pods[node] = append(d.pods[node], pod)
		}
	}
	return d, nil
}

func (d *daemon) isNew(pod *v1.Pod) bool {
	return pod.Labels[appsv1.DefaultDaemonSetUniqueLabelKey] == d.hash
}

func (d *daemon) available(pod *v1.Pod) bool {
	ok, in := workload.Available(pod, d.set.Spec.MinReadySeconds, d.now)
	if in > 0 {
		d.loop.AddAfter(cache.MetaObjectToName(d.set), in)
	}
	return ok
}

// uses tells whether a pod of that revision is left.
func (d *daemon) uses(hash string) bool {
	for _, pods := range d.pods {
		if slices.ContainsFunc(pods, func(p *v1.Pod) bool { return p.Labels[appsv1.DefaultDaemonSetUniqueLabelKey] == hash }) {
			return true
		}
	}
	return false
}

// manage makes the pods that are missing and deletes those that should not be; when there are neither, it goes a step of
// the rolling update.
func (d *daemon) manage(ctx context.Context) error {
	var missing []string
	var surplus []*v1.Pod
	exists := map[string]bool{}
	for _, node := range d.nodes {
		exists[node.Name] = true
		run, stay := d.suits(node)
		needs, extra := d.onNode(node.Name, run, stay)
		if needs {
			missing = append(missing, node.Name)
		}
		surplus = append(surplus, extra...)
	}
	for name, pods := range d.pods {
		for _, pod := range pods {
			if !exists[name] && pod.Spec.NodeName == "" { // nobody would ever bind it
				surplus = append(surplus, pod)
			}
		}
	}
	if len(missing)+len(surplus) == 0 && d.set.Spec.UpdateStrategy.Type == appsv1.RollingUpdateDaemonSetStrategyType {
		missing, surplus = d.roll()
	}
	missing, surplus = missing[:min(len(missing), burst)], surplus[:min(len(surplus), burst)]
	err := workload.InBatches(len(missing), func(i int) error {
		return d.Controller.pods.Create(ctx, d.set, d.newPod(missing[i]))
	})
	if err2 := workload.AtOnce(len(surplus), func(i int) error { return d.Controller.pods.Delete(ctx, d.set, surplus[i]) }); err == nil {
		err = err2
	}
	return err
}

// onNode tells whether a node needs a pod, and which of those it has should go.
func (d *daemon) onNode(node string, run, stay bool) (needs bool, surplus []*v1.Pod) {
	pods := d.pods[node]
	if run && len(pods) == 0 {
		return true, nil
	}
	var running []*v1.Pod
	for _, pod := range pods {
		switch {
		case pod.DeletionTimestamp != nil:
		case !stay:
			surplus = append(surplus, pod)
		case pod.Status.Phase == v1.PodFailed:
			if d.mayReplace(pod, node) {
				d.events.Warning(d.set, "FailedDaemonPod", "Found failed daemon pod %s/%s on node %s, will try to kill it", pod.Namespace, pod.Name, node)
				surplus = append(surplus, pod)
			}
		case pod.Status.Phase == v1.PodSucceeded:
			d.events.Normal(d.set, "SucceededDaemonPod", "Found succeeded daemon pod %s/%s on node %s, will try to delete it", pod.Namespace, pod.Name, node)
			surplus = append(surplus, pod)
		default:
			running = append(running, pod)
		}
	}
	surge, _ := d.fences(1)
	switch {
	case !stay:
	case surge == 0:
		surplus = append(surplus, running[min(1, len(running)):]...)
	case len(running) == 0:
		needs = run
	default:
		surplus = append(surplus, d.surgeSurplus(running)...)
	}
	return needs, surplus
}

// surgeSurplus keeps the oldest pod of the newest revision, and beside it the oldest of another as long as that one
// serves and the new one does not.
func (d *daemon) surgeSurplus(running []*v1.Pod) (surplus []*v1.Pod) {
	var newPod, oldPod *v1.Pod
	for _, pod := range running {
		switch {
		case d.isNew(pod) && newPod == nil:
			newPod = pod
		case !d.isNew(pod) && oldPod == nil:
			oldPod = pod
		default:
			surplus = append(surplus, pod)
		}
	}
	if newPod != nil && oldPod != nil && (!workload.Ready(oldPod) || d.available(newPod)) {
		surplus = append(surplus, oldPod)
	}
	return surplus
}

// mayReplace tells whether a failed pod's time to wait is over, and begins the next.
func (d *daemon) mayReplace(pod *v1.Pod, node string) bool {
	key := fmt.Sprintf("%s/%d/%s", d.set.UID, d.set.Status.ObservedGeneration, node)
	if d.backOff.IsInBackOffSinceUpdate(key, d.now) {
		d.loop.AddAfter(cache.MetaObjectToName(d.set), d.backOff.Get(key))
		return false
	}
	d.backOff.Next(key, d.now)
	return true
}

// newPod is the set's pod for a node.
func (d *daemon) newPod(node string) *v1.Pod {
	pod := workload.FromTemplate(&d.set.Spec.Template, metav1.NewControllerRef(d.set, kind()))
	pod.Labels = with(pod.Labels, appsv1.DefaultDaemonSetUniqueLabelKey, d.hash)
	if generation, ok := d.set.Annotations[appsv1.DeprecatedTemplateGeneration]; ok {
		pod.Labels["pod-template-generation"] = generation
	}
	pod.Spec.Tolerations = tolerations(&pod.Spec)
	bindTo(&pod.Spec, node)
	return pod
}

// writeStatus counts. observed says that what the spec asks for was done.
func (d *daemon) writeStatus(ctx context.Context, observed bool) error {
	old := &d.set.Status
	next := appsv1.DaemonSetStatus{ObservedGeneration: old.ObservedGeneration, CollisionCount: old.CollisionCount, Conditions: old.Conditions}
	if observed {
		next.ObservedGeneration = d.set.Generation
	}
	for _, node := range d.nodes {
		run, _ := d.suits(node)
		pods := d.pods[node.Name]
		if !run {
			if len(pods) > 0 {
				next.NumberMisscheduled++
			}
			continue
		}
		next.DesiredNumberScheduled++
		if len(pods) == 0 {
			continue
		}
		next.CurrentNumberScheduled++
		if workload.Ready(pods[0]) {
			next.NumberReady++
		}
		if d.available(pods[0]) {
			next.NumberAvailable++
		}
		if d.isNew(pods[0]) {
			next.UpdatedNumberScheduled++
		}
	}
	next.NumberUnavailable = next.DesiredNumberScheduled - next.NumberAvailable
	if equality.Semantic.DeepEqual(*old, next) {
		return nil
	}
	set := d.set.DeepCopy()
	set.Status = next
	_, err := d.client.AppsV1().DaemonSets(set.Namespace).UpdateStatus(ctx, set, metav1.UpdateOptions{})
	return err
}
