package node

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// needsOf lists what a kubelet must read to run the pod, none twice.
//
// A mirror pod needs nothing: the kubelet made it, and must not be able to give itself permissions that way.
func needsOf(pod *corev1.Pod) []Object {
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return nil
	}
	return References(pod)
}

// References lists the objects that a pod names, none twice.
func References(pod *corev1.Pod) []Object {
	n := needs{namespace: pod.Namespace}
	n.add("serviceaccounts", pod.Spec.ServiceAccountName)
	for _, ref := range pod.Spec.ImagePullSecrets {
		n.add("secrets", ref.Name)
	}
	for _, c := range pod.Spec.InitContainers {
		n.ofEnvironment(c.Env, c.EnvFrom)
	}
	for _, c := range pod.Spec.Containers {
		n.ofEnvironment(c.Env, c.EnvFrom)
	}
	for _, c := range pod.Spec.EphemeralContainers {
		n.ofEnvironment(c.Env, c.EnvFrom)
	}
	for i := range pod.Spec.Volumes {
		n.ofVolume(pod, &pod.Spec.Volumes[i])
	}
	n.ofClaims(pod)
	return n.objects
}

type needs struct {
	namespace string
	objects   []Object
}

func (n *needs) add(resource, name string) {
	o := Object{resource, n.namespace, name}
	if name != "" && !slices.Contains(n.objects, o) {
		n.objects = append(n.objects, o)
	}
}

func (n *needs) addSecret(ref *corev1.LocalObjectReference) {
	if ref != nil {
		n.add("secrets", ref.Name)
	}
}

func (n *needs) ofEnvironment(vars []corev1.EnvVar, from []corev1.EnvFromSource) {
	for _, f := range from {
		if f.SecretRef != nil {
			n.add("secrets", f.SecretRef.Name)
		}
		if f.ConfigMapRef != nil {
			n.add("configmaps", f.ConfigMapRef.Name)
		}
	}
	for _, v := range vars {
		if v.ValueFrom == nil {
			continue
		}
		if v.ValueFrom.SecretKeyRef != nil {
			n.add("secrets", v.ValueFrom.SecretKeyRef.Name)
		}
		if v.ValueFrom.ConfigMapKeyRef != nil {
			n.add("configmaps", v.ValueFrom.ConfigMapKeyRef.Name)
		}
	}
}

func (n *needs) ofVolume(pod *corev1.Pod, v *corev1.Volume) {
	switch s := v.VolumeSource; {
	case s.Secret != nil:
		n.add("secrets", s.Secret.SecretName)
	case s.ConfigMap != nil:
		n.add("configmaps", s.ConfigMap.Name)
	case s.Projected != nil:
		for _, part := range s.Projected.Sources {
			if part.Secret != nil {
				n.add("secrets", part.Secret.Name)
			}
			if part.ConfigMap != nil {
				n.add("configmaps", part.ConfigMap.Name)
			}
		}
	case s.PersistentVolumeClaim != nil:
		n.add("persistentvolumeclaims", s.PersistentVolumeClaim.ClaimName)
	case s.Ephemeral != nil:
		n.add("persistentvolumeclaims", pod.Name+"-"+v.Name)
	case s.CSI != nil:
		n.addSecret(s.CSI.NodePublishSecretRef)
	case s.AzureFile != nil:
		n.add("secrets", s.AzureFile.SecretName)
	case s.CephFS != nil:
		n.addSecret(s.CephFS.SecretRef)
	case s.Cinder != nil:
		n.addSecret(s.Cinder.SecretRef)
	case s.FlexVolume != nil:
		n.addSecret(s.FlexVolume.SecretRef)
	case s.RBD != nil:
		n.addSecret(s.RBD.SecretRef)
	case s.ScaleIO != nil:
		n.addSecret(s.ScaleIO.SecretRef)
	case s.ISCSI != nil:
		n.addSecret(s.ISCSI.SecretRef)
	case s.StorageOS != nil:
		n.addSecret(s.StorageOS.SecretRef)
	}
}

// ofClaims adds the ResourceClaims that the pod names, and those that were made for it from templates.
func (n *needs) ofClaims(pod *corev1.Pod) {
	for _, claim := range pod.Spec.ResourceClaims {
		switch {
		case claim.ResourceClaimName != nil:
			n.add("resourceclaims", *claim.ResourceClaimName)
		case claim.ResourceClaimTemplateName != nil:
			for _, made := range pod.Status.ResourceClaimStatuses {
				if made.Name == claim.Name && made.ResourceClaimName != nil {
					n.add("resourceclaims", *made.ResourceClaimName)
				}
			}
		}
	}
	if extended := pod.Status.ExtendedResourceClaimStatus; extended != nil {
		n.add("resourceclaims", extended.ResourceClaimName)
	}
}

// volumeOf is the volume's claim and the secrets that a kubelet needs to mount it; what only controllers need is
// not among them. Secrets without a namespace are in that of the claim for old kinds of volumes.
// Source: pkg/api/v1/persistentvolume/util.go.
func volumeOf(pv *corev1.PersistentVolume) volume {
	claim := pv.Spec.ClaimRef
	if claim == nil {
		return volume{}
	}
	v := volume{claim: Object{"persistentvolumeclaims", claim.Namespace, claim.Name}}
	add := func(ref *corev1.SecretReference, orElse string) {
		if ref == nil || ref.Name == "" {
			return
		}
		namespace := ref.Namespace
		if namespace == "" {
			namespace = orElse
		}
		v.secrets = append(v.secrets, Object{"secrets", namespace, ref.Name})
	}
	switch s := pv.Spec.PersistentVolumeSource; {
	case s.CSI != nil:
		add(s.CSI.NodePublishSecretRef, "")
		add(s.CSI.NodeStageSecretRef, "")
		add(s.CSI.NodeExpandSecretRef, "")
	case s.AzureFile != nil:
		ref := &corev1.SecretReference{Name: s.AzureFile.SecretName}
		if s.AzureFile.SecretNamespace != nil {
			ref.Namespace = *s.AzureFile.SecretNamespace
		}
		add(ref, claim.Namespace)
	case s.CephFS != nil:
		add(s.CephFS.SecretRef, claim.Namespace)
	case s.Cinder != nil:
		add(s.Cinder.SecretRef, "")
	case s.FlexVolume != nil:
		add(s.FlexVolume.SecretRef, claim.Namespace)
	case s.RBD != nil:
		add(s.RBD.SecretRef, claim.Namespace)
	case s.ScaleIO != nil:
		add(s.ScaleIO.SecretRef, claim.Namespace)
	case s.ISCSI != nil:
		add(s.ISCSI.SecretRef, claim.Namespace)
	case s.StorageOS != nil:
		if s.StorageOS.SecretRef != nil {
			add(&corev1.SecretReference{Namespace: s.StorageOS.SecretRef.Namespace, Name: s.StorageOS.SecretRef.Name}, "")
		}
	}
	return v
}
