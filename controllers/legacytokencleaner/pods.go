package legacytokencleaner

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// named are the Secrets that pods of the namespace name.
func (c *Cleaner) named(ctx context.Context, namespace string) ([]string, error) {
	pods, err := c.config.Pods.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range pods.Items {
		names = appendNamed(names, &pods.Items[i].Spec)
	}
	return names, nil
}

// appendNamed adds the Secrets that a pod names itself, wherever it may (pkg/api/v1/pod, VisitPodSecretNames).
func appendNamed(names []string, spec *corev1.PodSpec) []string {
	for _, r := range spec.ImagePullSecrets {
		names = append(names, r.Name)
	}
	local := func(r *corev1.LocalObjectReference) {
		if r != nil {
			names = append(names, r.Name)
		}
	}
	environment := func(from []corev1.EnvFromSource, env []corev1.EnvVar) {
		for _, f := range from {
			if f.SecretRef != nil {
				local(&f.SecretRef.LocalObjectReference)
			}
		}
		for _, e := range env {
			if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
				local(&e.ValueFrom.SecretKeyRef.LocalObjectReference)
			}
		}
	}
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for _, c := range list {
			environment(c.EnvFrom, c.Env)
		}
	}
	for _, c := range spec.EphemeralContainers {
		environment(c.EnvFrom, c.Env)
	}
	for _, v := range spec.Volumes {
		switch {
		case v.Secret != nil:
			names = append(names, v.Secret.SecretName)
		case v.Projected != nil:
			for _, s := range v.Projected.Sources {
				if s.Secret != nil {
					local(&s.Secret.LocalObjectReference)
				}
			}
		case v.CSI != nil:
			local(v.CSI.NodePublishSecretRef)
		case v.AzureFile != nil:
			names = append(names, v.AzureFile.SecretName)
		case v.CephFS != nil:
			local(v.CephFS.SecretRef)
		case v.Cinder != nil:
			local(v.Cinder.SecretRef)
		case v.FlexVolume != nil:
			local(v.FlexVolume.SecretRef)
		case v.RBD != nil:
			local(v.RBD.SecretRef)
		case v.ScaleIO != nil:
			local(v.ScaleIO.SecretRef)
		case v.ISCSI != nil:
			local(v.ISCSI.SecretRef)
		case v.StorageOS != nil:
			local(v.StorageOS.SecretRef)
		}
	}
	return names
}
