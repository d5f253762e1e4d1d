package downward

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
)

// Node is what a pod may learn of its node before its own status tells.
type Node struct {
	HostIP      string
	PodIP       string
	Allocatable corev1.ResourceList
}

// Field is the value of a fieldPath, as files of a downwardAPI volume and variables of a container may ask for it.
func Field(pod *corev1.Pod, node Node, path string) (string, error) {
	switch path {
	case "metadata.name":
		return pod.Name, nil
	case "metadata.namespace":
		return pod.Namespace, nil
	case "metadata.uid":
		return string(pod.UID), nil
	case "metadata.labels":
		return list(pod.Labels), nil
	case "metadata.annotations":
		return list(pod.Annotations), nil
	case "spec.nodeName":
		return pod.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return pod.Spec.ServiceAccountName, nil
	case "status.hostIP", "status.hostIPs":
		return node.HostIP, nil
	case "status.podIP", "status.podIPs":
		return node.PodIP, nil
	}
	return entry(pod, path)
}

// entry is one label or annotation: metadata.labels['app'].
func entry(pod *corev1.Pod, path string) (string, error) {
	prefix, rest, ok := strings.Cut(path, "['")
	key, closed := strings.CutSuffix(rest, "']")
	if !ok || !closed || prefix == "" {
		return "", fmt.Errorf("unsupported fieldPath: %v", path)
	}
	var from map[string]string
	name := key
	switch prefix {
	case "metadata.labels":
		from = pod.Labels
	case "metadata.annotations":
		from = pod.Annotations
		name = strings.ToLower(key)
	default:
		return "", fmt.Errorf("fieldPath %q does not support subscript", path)
	}
	if errs := validation.IsQualifiedName(name); len(errs) > 0 {
		return "", fmt.Errorf("invalid key subscript in %s: %s", path, strings.Join(errs, ";"))
	}
	return from[key], nil
}

// list prints a map as key="value" lines, sorted.
func list(m map[string]string) string {
	lines := make([]string, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		lines = append(lines, key+"="+strconv.Quote(m[key]))
	}
	return strings.Join(lines, "\n")
}
