package admission

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// PriorityClasses finds a class, nil when there is none, and lists all.
type PriorityClasses interface {
	PriorityClass(name string) *schedulingv1.PriorityClass
	PriorityClasses() []*schedulingv1.PriorityClass
}

// Priority: a pod's priority is that of its class; without a class, that of the global default, or else 0.
// Nobody sets the number itself.
// Source: k8s.io/kubernetes/plugin/pkg/admission/priority.
type Priority struct{ Classes PriorityClasses }

// Name returns Priority.
func (Priority) Name() string { return "Priority" }

// Mutate sets spec.priority and spec.preemptionPolicy, and keeps them.
func (p Priority) Mutate(_ context.Context, a *Attributes) error {
	pod, ok := a.Object.(*corev1.Pod)
	if !ok || !a.Is(schema.GroupResource{Resource: "pods"}) {
		return nil
	}
	if old, ok := a.Old.(*corev1.Pod); ok && a.Operation == Update {
		// Who sends the pod that they once wrote means to keep what was computed.
		setDefault(&pod.Spec.Priority, old.Spec.Priority)
		setDefault(&pod.Spec.PreemptionPolicy, old.Spec.PreemptionPolicy)
		return nil
	}
	if a.Operation != Create {
		return nil
	}
	var class *schedulingv1.PriorityClass
	if name := pod.Spec.PriorityClassName; name != "" {
		if class = p.Classes.PriorityClass(name); class == nil {
			return Forbidden(a, fmt.Errorf("no PriorityClass with name %v was found", name))
		}
	} else {
		for _, c := range p.Classes.PriorityClasses() {
			if c.GlobalDefault && (class == nil || c.Value < class.Value) {
				class = c
			}
		}
	}
	var value int32
	policy := corev1.PreemptLowerPriority
	if class != nil {
		value, pod.Spec.PriorityClassName = class.Value, class.Name
		if class.PreemptionPolicy != nil {
			policy = *class.PreemptionPolicy
		}
	}
	if pod.Spec.Priority != nil && *pod.Spec.Priority != value {
		return Forbidden(a, fmt.Errorf("the integer value of priority (%d) must not be provided in pod spec; priority admission controller computed %d from the given PriorityClass name", *pod.Spec.Priority, value))
	}
	if pod.Spec.PreemptionPolicy != nil && *pod.Spec.PreemptionPolicy != policy {
		return Forbidden(a, fmt.Errorf("the string value of PreemptionPolicy (%s) must not be provided in pod spec; priority admission controller computed %s from the given PriorityClass name", *pod.Spec.PreemptionPolicy, policy))
	}
	pod.Spec.Priority, pod.Spec.PreemptionPolicy = &value, &policy
	a.Changed("spec.priority: %d", value)
	return nil
}

// setDefault fills in what the client left out. What it fills in is the object's own.
func setDefault[T any](p **T, v *T) {
	if *p == nil && v != nil {
		*p = new(*v)
	}
}
