package cronjob

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	v1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	batchlisters "k8s.io/client-go/listers/batch/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/reference"

	"coracle/controllers/event"
	"coracle/controllers/loop"
	"coracle/controllers/workload"
)

// Controller makes the Jobs of CronJobs.
type Controller struct {
	client   kubernetes.Interface
	cronJobs batchlisters.CronJobLister
	jobs     batchlisters.JobLister
	events   *event.Recorder
	written  *loop.Written[cache.ObjectName]
	loop     *loop.Loop[cache.ObjectName]
}

func kind() schema.GroupVersionKind { return batchv1.SchemeGroupVersion.WithKind("CronJob") }

// New makes a controller. Call it before the factory starts.
func New(client kubernetes.Interface, factory informers.SharedInformerFactory, log *slog.Logger) *Controller {
	batch := factory.Batch().V1()
	c := &Controller{
		client:   client,
		cronJobs: batch.CronJobs().Lister(),
		jobs:     batch.Jobs().Lister(),
		events:   event.New(client, "cronjob-controller", log),
		written:  loop.NewWritten[cache.ObjectName](batch.CronJobs().Informer()),
	}
	c.loop = loop.New("cronjob", log, c.reconcile)
	workload.WatchSelf(c.loop, batch.CronJobs().Informer(), nil)
	workload.WatchOwned[*batchv1.Job](c.loop, batch.Jobs().Informer(), kind(), nil)
	return c
}

// Run runs the controller until ctx ends.
func (c *Controller) Run(ctx context.Context) error {
	return loop.RunAll(ctx, c.events.Run, func(ctx context.Context) error { return c.loop.Run(ctx, 1) })
}

func (c *Controller) reconcile(ctx context.Context, name cache.ObjectName) error {
	if !c.written.Seen(name) {
		return loop.ErrAgain
	}
	have, err := c.cronJobs.CronJobs(name.Namespace).Get(name.Name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	jobs, err := c.jobs.Jobs(name.Namespace).List(labels.Everything())
	if err != nil {
		return err
	}
	jobs = slices.DeleteFunc(jobs, func(job *batchv1.Job) bool { return !metav1.IsControlledBy(job, have) })
	cron := have.DeepCopy()
	err = errors.Join(c.forget(ctx, cron, jobs), c.takeStock(ctx, cron, jobs), c.start(ctx, cron, name))
	if equality.Semantic.DeepEqual(have.Status, cron.Status) {
		return err
	}
	updated, failed := c.client.BatchV1().CronJobs(name.Namespace).UpdateStatus(ctx, cron, metav1.UpdateOptions{})
	if failed != nil {
		return errors.Join(err, failed)
	}
	c.written.Note(name, updated.ResourceVersion)
	return err
}

// takeStock brings the list of active Jobs up to date.
func (c *Controller) takeStock(ctx context.Context, cron *batchv1.CronJob, jobs []*batchv1.Job) error {
	for _, job := range jobs {
		end, active := ended(job), isActive(cron, job.UID)
		switch {
		case end == "" && !active:
			c.events.Warning(cron, "UnexpectedJob", "Saw a job that the controller did not create or forgot: %s", job.Name)
		case end != "" && active:
			deactivate(cron, job.UID)
			c.events.Normal(cron, "SawCompletedJob", "Saw completed job: %s, condition: %v", job.Name, end)
		}
		last, at := cron.Status.LastSuccessfulTime, job.Status.CompletionTime
		if end == batchv1.JobComplete && at != nil && (last == nil || at.After(last.Time)) {
			cron.Status.LastSuccessfulTime = at
		}
	}
	for _, ref := range slices.Clone(cron.Status.Active) {
		if slices.ContainsFunc(jobs, func(job *batchv1.Job) bool { return job.UID == ref.UID }) {
			continue
		}
		_, err := c.client.BatchV1().Jobs(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{}) // the cache may be late
		if apierrors.IsNotFound(err) {
			c.events.Normal(cron, "MissingJob", "Active job went missing: %v", ref.Name)
			deactivate(cron, ref.UID)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// start makes the Job of the latest time that is unmet, and sees to it that the CronJob comes again at the next.
func (c *Controller) start(ctx context.Context, cron *batchv1.CronJob, name cache.ObjectName) error {
	if cron.DeletionTimestamp != nil || cron.Spec.Suspend != nil && *cron.Spec.Suspend {
		return nil
	}
	schedule, ok := c.schedule(cron)
	if !ok {
		return nil // until somebody mends it
	}
	now := time.Now()
	at, missed, err := latest(cron, schedule, now)
	if err != nil {
		c.events.Warning(cron, "InvalidSchedule", "invalid schedule: %s : %s", cron.Spec.Schedule, err)
		return nil
	}
	if missed > manyMissed {
		c.events.Warning(cron, "TooManyMissedTimes", "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew")
	}
	if !at.IsZero() {
		if err := c.startAt(ctx, cron, at, now); err != nil {
			return err
		}
	}
	c.loop.AddAfter(name, schedule.Next(now).Add(delay).Sub(now))
	return nil
}

// delay is how long after a scheduled time the CronJob comes, so that it does not come too early.
const delay = 100 * time.Millisecond

func (c *Controller) startAt(ctx context.Context, cron *batchv1.CronJob, at, now time.Time) error {
	job := newJob(cron, at)
	deadline := cron.Spec.StartingDeadlineSeconds
	switch {
	case deadline != nil && at.Add(time.Duration(*deadline)*time.Second).Before(now):
		c.events.Warning(cron, "MissSchedule", "Missed scheduled time to start a job: %s", at.UTC().Format(time.RFC1123Z))
		return nil
	case cron.Status.LastScheduleTime.Equal(&metav1.Time{Time: at}) || slices.ContainsFunc(cron.Status.Active, func(ref v1.ObjectReference) bool { return ref.Name == job.Name }):
		return nil
	case cron.Spec.ConcurrencyPolicy == batchv1.ForbidConcurrent && len(cron.Status.Active) > 0:
		c.events.Normal(cron, "JobAlreadyActive", "Not starting job because prior execution is running and concurrency policy is Forbid")
		return nil
	case cron.Spec.ConcurrencyPolicy == batchv1.ReplaceConcurrent:
		for _, ref := range slices.Clone(cron.Status.Active) {
			if err := c.delete(ctx, cron, ref.Name, ref.UID); err != nil {
				return err
			}
		}
	}
	jobs := c.client.BatchV1().Jobs(cron.Namespace)
	made, err := jobs.Create(ctx, job, metav1.CreateOptions{})
	switch {
	case apierrors.HasStatusCause(err, v1.NamespaceTerminatingCause):
		return nil
	case apierrors.IsAlreadyExists(err):
		made, err = jobs.Get(ctx, job.Name, metav1.GetOptions{})
		if err != nil || !metav1.IsControlledBy(made, cron) {
			return err // somebody else's is left to him
		}
	case err != nil:
		c.events.Warning(cron, "FailedCreate", "Error creating job: %v", err)
		return err
	default:
		c.events.Normal(cron, "SuccessfulCreate", "Created job %v", made.Name)
	}
	ref, err := reference.GetReference(scheme.Scheme, made)
	if err != nil {
		return err
	}
	cron.Status.Active = append(cron.Status.Active, *ref)
	cron.Status.LastScheduleTime = &metav1.Time{Time: at}
	return nil
}

func newJob(cron *batchv1.CronJob, at time.Time) *batchv1.Job {
	template := cron.Spec.JobTemplate.DeepCopy()
	annotations := maps.Clone(template.Annotations)
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[batchv1.CronJobScheduledTimestampAnnotation] = at.In(zone(cron)).Format(time.RFC3339)
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       cron.Namespace,
			Name:            fmt.Sprintf("%s-%d", cron.Name, at.Unix()/60),
			Labels:          template.Labels,
			Annotations:     annotations,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(cron, kind())},
		},
		Spec: template.Spec,
	}
}

// forget deletes the oldest of the Jobs that have ended, but as many as the CronJob wants to remember.
func (c *Controller) forget(ctx context.Context, cron *batchv1.CronJob, jobs []*batchv1.Job) error {
	var errs []error
	for end, limit := range map[batchv1.JobConditionType]*int32{
		batchv1.JobComplete: cron.Spec.SuccessfulJobsHistoryLimit, batchv1.JobFailed: cron.Spec.FailedJobsHistoryLimit,
	} {
		if limit == nil {
			continue
		}
		old := slices.DeleteFunc(slices.Clone(jobs), func(job *batchv1.Job) bool { return ended(job) != end || job.DeletionTimestamp != nil })
		slices.SortFunc(old, func(a, b *batchv1.Job) int {
			return cmp.Or(startOf(a).Compare(startOf(b)), cmp.Compare(a.Name, b.Name))
		})
		for _, job := range old[:max(len(old)-int(*limit), 0)] {
			errs = append(errs, c.delete(ctx, cron, job.Name, job.UID))
		}
	}
	return errors.Join(errs...)
}

func startOf(job *batchv1.Job) time.Time {
	if job.Status.StartTime == nil {
		return job.CreationTimestamp.Time
	}
	return job.Status.StartTime.Time
}

func (c *Controller) delete(ctx context.Context, cron *batchv1.CronJob, name string, uid types.UID) error {
	err := c.client.BatchV1().Jobs(cron.Namespace).Delete(ctx, name, metav1.DeleteOptions{
		PropagationPolicy: new(metav1.DeletePropagationBackground), Preconditions: &metav1.Preconditions{UID: &uid},
	})
	if err != nil && !apierrors.IsNotFound(err) {
		c.events.Warning(cron, "FailedDelete", "Deleted job: %v", err)
		return err
	}
	deactivate(cron, uid)
	c.events.Normal(cron, "SuccessfulDelete", "Deleted job %v", name)
	return nil
}

// ended is how a Job ended, "" if it has not.
func ended(job *batchv1.Job) batchv1.JobConditionType {
	for _, c := range job.Status.Conditions {
		if (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == v1.ConditionTrue {
			return c.Type
		}
	}
	return ""
}

func isActive(cron *batchv1.CronJob, uid types.UID) bool {
	return slices.ContainsFunc(cron.Status.Active, func(ref v1.ObjectReference) bool { return ref.UID == uid })
}

func deactivate(cron *batchv1.CronJob, uid types.UID) {
	cron.Status.Active = slices.DeleteFunc(cron.Status.Active, func(ref v1.ObjectReference) bool { return ref.UID == uid })
}
