package deployment

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
)

const (
	revisionAnnotation = "deployment.kubernetes.io/revision"
	// historyAnnotation lists the revisions that a ReplicaSet was before, separated by commas.
	historyAnnotation = "deployment.kubernetes.io/revision-history"
	// desiredAnnotation is how many replicas the Deployment wanted when the ReplicaSet was last scaled, and
	// maxAnnotation how many it could have had at once: from these a change of scale is told from a rollout.
	desiredAnnotation = "deployment.kubernetes.io/desired-replicas"
	maxAnnotation     = "deployment.kubernetes.io/max-replicas"

	// maxHistory is the greatest length of the history annotation, about a hundred revisions.
	maxHistory = 2000
)

// revision is a set's, 0 if it has none that can be read.
func revision(set *appsv1.ReplicaSet) int64 {
	n, err := strconv.ParseInt(set.Annotations[revisionAnnotation], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func newestRevision(sets []*appsv1.ReplicaSet) (newest int64) {
	for _, set := range sets {
		newest = max(newest, revision(set))
	}
	return newest
}

// setRevision notes a revision on the Deployment and tells whether that is news.
func setRevision(d *appsv1.Deployment, revision string) bool {
	if d.Annotations[revisionAnnotation] == revision {
		return false
	}
	d.Annotations = with(d.Annotations, revisionAnnotation, revision)
	return true
}

// isOwn tells whether an annotation is about the Deployment or the ReplicaSet itself and is not handed on.
func isOwn(annotation string) bool {
	switch annotation {
	case v1.LastAppliedConfigAnnotation, revisionAnnotation, historyAnnotation, desiredAnnotation, maxAnnotation,
		appsv1.DeprecatedRollbackTo:
		return true
	}
	return false
}

// annotate hands the Deployment's annotations, the change cause for one, on to its new set, and gives it at least the
// revision next. It tells whether that changed the set.
func annotate(d *appsv1.Deployment, set *appsv1.ReplicaSet, next int64) bool {
	before := maps.Clone(set.Annotations)
	if set.Annotations == nil {
		set.Annotations = map[string]string{}
	}
	for key, value := range d.Annotations {
		if !isOwn(key) {
			set.Annotations[key] = value
		}
	}
	if was := set.Annotations[revisionAnnotation]; revision(set) < next {
		set.Annotations[revisionAnnotation] = strconv.FormatInt(next, 10)
		if was != "" { // it comes back
			set.Annotations[historyAnnotation] = lengthen(set.Annotations[historyAnnotation], was)
		}
	}
	return !maps.Equal(before, set.Annotations)
}

// lengthen adds a revision to a history and drops as many of the oldest as that takes.
func lengthen(history, revision string) string {
	if history == "" {
		return revision
	}
	all := append(strings.Split(history, ","), revision)
	for len(strings.Join(all, ",")) > maxHistory && len(all) > 1 {
		all = slices.Delete(all, 0, 1)
	}
	return strings.Join(all, ",")
}

// annotateReplicas notes on a set how many replicas the Deployment wants. It tells whether that is news.
func annotateReplicas(d *appsv1.Deployment, set *appsv1.ReplicaSet) bool {
	want := strconv.Itoa(int(*d.Spec.Replicas))
	most := strconv.Itoa(int(*d.Spec.Replicas + maxSurge(d)))
	if set.Annotations[desiredAnnotation] == want && set.Annotations[maxAnnotation] == most {
		return false
	}
	set.Annotations = with(set.Annotations, desiredAnnotation, want)
	set.Annotations[maxAnnotation] = most
	return true
}

// number reads one of these annotations.
func number(set *appsv1.ReplicaSet, annotation string) (int32, bool) {
	n, err := strconv.ParseInt(set.Annotations[annotation], 10, 32)
	return int32(n), err == nil && n >= 0
}
