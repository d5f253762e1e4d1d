package objects

import (
	corev1 "k8s.io/api/core/v1"
)

// key names one object.
type key struct {
	kind            string // secret or configmap, as upstream's sentences call them
	namespace, name string
}

// references are the objects that a pod's volumes and environments name.
func references(pod *corev1.Pod) map[key]bool {
	found := map[key]bool{}
	add := func(kind, name string) {
		if name != "" {
			found[key{kind, pod.Namespace, name}] = true
		}
	}
	for _, volume := range pod.Spec.Volumes {
		switch {
		case volume.Secret != nil:
			add("secret", volume.Secret.SecretName)
		case volume.ConfigMap != nil:
			add("configmap", volume.ConfigMap.Name)
		case volume.Projected != nil:
			for _, source := range volume.Projected.Sources {
				if source.Secret != nil {
					add("secret", source.Secret.Name)
				}
				if source.ConfigMap != nil {
					add("configmap", source.ConfigMap.Name)
				}
			}
		}
	}
	environment := func(from []corev1.EnvFromSource, env []corev1.EnvVar) {
		for _, source := range from {
			if source.SecretRef != nil {
				add("secret", source.SecretRef.Name)
			}
			if source.ConfigMapRef != nil {
				add("configmap", source.ConfigMapRef.Name)
			}
		}
		for _, variable := range env {
			if variable.ValueFrom == nil {
				continue
			}
			if ref := variable.ValueFrom.SecretKeyRef; ref != nil {
				add("secret", ref.Name)
			}
			if ref := variable.ValueFrom.ConfigMapKeyRef; ref != nil {
				add("configmap", ref.Name)
			}
		}
	}
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for _, container := range list {
			environment(container.EnvFrom, container.Env)
		}
	}
	for _, container := range pod.Spec.EphemeralContainers {
		environment(container.EnvFrom, container.Env)
	}
	return found
}
