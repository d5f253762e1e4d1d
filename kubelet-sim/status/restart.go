package status

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// IsSidecar tells whether an init container keeps running beside the others.
func IsSidecar(container *corev1.Container) bool {
	return container.RestartPolicy != nil && *container.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

// ShouldRestart tells whether a container that ended with code is to be run again: by the first of its own
// rules that matches, else by its own policy, else by its pod's.
func ShouldRestart(pod *corev1.Pod, container *corev1.Container, code int32) bool {
	policy := pod.Spec.RestartPolicy
	if container.RestartPolicy != nil {
		for _, rule := range container.RestartPolicyRules {
			if rule.Action == corev1.ContainerRestartRuleActionRestart && matches(rule.ExitCodes, code) {
				return true
			}
		}
		policy = corev1.RestartPolicy(*container.RestartPolicy)
	}
	switch policy {
	case corev1.RestartPolicyNever:
		return false
	case corev1.RestartPolicyOnFailure:
		return code != 0
	}
	return true
}

func matches(rule *corev1.ContainerRestartRuleOnExitCodes, code int32) bool {
	if rule == nil {
		return false
	}
	listed := slices.Contains(rule.Values, code)
	switch rule.Operator {
	case corev1.ContainerRestartRuleOnExitCodesOpIn:
		return listed
	case corev1.ContainerRestartRuleOnExitCodesOpNotIn:
		return !listed
	}
	return false
}
