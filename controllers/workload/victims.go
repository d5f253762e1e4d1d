package workload

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"

	v1 "k8s.io/api/core/v1"
)

// Victims chooses n of pods to delete, those that will be missed least first: not yet on a node, not running, not ready,
// cheap to delete, on a node that has many of the owner's pods (related are those that count), ready for a short time,
// often restarted, young. Times are compared by their order of magnitude, so that of many pods of about the same age
// any may go.
func Victims(pods, related []*v1.Pod, n int, now time.Time) []*v1.Pod {
	if n >= len(pods) {
		return pods
	}
	onNode := map[string]int{}
	for _, p := range related {
		if Active(p) {
			onNode[p.Spec.NodeName]++
		}
	}
	sorted := slices.Clone(pods)
	slices.SortStableFunc(sorted, func(a, b *v1.Pod) int {
		return cmp.Or(
			before(a.Spec.NodeName == "", b.Spec.NodeName == ""),
			cmp.Compare(phaseRank(a), phaseRank(b)),
			before(!Ready(a), !Ready(b)),
			cmp.Compare(deletionCost(a), deletionCost(b)),
			-cmp.Compare(onNode[a.Spec.NodeName], onNode[b.Spec.NodeName]),
			compareReady(a, b, now),
			-cmp.Compare(restarts(a), restarts(b)),
			compareAge(a, b, a.CreationTimestamp.Time, b.CreationTimestamp.Time, now),
		)
	})
	return sorted[:n]
}

// before orders what is true before what is not.
func before(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

func phaseRank(pod *v1.Pod) int {
	switch pod.Status.Phase {
	case v1.PodPending:
		return 0
	case v1.PodUnknown:
		return 1
	}
	return 2
}

// deletionCost is 0 unless an annotation says better.
func deletionCost(pod *v1.Pod) int32 {
	cost, err := strconv.ParseInt(pod.Annotations[v1.PodDeletionCost], 10, 32)
	if err != nil {
		return 0
	}
	return int32(cost)
}

func restarts(pod *v1.Pod) int32 {
	most := int32(0)
	for _, c := range pod.Status.ContainerStatuses {
		most = max(most, c.RestartCount)
	}
	return most
}

func compareReady(a, b *v1.Pod, now time.Time) int {
	readyA, ok := ReadySince(a)
	readyB, ok2 := ReadySince(b)
	if !ok || !ok2 {
		return 0
	}
	return compareAge(a, b, readyA, readyB, now)
}

// compareAge orders the younger before the older, and pods of about the same age by chance, which their UIDs are.
func compareAge(a, b *v1.Pod, timeA, timeB, now time.Time) int {
	if timeA.Equal(timeB) {
		return 0
	}
	return cmp.Or(cmp.Compare(magnitude(now.Sub(timeA)), magnitude(now.Sub(timeB))), cmp.Compare(a.UID, b.UID))
}

func magnitude(d time.Duration) int {
	if d <= 0 {
		return -1
	}
	return int(math.Log2(float64(d)))
}
