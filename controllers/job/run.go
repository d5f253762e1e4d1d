package job

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"

	"coracle/controllers/workload"
)

// run is one Job at one moment, with its pods.
type run struct {
	*Controller
	job     *batchv1.Job // to be changed
	pods    []*v1.Pod
	current bool // the cache shows all pods that were made or deleted

	active             []*v1.Pod
	succeeded, failed  int32 // counted and to be counted
	ready, terminating int32
	nActive            int32 // after pods were made and deleted

	indexes   indexes // that have succeeded
	failedIxs indexes // that have failed for good

	verdict *batchv1.JobCondition // nil as long as there is none
}

func newRun(c *Controller, job *batchv1.Job, pods []*v1.Pod, current bool) *run {
	r := &run{Controller: c, job: job, pods: pods, current: current}
	if job.Status.UncountedTerminatedPods == nil {
		job.Status.UncountedTerminatedPods = &batchv1.UncountedTerminatedPods{}
	}
	uncounted := job.Status.UncountedTerminatedPods
	r.succeeded = job.Status.Succeeded + int32(len(uncounted.Succeeded))
	r.failed = job.Status.Failed + int32(len(uncounted.Failed))
	for _, pod := range pods {
		switch {
		case workload.Active(pod):
			r.active = append(r.active, pod)
			if workload.Ready(pod) {
				r.ready++
			}
		case workload.Terminating(pod):
			r.terminating++
		}
		if !r.uncounted(pod) || !r.hasValidIndex(pod) {
			continue
		}
		switch {
		case pod.Status.Phase == v1.PodSucceeded && !slices.Contains(uncounted.Succeeded, pod.UID):
			r.succeeded++
		case r.isFailed(pod) && !slices.Contains(uncounted.Failed, pod.UID) && r.counts(pod):
			r.failed++
		}
	}
	r.nActive = int32(len(r.active))
	if r.isIndexed() {
		n := int(*job.Spec.Completions)
		r.indexes = parseIndexes(job.Status.CompletedIndexes, n)
		for _, pod := range pods {
			if i, ok := indexOf(pod); ok && i < n && pod.Status.Phase == v1.PodSucceeded && r.uncounted(pod) {
				r.indexes.add(i)
			}
		}
		r.succeeded = int32(r.indexes.len())
		r.findFailedIndexes()
	}
	return r
}

func (r *run) isIndexed() bool {
	return r.job.Spec.CompletionMode != nil && *r.job.Spec.CompletionMode == batchv1.IndexedCompletion
}

func (r *run) suspended() bool { return r.job.Spec.Suspend != nil && *r.job.Spec.Suspend }

// onlyReplaceFailed tells whether a pod is replaced when it has ended, rather than when it is asked to.
func (r *run) onlyReplaceFailed() bool {
	return r.job.Spec.PodReplacementPolicy != nil && *r.job.Spec.PodReplacementPolicy == batchv1.Failed
}

// isFailed tells whether a pod counts as failed. One that was deleted does: it may never get to say so.
func (r *run) isFailed(pod *v1.Pod) bool {
	return pod.Status.Phase == v1.PodFailed ||
		!r.onlyReplaceFailed() && pod.DeletionTimestamp != nil && pod.Status.Phase != v1.PodSucceeded
}

// hasValidIndex tells whether a pod may count.
func (r *run) hasValidIndex(pod *v1.Pod) bool {
	if !r.isIndexed() {
		return true
	}
	i, ok := indexOf(pod)
	return ok && i < int(*r.job.Spec.Completions)
}

// advance goes one step: towards the end if there is a verdict, else towards as many pods as should run.
func (r *run) advance(ctx context.Context) error {
	now := metav1.Now()
	if r.job.Status.StartTime == nil && !r.suspended() {
		r.job.Status.StartTime = &now
	}
	r.judge(now)
	changed := false
	var managing error
	if r.verdict != nil {
		managing = r.deleteActive(ctx)
	} else {
		managed := r.current && r.job.DeletionTimestamp == nil
		if managed {
			managing = r.manage(ctx)
		}
		switch {
		case r.isComplete():
			r.verdict = newCondition(batchv1.JobSuccessCriteriaMet, v1.ConditionTrue, batchv1.JobReasonCompletionsReached, "Reached expected number of succeeded pods", now)
		case managed:
			changed = r.noteSuspension(now)
		}
	}
	s := &r.job.Status
	changed = changed || s.Active != r.nActive || !equal(s.Ready, r.ready) || !equal(s.Terminating, r.terminating)
	s.Active, s.Ready, s.Terminating = r.nActive, &r.ready, &r.terminating
	if err := r.track(ctx, changed); err != nil {
		return err
	}
	return managing
}

func equal(p *int32, n int32) bool { return p != nil && *p == n }

// judge finds out whether the Job has to end, and why.
func (r *run) judge(now metav1.Time) {
	job := r.job
	if c := condition(job, batchv1.JobSuccessCriteriaMet); c != nil && c.Status == v1.ConditionTrue {
		r.verdict = c.DeepCopy()
		return
	}
	if c := condition(job, batchv1.JobFailureTarget); c != nil && c.Status == v1.ConditionTrue {
		r.verdict = newCondition(batchv1.JobFailed, v1.ConditionTrue, c.Reason, c.Message, now)
		return
	}
	fail := func(reason, message string) {
		r.verdict = newCondition(batchv1.JobFailureTarget, v1.ConditionTrue, reason, message, now)
	}
	if message, ok := r.failedByPolicy(); ok {
		fail(batchv1.JobReasonPodFailurePolicy, message)
		return
	}
	var age time.Duration
	if job.Status.StartTime != nil {
		age = now.Sub(job.Status.StartTime.Time)
	}
	switch deadline := job.Spec.ActiveDeadlineSeconds; {
	case r.failed > *job.Spec.BackoffLimit || r.restartedTooOften():
		fail(batchv1.JobReasonBackoffLimitExceeded, "Job has reached the specified backoff limit")
		return
	case deadline == nil || r.suspended():
	case age >= time.Duration(*deadline)*time.Second:
		fail(batchv1.JobReasonDeadlineExceeded, "Job was active longer than specified deadline")
		return
	default:
		r.comeBack(time.Duration(*deadline)*time.Second - age)
	}
	if !r.isIndexed() {
		return
	}
	if job.Spec.BackoffLimitPerIndex != nil {
		n := r.failedIxs.len()
		switch {
		case job.Spec.MaxFailedIndexes != nil && n > int(*job.Spec.MaxFailedIndexes):
			fail(batchv1.JobReasonMaxFailedIndexesExceeded, "Job has exceeded the specified maximal number of failed indexes")
			return
		case n > 0 && n+r.indexes.len() >= int(*job.Spec.Completions):
			fail(batchv1.JobReasonFailedIndexes, "Job has failed indexes")
			return
		}
	}
	if rule, ok := r.succeededByPolicy(); ok {
		r.verdict = newCondition(batchv1.JobSuccessCriteriaMet, v1.ConditionTrue, batchv1.JobReasonSuccessPolicy, fmt.Sprintf("Matched rules at index %d", rule), now)
	}
}

func (r *run) comeBack(in time.Duration) {
	r.loop.AddAfter(key{ObjectName: cache.MetaObjectToName(r.job)}, in)
}

// restartedTooOften tells whether containers have been restarted in place more often than pods may fail.
func (r *run) restartedTooOften() bool {
	if r.job.Spec.Template.Spec.RestartPolicy != v1.RestartPolicyOnFailure {
		return false
	}
	restarts := int32(0)
	for _, pod := range r.pods {
		if pod.Status.Phase == v1.PodRunning || pod.Status.Phase == v1.PodPending {
			for _, c := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
				restarts += c.RestartCount
			}
		}
	}
	return restarts > 0 && restarts >= *r.job.Spec.BackoffLimit
}

// isComplete tells whether enough pods have succeeded. Without a number of completions one does, once the others end.
func (r *run) isComplete() bool {
	if r.job.Spec.Completions == nil {
		return r.succeeded > 0 && r.nActive == 0
	}
	return r.succeeded >= *r.job.Spec.Completions && r.nActive == 0
}

// noteSuspension tells whether the Job is suspended. A Job that is resumed begins its time anew.
func (r *run) noteSuspension(now metav1.Time) (changed bool) {
	if r.suspended() {
		changed = r.setCondition(batchv1.JobSuspended, v1.ConditionTrue, "JobSuspended", "Job suspended", now)
		if changed {
			r.events.Normal(r.job, "Suspended", "Job suspended")
			r.job.Status.StartTime = nil
		}
		return changed
	}
	changed = r.setCondition(batchv1.JobSuspended, v1.ConditionFalse, "JobResumed", "Job resumed", now)
	if changed {
		r.events.Normal(r.job, "Resumed", "Job resumed")
		r.job.Status.StartTime = &now
	}
	return changed
}

// setCondition tells whether it changed anything. That something which never was the case is not is no news.
func (r *run) setCondition(kind batchv1.JobConditionType, status v1.ConditionStatus, reason, message string, now metav1.Time) bool {
	next := newCondition(kind, status, reason, message, now)
	switch c := condition(r.job, kind); {
	case c == nil && status == v1.ConditionFalse:
		return false
	case c == nil:
		r.job.Status.Conditions = append(r.job.Status.Conditions, *next)
	case c.Status == status && c.Reason == reason && c.Message == message:
		return false
	default:
		*c = *next
	}
	return true
}

func newCondition(kind batchv1.JobConditionType, status v1.ConditionStatus, reason, message string, now metav1.Time) *batchv1.JobCondition {
	return &batchv1.JobCondition{Type: kind, Status: status, LastProbeTime: now, LastTransitionTime: now, Reason: reason, Message: message}
}

func condition(job *batchv1.Job, kind batchv1.JobConditionType) *batchv1.JobCondition {
	for i := range job.Status.Conditions {
		if job.Status.Conditions[i].Type == kind {
			return &job.Status.Conditions[i]
		}
	}
	return nil
}

func isTrue(job *batchv1.Job, kind batchv1.JobConditionType) bool {
	c := condition(job, kind)
	return c != nil && c.Status == v1.ConditionTrue
}

const (
	firstBackOff = 10 * time.Second
	lastBackOff  = 10 * time.Minute
)

// backOff is how long to wait before a pod is made in place of those that failed: since the last that succeeded, each
// failure doubles the time, which counts from the latest.
func backOff(pods []*v1.Pod, failed func(*v1.Pod) bool, now time.Time) time.Duration {
	var success, latest time.Time
	for _, pod := range pods {
		if at := endOf(pod); pod.Status.Phase == v1.PodSucceeded && at.After(success) {
			success = at
		}
	}
	failures := 0
	for _, pod := range pods {
		if at := endOf(pod); failed(pod) && at.After(success) {
			failures++
			latest = slices.MaxFunc([]time.Time{latest, at}, time.Time.Compare)
		}
	}
	if failures == 0 {
		return 0
	}
	wait := min(firstBackOff<<min(failures-1, 10), lastBackOff)
	return max(wait-now.Sub(latest), 0)
}

// endOf is when a pod ended: when the last of its containers did, or it ceased to be ready, or was deleted.
func endOf(pod *v1.Pod) time.Time {
	var last time.Time
	for _, c := range pod.Status.ContainerStatuses {
		if c.State.Terminated == nil || c.State.Terminated.FinishedAt.IsZero() {
			last = time.Time{}
			break
		}
		last = slices.MaxFunc([]time.Time{last, c.State.Terminated.FinishedAt.Time}, time.Time.Compare)
	}
	if !last.IsZero() {
		return last
	}
	if since, ready := workload.ReadySince(pod); !ready && !since.IsZero() {
		return since
	}
	if pod.DeletionTimestamp != nil {
		grace := int64(0)
		if pod.DeletionGracePeriodSeconds != nil {
			grace = *pod.DeletionGracePeriodSeconds
		}
		return pod.DeletionTimestamp.Add(-time.Duration(grace) * time.Second)
	}
	return cmp.Or(last, pod.CreationTimestamp.Time)
}
