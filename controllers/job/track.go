package job

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	v1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"coracle/controllers/workload"
)

// maxUncounted bounds how many pods are counted in one step, and with it the size of the status.
const maxUncounted = 500

// uncounted tells whether a pod still carries the finalizer that says so.
func (c *Controller) uncounted(pod *v1.Pod) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Contains(pod.Finalizers, batchv1.JobTrackingFinalizer) && !c.counted[pod.UID]
}

// untrack takes the finalizer away from pods.
func (c *Controller) untrack(ctx context.Context, pods []*v1.Pod) error {
	pods = slices.DeleteFunc(slices.Clone(pods), func(pod *v1.Pod) bool { return !c.uncounted(pod) })
	if len(pods) == 0 {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"$deleteFromPrimitiveList/finalizers": []string{batchv1.JobTrackingFinalizer},
	}})
	if err != nil {
		return err
	}
	return workload.AtOnce(len(pods), func(i int) error {
		pod := pods[i]
		_, err := c.client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("removing tracking finalizer: %w", err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if _, err := c.lister.Pods(pod.Namespace).Get(pod.Name); err == nil { // or nobody would ever forget it
			c.counted[pod.UID] = true
		}
		return nil
	})
}

// track counts the pods that have ended and writes the status, the verdict included. changed says that the status
// differs already.
func (r *run) track(ctx context.Context, changed bool) error {
	status := &r.job.Status
	changed = r.settle() || changed
	todo, complete, more := r.collect()
	changed = changed || more
	if r.isIndexed() {
		completed := r.indexes.String()
		changed = changed || completed != status.CompletedIndexes
		status.CompletedIndexes, status.Succeeded = completed, int32(r.indexes.len())
		if r.job.Spec.BackoffLimitPerIndex != nil {
			failed := r.failedIxs.String()
			changed = changed || status.FailedIndexes == nil || *status.FailedIndexes != failed
			status.FailedIndexes = &failed
		}
	}
	if r.verdict != nil {
		changed = r.announce() || changed
	}
	if changed {
		if err := r.updateStatus(ctx); err != nil {
			return err
		}
	}
	if err := r.untrack(ctx, todo); err != nil {
		return err
	}
	changed = r.settle()
	ended := complete && r.end()
	if !changed && !ended {
		return nil
	}
	if err := r.updateStatus(ctx); err != nil {
		return err
	}
	if ended {
		r.tellEnd()
	}
	return nil
}

// collect notes the pods to be counted in the status and returns all whose finalizer may go then. complete is false if
// there are more than fit.
func (r *run) collect() (todo []*v1.Pod, complete, changed bool) {
	uncounted := r.job.Status.UncountedTerminatedPods
	failing := r.verdict != nil && r.verdict.Type != batchv1.JobSuccessCriteriaMet
	for _, pod := range r.pods {
		failed := r.isFailed(pod)
		succeeded := pod.Status.Phase == v1.PodSucceeded && !slices.Contains(uncounted.Failed, pod.UID)
		if !r.uncounted(pod) || r.job.DeletionTimestamp == nil && r.verdict == nil && !succeeded && !failed {
			continue
		}
		todo = append(todo, pod)
		switch {
		case succeeded && r.isIndexed(): // the index is enough to count it once
		case succeeded:
			if !slices.Contains(uncounted.Succeeded, pod.UID) {
				uncounted.Succeeded, changed = append(uncounted.Succeeded, pod.UID), true
			}
		case (failed || failing) && r.hasValidIndex(pod) && r.counts(pod):
			if !slices.Contains(uncounted.Failed, pod.UID) {
				uncounted.Failed, changed = append(uncounted.Failed, pod.UID), true
			}
		}
		if len(uncounted.Succeeded)+len(uncounted.Failed) >= maxUncounted {
			return todo, false, changed
		}
	}
	return todo, true, changed
}

// settle turns the UIDs of pods that have lost their finalizer into numbers.
func (r *run) settle() (changed bool) {
	tracked := map[types.UID]bool{}
	for _, pod := range r.pods {
		if r.uncounted(pod) {
			tracked[pod.UID] = true
		}
	}
	keep := func(uids []types.UID) []types.UID {
		return slices.DeleteFunc(slices.Clone(uids), func(uid types.UID) bool { return !tracked[uid] })
	}
	s := &r.job.Status
	succeeded, failed := keep(s.UncountedTerminatedPods.Succeeded), keep(s.UncountedTerminatedPods.Failed)
	nSucceeded, nFailed := len(s.UncountedTerminatedPods.Succeeded)-len(succeeded), len(s.UncountedTerminatedPods.Failed)-len(failed)
	if nSucceeded+nFailed == 0 {
		return false
	}
	s.Succeeded += int32(nSucceeded)
	s.Failed += int32(nFailed)
	s.UncountedTerminatedPods.Succeeded, s.UncountedTerminatedPods.Failed = succeeded, failed
	return true
}

// announce writes the interim condition and turns the verdict into the final one.
func (r *run) announce() (changed bool) {
	switch v := r.verdict; v.Type {
	case batchv1.JobFailureTarget:
		r.job.Status.Conditions = append(r.job.Status.Conditions, *v)
		r.verdict = newCondition(batchv1.JobFailed, v1.ConditionTrue, v.Reason, v.Message, metav1.Now())
		return true
	case batchv1.JobSuccessCriteriaMet:
		if changed = condition(r.job, v.Type) == nil; changed {
			r.job.Status.Conditions = append(r.job.Status.Conditions, *v)
		}
		r.verdict = newCondition(batchv1.JobComplete, v1.ConditionTrue, v.Reason, v.Message, metav1.Now())
	}
	return changed
}

// end adds the final condition once all pods have ended and are counted.
func (r *run) end() bool {
	uncounted := r.job.Status.UncountedTerminatedPods
	if r.verdict == nil || uncounted != nil && len(uncounted.Succeeded)+len(uncounted.Failed) > 0 || r.terminating > 0 {
		return false
	}
	r.setCondition(r.verdict.Type, r.verdict.Status, r.verdict.Reason, r.verdict.Message, r.verdict.LastTransitionTime)
	if r.verdict.Type == batchv1.JobComplete {
		r.job.Status.CompletionTime = &r.verdict.LastTransitionTime
	}
	return true
}

func (r *run) tellEnd() {
	if r.verdict.Type != batchv1.JobComplete {
		r.events.Warning(r.job, r.verdict.Reason, "%s", r.verdict.Message)
		return
	}
	if n := r.job.Spec.Completions; n != nil && r.job.Status.Succeeded > *n {
		r.events.Warning(r.job, "TooManySucceededPods", "Too many succeeded pods running after completion count reached")
	}
	r.events.Normal(r.job, "Completed", "Job completed")
}

func (r *run) updateStatus(ctx context.Context) error {
	updated, err := r.client.BatchV1().Jobs(r.job.Namespace).UpdateStatus(ctx, r.job, metav1.UpdateOptions{})
	if err != nil {
		return err
	}
	r.written.Note(updated.UID, updated.ResourceVersion)
	r.job = updated.DeepCopy()
	if r.job.Status.UncountedTerminatedPods == nil {
		r.job.Status.UncountedTerminatedPods = &batchv1.UncountedTerminatedPods{}
	}
	return nil
}
