package job

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coracle/controllers/workload"
)

const (
	// burst is how many pods are made or deleted for one Job before it is looked at again.
	burst = 500

	indexVariable = "JOB_COMPLETION_INDEX"

	// longestPrefix leaves room for the five characters that the API server adds to a generated name.
	longestPrefix = 58
)

// deleteActive deletes the pods that run though the Job is at its end. As long as one cannot be, or the cache may lack
// some, there is no verdict yet.
func (r *run) deleteActive(ctx context.Context) error {
	err := r.delete(ctx, r.active, false)
	if r.nActive > 0 || !r.current {
		r.verdict = nil
	}
	return err
}

// delete deletes pods. uncounted says that they are not to count as failed: their finalizers go first.
func (r *run) delete(ctx context.Context, pods []*v1.Pod, uncounted bool) error {
	var deleted, ready atomic.Int32
	err := workload.AtOnce(len(pods), func(i int) error {
		if uncounted {
			if err := r.untrack(ctx, pods[i:i+1]); err != nil {
				return err
			}
		}
		if err := r.Controller.pods.Delete(ctx, r.job, pods[i]); err != nil {
			return err
		}
		deleted.Add(1)
		if workload.Ready(pods[i]) {
			ready.Add(1)
		}
		return nil
	})
	r.nActive -= deleted.Load()
	r.terminating += deleted.Load()
	r.ready -= ready.Load()
	return err
}

// manage makes or deletes pods, so that as many run as should.
func (r *run) manage(ctx context.Context) error {
	if r.suspended() {
		return r.delete(ctx, r.active, true)
	}
	want := *r.job.Spec.Parallelism
	if n := r.job.Spec.Completions; n != nil {
		want = max(min(want, *n-r.succeeded), 0)
	} else if r.succeeded > 0 {
		want = r.nActive // those that run may end as they like
	}
	if surplus := r.surplus(int(r.nActive - want)); len(surplus) > 0 {
		return r.delete(ctx, surplus[:min(len(surplus), burst)], true)
	}
	missing := int(want - r.nActive)
	if r.onlyReplaceFailed() {
		missing -= int(r.terminating)
	}
	if missing <= 0 {
		return nil
	}
	perIndex := r.job.Spec.BackoffLimitPerIndex != nil
	if !perIndex {
		if wait := backOff(r.pods, r.isFailed, time.Now()); wait > 0 {
			r.comeBack(wait)
			return nil
		}
	}
	missing = min(missing, burst)
	var todo []int
	if r.isIndexed() {
		todo = r.pending(missing)
		if perIndex {
			todo = r.notBackingOff(todo)
		}
		missing = len(todo)
	}
	var made atomic.Int32
	err := workload.InBatches(missing, func(i int) error {
		pod := r.newPod()
		if todo != nil {
			r.giveIndex(pod, todo[i])
		}
		err := r.Controller.pods.Create(ctx, r.job, pod)
		if err == nil {
			made.Add(1)
		}
		return err
	})
	r.nActive += made.Load()
	return err
}

func (r *run) newPod() *v1.Pod {
	pod := workload.FromTemplate(&r.job.Spec.Template, metav1.NewControllerRef(r.job, kind()))
	if !slices.Contains(pod.Finalizers, batchv1.JobTrackingFinalizer) {
		pod.Finalizers = append(pod.Finalizers, batchv1.JobTrackingFinalizer)
	}
	return pod
}

// giveIndex tells a pod its part of the work: in an annotation, a label, its host name and its environment.
func (r *run) giveIndex(pod *v1.Pod, index int) {
	number := strconv.Itoa(index)
	suffix := "-" + number + "-"
	pod.GenerateName = r.job.Name[:min(len(r.job.Name), longestPrefix-len(suffix))] + suffix
	if pod.Annotations == nil {
		pod.Annotations = map[string]string{}
	}
	if pod.Labels == nil {
		pod.Labels = map[string]string{}
	}
	pod.Annotations[batchv1.JobCompletionIndexAnnotation] = number
	pod.Labels[batchv1.JobCompletionIndexAnnotation] = number
	if r.job.Spec.BackoffLimitPerIndex != nil {
		pod.Annotations[batchv1.JobIndexFailureCountAnnotation] = strconv.Itoa(r.failures(index))
	}
	pod.Spec.Hostname = r.job.Name + "-" + number
	variable := v1.EnvVar{Name: indexVariable, ValueFrom: &v1.EnvVarSource{FieldRef: &v1.ObjectFieldSelector{
		FieldPath: fmt.Sprintf("metadata.labels['%s']", batchv1.JobCompletionIndexAnnotation),
	}}}
	for _, containers := range [][]v1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			if c := &containers[i]; !slices.ContainsFunc(c.Env, func(e v1.EnvVar) bool { return e.Name == indexVariable }) {
				c.Env = append(c.Env, variable)
			}
		}
	}
}

// surplus are at least n of the pods that run, those that will be missed least: first of all those of an Indexed Job
// that have no index, or one that there is not, or one that another has.
func (r *run) surplus(n int) []*v1.Pod {
	pods := slices.Clone(r.active)
	slices.SortStableFunc(pods, func(a, b *v1.Pod) int { return -cmp.Compare(a.CreationTimestamp.Unix(), b.CreationTimestamp.Unix()) })
	var surplus []*v1.Pod
	if r.isIndexed() {
		last := map[int]*v1.Pod{}
		slices.Reverse(pods) // of several with one index the oldest stays
		pods = slices.DeleteFunc(pods, func(pod *v1.Pod) bool {
			i, ok := indexOf(pod)
			if ok && i < int(*r.job.Spec.Completions) && last[i] == nil {
				last[i] = pod
				return false
			}
			surplus = append(surplus, pod)
			return true
		})
	}
	if n -= len(surplus); n > 0 {
		surplus = append(surplus, workload.Victims(pods, nil, n, time.Now())...)
	}
	return surplus
}
