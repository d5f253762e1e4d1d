package downward

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Resource is the value of a resourceFieldRef. own is the container that asks, used when the selector names none.
// A limit that is not set is what the node can allocate.
func Resource(pod *corev1.Pod, node Node, own string, selector *corev1.ResourceFieldSelector) (string, error) {
	name := selector.ContainerName
	if name == "" {
		name = own
	}
	container, err := find(pod, name)
	if err != nil {
		return "", err
	}
	kind, of, ok := strings.Cut(selector.Resource, ".")
	if !ok {
		return "", fmt.Errorf("unsupported container resource : %v", selector.Resource)
	}
	resourceName := corev1.ResourceName(of)
	switch resourceName {
	case corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage:
	default:
		return "", fmt.Errorf("unsupported container resource : %v", selector.Resource)
	}
	var quantity resource.Quantity
	switch kind {
	case "requests":
		quantity = container.Resources.Requests[resourceName]
	case "limits":
		quantity = container.Resources.Limits[resourceName]
		if quantity.IsZero() {
			quantity = node.Allocatable[resourceName]
		}
	default:
		return "", fmt.Errorf("unsupported container resource : %v", selector.Resource)
	}
	divisor := selector.Divisor
	if divisor.IsZero() {
		divisor = *resource.NewQuantity(1, resource.DecimalSI)
	}
	if resourceName == corev1.ResourceCPU {
		return divide(quantity.MilliValue(), divisor.MilliValue()), nil
	}
	return divide(quantity.Value(), divisor.Value()), nil
}

// divide rounds up. A divisor that came out as 0 or less, which validation refuses, counts as 1.
func divide(value, divisor int64) string {
	divisor = max(divisor, 1)
	quotient := value / divisor
	if value%divisor > 0 {
		quotient++
	}
	return strconv.FormatInt(quotient, 10)
}

func find(pod *corev1.Pod, name string) (*corev1.Container, error) {
	for i := range pod.Spec.Containers {
		if pod.Spec.Containers[i].Name == name {
			return &pod.Spec.Containers[i], nil
		}
	}
	for i := range pod.Spec.InitContainers {
		if pod.Spec.InitContainers[i].Name == name {
			return &pod.Spec.InitContainers[i], nil
		}
	}
	return nil, fmt.Errorf("container %s not found", name)
}
