package catalog

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// What the workloads ask about their pod templates.

func defaultTemplate(t *corev1.PodTemplateSpec) { defaultPodTemplateSpec(t) }

func validateTemplate(t *corev1.PodTemplateSpec, path *field.Path) errorList {
	return validatePodTemplateSpec(t, path)
}

// templateWarnings are about a template; old is the template before, nil at creation.
func templateWarnings(t, _ *corev1.PodTemplateSpec, path *field.Path) []string {
	return podSpecWarnings(&t.Spec, t.Annotations, true, path)
}

// alwaysRestarts: pods of these workloads are to run forever.
func alwaysRestarts(workload string, t *corev1.PodTemplateSpec, path *field.Path) errorList {
	var errs errorList
	if p := t.Spec.RestartPolicy; p != corev1.RestartPolicyAlways {
		errs = append(errs, field.NotSupported(child(path, "spec", "restartPolicy"), p, []corev1.RestartPolicy{corev1.RestartPolicyAlways}))
	}
	if t.Spec.ActiveDeadlineSeconds != nil {
		errs = append(errs, field.Forbidden(child(path, "spec", "activeDeadlineSeconds"), "activeDeadlineSeconds in "+workload+" is not Supported"))
	}
	return errs
}
