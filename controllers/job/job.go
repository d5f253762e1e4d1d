package job

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	batchv1 "k8s.io/api/batch/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	batchlisters "k8s.io/client-go/listers/batch/v1"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/event"
	"coracle/controllers/loop"
	"coracle/controllers/workload"
)

// Controller runs Jobs.
type Controller struct {
	client  kubernetes.Interface
	jobs    batchlisters.JobLister
	lister  corelisters.PodLister
	index   workload.Index
	pods    *workload.Pods
	events  *event.Recorder
	written *loop.Written[types.UID] // Jobs' statuses, by Job
	loop    *loop.Loop[key]

	mu      sync.Mutex
	counted map[types.UID]bool // pods whose finalizer was taken away, though the cache may not show it yet
}

// key is a Job, or a pod that a Job left behind.
type key struct {
	cache.ObjectName
	pod bool
}

func kind() schema.GroupVersionKind { return batchv1.SchemeGroupVersion.WithKind("Job") }

// New makes a controller. Call it before the factory starts.
func New(client kubernetes.Interface, factory informers.SharedInformerFactory, log *slog.Logger) *Controller {
	jobs, pods := factory.Batch().V1().Jobs(), factory.Core().V1().Pods()
	c := &Controller{
		client:  client,
		jobs:    jobs.Lister(),
		lister:  pods.Lister(),
		index:   workload.NewIndex(pods.Informer()),
		events:  event.New(client, "job-controller", log),
		written: loop.NewWritten[types.UID](jobs.Informer()),
		counted: map[types.UID]bool{},
	}
	c.pods = workload.NewPods(client, factory, c.events)
	c.loop = loop.New("job", log, c.reconcile)
	loop.Watch(c.loop, jobs.Informer(), func(old, job *batchv1.Job) {
		if job == nil {
			c.pods.Forget(old.UID)
			c.written.Forget(old.UID)
			job = old
		}
		c.loop.Add(key{ObjectName: cache.MetaObjectToName(job)})
	})
	loop.Watch(c.loop, pods.Informer(), c.podChanged)
	return c
}

// Run runs the controller until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	return loop.RunAll(ctx, c.events.Run, func(ctx context.Context) error { return c.loop.Run(ctx, 2) })
}

// podChanged wakes the Jobs that a pod belongs or belonged to, and those that might adopt it.
func (c *Controller) podChanged(old, pod *v1.Pod) {
	for _, p := range []*v1.Pod{old, pod} {
		if p == nil {
			continue
		}
		if ref := metav1.GetControllerOfNoCopy(p); ref != nil && workload.Is(ref, kind()) {
			c.loop.Add(key{ObjectName: cache.NewObjectName(p.Namespace, ref.Name)})
		}
	}
	if pod == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.counted, old.UID)
		return
	}
	if metav1.GetControllerOfNoCopy(pod) != nil || old != nil && metav1.GetControllerOfNoCopy(old) == nil && !slices.Contains(pod.Finalizers, batchv1.JobTrackingFinalizer) {
		return
	}
	if slices.Contains(pod.Finalizers, batchv1.JobTrackingFinalizer) {
		c.loop.Add(key{ObjectName: cache.MetaObjectToName(pod), pod: true})
	}
	jobs, err := c.jobs.Jobs(pod.Namespace).List(labels.Everything())
	if err != nil {
		return // the lister reads memory; there is no error to have
	}
	for _, name := range workload.Selecting(jobs, pod, func(j *batchv1.Job) *metav1.LabelSelector { return j.Spec.Selector }) {
		c.loop.Add(key{ObjectName: name})
	}
}

func (c *Controller) reconcile(ctx context.Context, k key) error {
	if k.pod {
		return c.leftBehind(ctx, k.ObjectName)
	}
	job, err := c.jobs.Jobs(k.Namespace).Get(k.Name)
	switch {
	case apierrors.IsNotFound(err):
		return c.abandon(ctx, k.ObjectName)
	case err != nil:
		return err
	case job.Spec.ManagedBy != nil && *job.Spec.ManagedBy != batchv1.JobControllerName:
		return nil // somebody else's
	case finished(job):
		return c.untrack(ctx, c.index.Owned(job.UID))
	case !c.written.Seen(job.UID):
		return loop.ErrAgain
	}
	current := c.pods.UpToDate(job.UID) // before the pods are looked at
	pods, err := c.claim(ctx, job)
	if err != nil {
		return err
	}
	r := newRun(c, job.DeepCopy(), pods, current)
	if err := r.advance(ctx); err != nil {
		return err
	}
	if !current {
		return loop.ErrAgain
	}
	return nil
}

func finished(job *batchv1.Job) bool {
	return isTrue(job, batchv1.JobComplete) || isTrue(job, batchv1.JobFailed)
}

// claim returns the pods that are the Job's. Those that it adopts are tracked from now on.
func (c *Controller) claim(ctx context.Context, job *batchv1.Job) ([]*v1.Pod, error) {
	selector, err := metav1.LabelSelectorAsSelector(job.Spec.Selector)
	if err != nil {
		return nil, err
	}
	pods, err := workload.Claim[*v1.Pod]{
		Owner: job, Kind: kind(), Selector: selector, Finalizers: []string{batchv1.JobTrackingFinalizer},
		Fresh: func(ctx context.Context) (metav1.Object, error) {
			return c.client.BatchV1().Jobs(job.Namespace).Get(ctx, job.Name, metav1.GetOptions{})
		},
		Patch: c.pods.Patch,
	}.Of(ctx, c.index.Candidates(job))
	for i, pod := range pods {
		if metav1.GetControllerOfNoCopy(pod) == nil { // just adopted
			pods[i] = pod.DeepCopy()
			pods[i].Finalizers = append(pods[i].Finalizers, batchv1.JobTrackingFinalizer)
		}
	}
	return pods, err
}

// abandon lets the pods go that a Job which is gone has left.
func (c *Controller) abandon(ctx context.Context, name cache.ObjectName) error {
	pods, err := c.lister.Pods(name.Namespace).List(labels.Everything())
	if err != nil {
		return err
	}
	return c.untrack(ctx, slices.DeleteFunc(pods, func(pod *v1.Pod) bool {
		ref := metav1.GetControllerOfNoCopy(pod)
		return ref == nil || !workload.Is(ref, kind()) || ref.Name != name.Name
	}))
}

// leftBehind lets a pod go that no longer has an owner.
func (c *Controller) leftBehind(ctx context.Context, name cache.ObjectName) error {
	pod, err := c.lister.Pods(name.Namespace).Get(name.Name)
	if err != nil || metav1.GetControllerOfNoCopy(pod) != nil {
		return nil
	}
	return c.untrack(ctx, []*v1.Pod{pod})
}
