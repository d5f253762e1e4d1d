package ttlafterfinished

import (
	"context"
	"log/slog"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	batchlisters "k8s.io/client-go/listers/batch/v1"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/loop"
)

// Controller deletes Jobs whose time after their end is over.
type Controller struct {
	client kubernetes.Interface
	jobs   batchlisters.JobLister
	loop   *loop.Loop[cache.ObjectName]
}

// New makes a controller. Call it before the factory starts.
func New(client kubernetes.Interface, factory informers.SharedInformerFactory, log *slog.Logger) *Controller {
	jobs := factory.Batch().V1().Jobs()
	c := &Controller{client: client, jobs: jobs.Lister()}
	c.loop = loop.New("ttl-after-finished", log, c.reconcile)
	loop.Watch(c.loop, jobs.Informer(), func(_, job *batchv1.Job) {
		if job != nil {
			if _, ok := expiry(job); ok {
				c.loop.Add(cache.MetaObjectToName(job))
			}
		}
	})
	return c
}

// Run runs the controller until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.loop.Run(ctx, 1) }

func (c *Controller) reconcile(ctx context.Context, name cache.ObjectName) error {
	job, err := c.jobs.Jobs(name.Namespace).Get(name.Name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	at, ok := expiry(job)
	if !ok {
		return nil
	}
	if wait := time.Until(at); wait > 0 {
		c.loop.AddAfter(name, wait)
		return nil
	}
	// Whoever has just asked for more time must not come too late: the version says that nobody has.
	err = c.client.BatchV1().Jobs(name.Namespace).Delete(ctx, name.Name, metav1.DeleteOptions{
		PropagationPolicy: new(metav1.DeletePropagationForeground),
		Preconditions:     &metav1.Preconditions{UID: &job.UID, ResourceVersion: &job.ResourceVersion},
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// expiry is when a Job is to be deleted, false if it is not.
func expiry(job *batchv1.Job) (time.Time, bool) {
	if job.DeletionTimestamp != nil || job.Spec.TTLSecondsAfterFinished == nil {
		return time.Time{}, false
	}
	for _, c := range job.Status.Conditions {
		if (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == v1.ConditionTrue {
			return c.LastTransitionTime.Add(time.Duration(*job.Spec.TTLSecondsAfterFinished) * time.Second), true
		}
	}
	return time.Time{}, false
}
