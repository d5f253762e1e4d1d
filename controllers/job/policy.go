package job

import (
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	v1 "k8s.io/api/core/v1"
)

// failurePolicy is what the first rule that a failed pod matches says, and how it came to that; none says that it counts.
func failurePolicy(policy *batchv1.PodFailurePolicy, pod *v1.Pod) (action batchv1.PodFailurePolicyAction, why string) {
	if policy == nil {
		return batchv1.PodFailurePolicyActionCount, ""
	}
	for i, rule := range policy.Rules {
		if rule.OnExitCodes != nil {
			if c := matchingContainer(pod, rule.OnExitCodes); c != nil {
				return rule.Action, fmt.Sprintf("Container %s for pod %s/%s failed with exit code %v matching %v rule at index %d",
					c.Name, pod.Namespace, pod.Name, c.State.Terminated.ExitCode, rule.Action, i)
			}
			continue
		}
		for _, c := range pod.Status.Conditions {
			if slices.Contains(rule.OnPodConditions, batchv1.PodFailurePolicyOnPodConditionsPattern{Type: c.Type, Status: c.Status}) {
				return rule.Action, fmt.Sprintf("Pod %s/%s has condition %v matching %v rule at index %d", pod.Namespace, pod.Name, c.Type, rule.Action, i)
			}
		}
	}
	return batchv1.PodFailurePolicyActionCount, ""
}

func matchingContainer(pod *v1.Pod, on *batchv1.PodFailurePolicyOnExitCodesRequirement) *v1.ContainerStatus {
	for _, c := range slices.Concat(pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses) {
		if c.State.Terminated == nil || c.State.Terminated.ExitCode == 0 || on.ContainerName != nil && *on.ContainerName != c.Name {
			continue
		}
		if slices.Contains(on.Values, c.State.Terminated.ExitCode) == (on.Operator == batchv1.PodFailurePolicyOnExitCodesOpIn) {
			return &c
		}
	}
	return nil
}

// counts tells whether the failure of a pod counts towards the limit.
func (r *run) counts(pod *v1.Pod) bool {
	action, _ := failurePolicy(r.job.Spec.PodFailurePolicy, pod)
	return action != batchv1.PodFailurePolicyActionIgnore
}

// failedByPolicy tells whether a pod has failed in a way that fails the Job, and how.
func (r *run) failedByPolicy() (string, bool) {
	for _, pod := range r.pods {
		if !r.isFailed(pod) {
			continue
		}
		if action, why := failurePolicy(r.job.Spec.PodFailurePolicy, pod); action == batchv1.PodFailurePolicyActionFailJob {
			return why, true
		}
	}
	return "", false
}

// succeededByPolicy tells which rule says that enough indexes have succeeded.
func (r *run) succeededByPolicy() (rule int, ok bool) {
	if r.job.Spec.SuccessPolicy == nil {
		return 0, false
	}
	for i, rule := range r.job.Spec.SuccessPolicy.Rules {
		have, need := r.indexes.len(), 0
		if rule.SucceededIndexes != nil {
			of := parseIndexes(*rule.SucceededIndexes, int(*r.job.Spec.Completions))
			have, need = 0, of.len()
			for index := range of {
				if r.indexes.has(index) {
					have++
				}
			}
			if need == 0 {
				continue
			}
			if have == need {
				return i, true
			}
		}
		if rule.SucceededCount != nil && have >= int(*rule.SucceededCount) {
			return i, true
		}
	}
	return 0, false
}
