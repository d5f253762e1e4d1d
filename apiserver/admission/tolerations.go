package admission

import (
	"context"

	corev1 "k8s.io/api/core/v1"
)

// DefaultTolerationSeconds: a pod stays for five minutes on a node that is not ready or cannot be reached, unless it
// says otherwise.
// Source: k8s.io/kubernetes/plugin/pkg/admission/defaulttolerationseconds.
type DefaultTolerationSeconds struct{}

const tolerationSeconds = 300

// Name returns DefaultTolerationSeconds.
func (DefaultTolerationSeconds) Name() string { return "DefaultTolerationSeconds" }

// Mutate adds the tolerations that are not there.
func (DefaultTolerationSeconds) Mutate(_ context.Context, a *Attributes) error {
	pod, ok := a.Object.(*corev1.Pod)
	if !ok || a.Subresource != "" || a.Operation == Delete {
		return nil
	}
	for _, taint := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		if tolerates(pod, taint) {
			continue
		}
		pod.Spec.Tolerations = append(pod.Spec.Tolerations, corev1.Toleration{
			Key: taint, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffectNoExecute,
			TolerationSeconds: new(int64(tolerationSeconds)),
		})
		a.Changed("spec.tolerations: %s for %d seconds", taint, tolerationSeconds)
	}
	return nil
}

func tolerates(pod *corev1.Pod, taint string) bool {
	for _, t := range pod.Spec.Tolerations {
		if (t.Key == taint || t.Key == "") && (t.Effect == corev1.TaintEffectNoExecute || t.Effect == "") {
			return true
		}
	}
	return false
}
