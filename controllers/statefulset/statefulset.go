package statefulset

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	appslisters "k8s.io/client-go/listers/apps/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/event"
	"coracle/controllers/loop"
	"coracle/controllers/revision"
	"coracle/controllers/workload"
)

// longestPrefix leaves room for a hash in the name of a revision.
const longestPrefix = 223

// Controller runs the pods of StatefulSets.
type Controller struct {
	client  kubernetes.Interface
	sets    appslisters.StatefulSetLister
	claims  corelisters.PersistentVolumeClaimLister
	index   workload.Index
	pods    *workload.Pods
	history *revision.History
	events  *event.Recorder
	written *loop.Written[types.UID] // sets' statuses, by set
	loop    *loop.Loop[cache.ObjectName]
}

func kind() schema.GroupVersionKind { return appsv1.SchemeGroupVersion.WithKind("StatefulSet") }

// New makes a controller. Call it before the factory starts.
func New(client kubernetes.Interface, factory informers.SharedInformerFactory, log *slog.Logger) *Controller {
	sets, core := factory.Apps().V1().StatefulSets(), factory.Core().V1()
	c := &Controller{
		client:  client,
		sets:    sets.Lister(),
		claims:  core.PersistentVolumeClaims().Lister(),
		index:   workload.NewIndex(core.Pods().Informer()),
		history: revision.NewHistory(client, factory),
		events:  event.New(client, "statefulset-controller", log),
		written: loop.NewWritten[types.UID](sets.Informer()),
	}
	c.pods = workload.NewPodsTelling(client, factory, c.tell)
	c.loop = loop.New("statefulset", log, c.reconcile)
	loop.Need(c.loop, core.PersistentVolumeClaims().Informer(), c.history.Informer())
	workload.WatchSelf(c.loop, sets.Informer(), func(uid types.UID) {
		c.pods.Forget(uid)
		c.written.Forget(uid)
	})
	workload.WatchOwned(c.loop, core.Pods().Informer(), kind(), c.selecting)
	return c
}

// Run runs the controller until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	return loop.RunAll(ctx, c.events.Run, func(ctx context.Context) error { return c.loop.Run(ctx, 1) })
}

// tell writes the Event of a pod that was made or deleted, or could not be.
func (c *Controller) tell(set workload.Owner, verb string, pod *v1.Pod, err error) {
	title := strings.ToUpper(verb[:1]) + verb[1:]
	switch {
	case err == nil:
		c.events.Normal(set, "Successful"+title, "%s Pod %s in StatefulSet %s successful", title, pod.Name, set.GetName())
	case !apierrors.IsAlreadyExists(err):
		c.events.Warning(set, "Failed"+title, "%s Pod %s in StatefulSet %s failed error: %s", title, pod.Name, set.GetName(), err)
	}
}

// selecting are the names of the sets that might adopt a pod.
func (c *Controller) selecting(pod *v1.Pod) []cache.ObjectName {
	sets, err := c.sets.StatefulSets(pod.Namespace).List(labels.Everything())
	if err != nil {
		return nil // the lister reads memory; there is no error to have
	}
	sets = slices.DeleteFunc(sets, func(set *appsv1.StatefulSet) bool { return !isMember(set, pod) })
	return workload.Selecting(sets, pod, func(s *appsv1.StatefulSet) *metav1.LabelSelector { return s.Spec.Selector })
}

func (c *Controller) reconcile(ctx context.Context, name cache.ObjectName) error {
	set, err := c.sets.StatefulSets(name.Namespace).Get(name.Name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	// Decisions are made upon what is there: nothing is done upon old news.
	if !c.written.Seen(set.UID) || !c.pods.UpToDate(set.UID) {
		return loop.ErrAgain
	}
	selector, err := metav1.LabelSelectorAsSelector(set.Spec.Selector)
	if err != nil {
		return err
	}
	fresh := func(ctx context.Context) (metav1.Object, error) {
		return c.client.AppsV1().StatefulSets(set.Namespace).Get(ctx, set.Name, metav1.GetOptions{})
	}
	candidates := slices.DeleteFunc(c.index.Candidates(set), func(pod *v1.Pod) bool {
		return metav1.GetControllerOfNoCopy(pod) == nil && !isMember(set, pod)
	})
	pods, err := workload.Claim[*v1.Pod]{
		Owner: set, Kind: kind(), Selector: selector, Fresh: fresh,
		Patch: c.pods.Patch,
	}.Of(ctx, candidates)
	if err != nil {
		return err
	}
	revisions, err := c.history.Owned(ctx, set, kind(), selector, fresh)
	if err != nil {
		return err
	}
	s, err := c.newStep(ctx, set.DeepCopy(), pods, revisions)
	if err != nil || s == nil {
		return err
	}
	stepping := s.run(ctx)
	if err := s.writeStatus(ctx); err != nil {
		return err
	}
	if stepping != nil {
		return stepping
	}
	return c.history.Truncate(ctx, revisions, set.Spec.RevisionHistoryLimit, s.uses)
}

// newest is the revision of the set's template; it is made if there is none. nil: the namespace is being deleted.
func (c *Controller) newest(ctx context.Context, set *appsv1.StatefulSet, revisions []*appsv1.ControllerRevision) (*appsv1.ControllerRevision, error) {
	data, err := revision.Data(&set.Spec.Template)
	if err != nil {
		return nil, err
	}
	next := revision.Next(revisions)
	for _, r := range slices.Backward(revisions) {
		switch {
		case string(r.Data.Raw) != string(data):
		case r.Revision == next-1:
			return r, nil
		default:
			return c.history.Renumber(ctx, r, next)
		}
	}
	if set.Status.CollisionCount == nil {
		set.Status.CollisionCount = new(int32)
	}
	for {
		hash := hashOf(data, *set.Status.CollisionCount)
		all := maps.Clone(set.Spec.Template.Labels)
		if all == nil {
			all = map[string]string{}
		}
		all["controller.kubernetes.io/hash"] = hash
		made, collision, err := c.history.Make(ctx, &appsv1.ControllerRevision{
			ObjectMeta: metav1.ObjectMeta{
				Namespace:       set.Namespace,
				Name:            set.Name[:min(len(set.Name), longestPrefix)] + "-" + hash,
				Labels:          all,
				Annotations:     maps.Clone(set.Annotations),
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
		*set.Status.CollisionCount++
	}
}

func hashOf(data []byte, collisions int32) string {
	h := fnv.New32()
	h.Write(data)
	h.Write([]byte(strconv.Itoa(int(collisions))))
	return rand.SafeEncodeString(fmt.Sprint(h.Sum32()))
}
