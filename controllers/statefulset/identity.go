package statefulset

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// first is the lowest ordinal.
func first(set *appsv1.StatefulSet) int {
	if set.Spec.Ordinals == nil {
		return 0
	}
	return int(set.Spec.Ordinals.Start)
}

// ordinalOf reads a pod's ordinal from its name, false if that is no name of the set's.
func ordinalOf(set *appsv1.StatefulSet, pod *v1.Pod) (int, bool) {
	number, ok := strings.CutPrefix(pod.Name, set.Name+"-")
	if !ok || strings.TrimLeft(number, "0123456789") != "" {
		return 0, false
	}
	ordinal, err := strconv.ParseInt(number, 10, 32)
	return int(ordinal), err == nil
}

func isMember(set *appsv1.StatefulSet, pod *v1.Pod) bool {
	_, ok := ordinalOf(set, pod)
	return ok
}

func revisionOf(pod *v1.Pod) string { return pod.Labels[appsv1.StatefulSetRevisionLabel] }

// identify gives a new pod its name, and the name that it has in DNS.
func identify(set *appsv1.StatefulSet, pod *v1.Pod, ordinal int) {
	pod.GenerateName, pod.Name, pod.Namespace = set.Name+"-", fmt.Sprintf("%s-%d", set.Name, ordinal), set.Namespace
	if pod.Labels == nil {
		pod.Labels = map[string]string{}
	}
	pod.Labels[appsv1.StatefulSetPodNameLabel] = pod.Name
	pod.Labels[appsv1.PodIndexLabel] = strconv.Itoa(ordinal)
	pod.Spec.Hostname, pod.Spec.Subdomain = pod.Name, set.Spec.ServiceName
}

// mendIdentity puts back the label by which a Service can select one pod.
func (s *step) mendIdentity(ctx context.Context, pod *v1.Pod) error {
	if pod.Labels[appsv1.StatefulSetPodNameLabel] == pod.Name {
		return nil
	}
	mended := pod.DeepCopy()
	if mended.Labels == nil {
		mended.Labels = map[string]string{}
	}
	mended.Labels[appsv1.StatefulSetPodNameLabel] = pod.Name
	_, err := s.client.CoreV1().Pods(pod.Namespace).Update(ctx, mended, metav1.UpdateOptions{})
	s.tell(s.set, "update", pod, err)
	return err
}
