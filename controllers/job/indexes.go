package job

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	v1 "k8s.io/api/core/v1"
)

// indexes is a set of indexes. Its text is like 0,2-5,7.
type indexes map[int]struct{}

// parseIndexes reads a set's text. What is no index below n is left out.
func parseIndexes(text string, n int) indexes {
	set := indexes{}
	for part := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(part, "-")
		first, err := strconv.Atoi(from)
		if err != nil {
			continue
		}
		last := first
		if isRange {
			if last, err = strconv.Atoi(to); err != nil {
				continue
			}
		}
		for i := max(first, 0); i <= min(last, n-1); i++ {
			set.add(i)
		}
	}
	return set
}

func (s indexes) add(index int)      { s[index] = struct{}{} }
func (s indexes) has(index int) bool { _, ok := s[index]; return ok }
func (s indexes) len() int           { return len(s) }

func (s indexes) String() string {
	sorted := slices.Sorted(maps.Keys(s))
	var parts []string
	for i := 0; i < len(sorted); {
		j := i
		for j+1 < len(sorted) && sorted[j+1] == sorted[j]+1 {
			j++
		}
		part := strconv.Itoa(sorted[i])
		switch j - i {
		case 0:
		case 1:
			part += "," + strconv.Itoa(sorted[j])
		default:
			part += "-" + strconv.Itoa(sorted[j])
		}
		parts, i = append(parts, part), j+1
	}
	return strings.Join(parts, ",")
}

// indexOf is the number of a pod's part of the work.
func indexOf(pod *v1.Pod) (int, bool) {
	i, err := strconv.Atoi(pod.Annotations[batchv1.JobCompletionIndexAnnotation])
	return i, err == nil && i >= 0
}

// pending are the first n indexes that no pod works on and that are not decided.
func (r *run) pending(n int) []int {
	taken := maps.Clone(r.indexes)
	maps.Copy(taken, r.failedIxs)
	for _, pod := range r.pods {
		alive := pod.DeletionTimestamp == nil || r.onlyReplaceFailed()
		if i, ok := indexOf(pod); ok && alive && pod.Status.Phase != v1.PodFailed && pod.Status.Phase != v1.PodSucceeded {
			taken.add(i)
		}
	}
	var pending []int
	for i := 0; i < int(*r.job.Spec.Completions) && len(pending) < n; i++ {
		if !taken.has(i) {
			pending = append(pending, i)
		}
	}
	return pending
}

// ofIndex are the pods that work on an index or have.
func (r *run) ofIndex(index int) []*v1.Pod {
	return slices.DeleteFunc(slices.Clone(r.pods), func(pod *v1.Pod) bool {
		i, ok := indexOf(pod)
		return !ok || i != index
	})
}

// failures is how many of an index's pods have failed and count.
func (r *run) failures(index int) int {
	n := 0
	for _, pod := range r.ofIndex(index) {
		if r.isFailed(pod) && r.counts(pod) {
			n++
		}
	}
	return n
}

// findFailedIndexes finds the indexes whose pods have failed too often, or in a way that fails the index.
func (r *run) findFailedIndexes() {
	r.failedIxs = indexes{}
	if r.job.Spec.BackoffLimitPerIndex == nil {
		return
	}
	n := int(*r.job.Spec.Completions)
	if r.job.Status.FailedIndexes != nil {
		r.failedIxs = parseIndexes(*r.job.Status.FailedIndexes, n)
	}
	for _, pod := range r.pods {
		i, ok := indexOf(pod)
		if !ok || i >= n || !r.isFailed(pod) || r.failedIxs.has(i) {
			continue
		}
		action, _ := failurePolicy(r.job.Spec.PodFailurePolicy, pod)
		if action == batchv1.PodFailurePolicyActionFailIndex || r.failures(i) > int(*r.job.Spec.BackoffLimitPerIndex) {
			r.failedIxs.add(i)
		}
	}
}

// notBackingOff are those of the indexes whose time to wait after a failure is over; the others come back.
func (r *run) notBackingOff(all []int) []int {
	var now []int
	var next time.Duration
	for _, index := range all {
		wait := backOff(r.ofIndex(index), r.isFailed, time.Now())
		if wait == 0 {
			now = append(now, index)
		} else if next == 0 || wait < next {
			next = wait
		}
	}
	if next > 0 {
		r.comeBack(next)
	}
	return now
}
