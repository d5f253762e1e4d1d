package quota

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	helpers "k8s.io/component-helpers/resource"
)

const countPrefix = "count/"

// CountName is the name under which a quota counts the objects of a resource.
func CountName(gr schema.GroupResource) corev1.ResourceName {
	return corev1.ResourceName(countPrefix + gr.String())
}

// hasOldName tells whether a resource can be counted under its name alone too, as before there was count/.
func hasOldName(gr schema.GroupResource) bool {
	return gr.Group == "" && slices.Contains([]string{"services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps", "persistentvolumeclaims"}, gr.Resource)
}

// Usage is what an object takes of a quota that counts everything.
func Usage(gr schema.GroupResource, obj runtime.Object, now time.Time) corev1.ResourceList {
	usage := corev1.ResourceList{CountName(gr): one()}
	if hasOldName(gr) {
		usage[corev1.ResourceName(gr.Resource)] = one()
	}
	switch o := obj.(type) {
	case *corev1.Pod:
		if isCharged(o, now) {
			usage = Add(usage, podUsage(o))
		}
	case *corev1.Service:
		usage = Add(usage, serviceUsage(o))
	case *corev1.PersistentVolumeClaim:
		usage = Add(usage, claimUsage(o))
	}
	return usage
}

// Tracks tells whether objects of a resource can take something of what a quota calls name.
func Tracks(gr schema.GroupResource, name corev1.ResourceName) bool {
	if name == CountName(gr) || hasOldName(gr) && string(name) == gr.Resource {
		return true
	}
	text := string(name)
	switch gr {
	case schema.GroupResource{Resource: "pods"}:
		switch name {
		case corev1.ResourcePods, corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage,
			corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory, corev1.ResourceRequestsEphemeralStorage,
			corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory, corev1.ResourceLimitsEphemeralStorage:
			return true
		case corev1.ResourceRequestsStorage:
			return false
		}
		extended, isRequest := strings.CutPrefix(text, corev1.DefaultResourceRequestsPrefix)
		return strings.HasPrefix(text, corev1.ResourceHugePagesPrefix) || isRequest && (strings.Contains(extended, "/") || strings.HasPrefix(extended, corev1.ResourceHugePagesPrefix))
	case schema.GroupResource{Resource: "services"}:
		return name == corev1.ResourceServicesNodePorts || name == corev1.ResourceServicesLoadBalancers
	case schema.GroupResource{Resource: "persistentvolumeclaims"}:
		return name == corev1.ResourceRequestsStorage || strings.Contains(text, classInfix)
	}
	return false
}

func one() resource.Quantity { return *resource.NewQuantity(1, resource.DecimalSI) }

// isCharged: a pod that has ended, or should have by now, takes nothing but its place in the store.
func isCharged(pod *corev1.Pod, now time.Time) bool {
	if pod.Status.Phase == corev1.PodFailed || pod.Status.Phase == corev1.PodSucceeded {
		return false
	}
	if pod.DeletionTimestamp == nil || pod.DeletionGracePeriodSeconds == nil {
		return true
	}
	return pod.DeletionTimestamp.Add(time.Duration(*pod.DeletionGracePeriodSeconds) * time.Second).After(now)
}

func podUsage(pod *corev1.Pod) corev1.ResourceList {
	options := helpers.PodResourcesOptions{UseStatusResources: true}
	return computeUsage(helpers.PodRequests(pod, options), helpers.PodLimits(pod, options))
}

func computeUsage(requests, limits corev1.ResourceList) corev1.ResourceList {
	usage := corev1.ResourceList{corev1.ResourcePods: one()}
	for name, quantity := range requests {
		switch {
		case name == corev1.ResourceCPU, name == corev1.ResourceMemory, name == corev1.ResourceEphemeralStorage, strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix):
			usage[name] = quantity
			usage[corev1.DefaultResourceRequestsPrefix+name] = quantity
		case strings.Contains(string(name), "/"):
			usage[corev1.DefaultResourceRequestsPrefix+name] = quantity
		}
	}
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage} {
		if quantity, ok := limits[name]; ok {
			usage["limits."+name] = quantity
		}
	}
	return usage
}

func serviceUsage(s *corev1.Service) corev1.ResourceList {
	usage := corev1.ResourceList{corev1.ResourceServicesNodePorts: *resource.NewQuantity(0, resource.DecimalSI), corev1.ResourceServicesLoadBalancers: *resource.NewQuantity(0, resource.DecimalSI)}
	ports := int64(len(s.Spec.Ports))
	switch s.Spec.Type {
	case corev1.ServiceTypeNodePort:
		usage[corev1.ResourceServicesNodePorts] = *resource.NewQuantity(ports, resource.DecimalSI)
	case corev1.ServiceTypeLoadBalancer:
		if s.Spec.AllocateLoadBalancerNodePorts != nil && !*s.Spec.AllocateLoadBalancerNodePorts {
			ports = 0
			for _, p := range s.Spec.Ports {
				if p.NodePort != 0 {
					ports++
				}
			}
		}
		usage[corev1.ResourceServicesNodePorts] = *resource.NewQuantity(ports, resource.DecimalSI)
		usage[corev1.ResourceServicesLoadBalancers] = one()
	}
	return usage
}

const classInfix = ".storageclass.storage.k8s.io/"

func claimUsage(c *corev1.PersistentVolumeClaim) corev1.ResourceList {
	usage := corev1.ResourceList{}
	class := c.Annotations[corev1.BetaStorageClassAnnotation]
	if class == "" && c.Spec.StorageClassName != nil {
		class = *c.Spec.StorageClassName
	}
	if class != "" {
		usage[corev1.ResourceName(class+classInfix+"persistentvolumeclaims")] = one()
	}
	if size, ok := c.Spec.Resources.Requests[corev1.ResourceStorage]; ok {
		usage[corev1.ResourceRequestsStorage] = size
		if class != "" {
			usage[corev1.ResourceName(class+classInfix)+corev1.ResourceRequestsStorage] = size
		}
	}
	return usage
}
