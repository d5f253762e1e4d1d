package admission

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// StorageProtection: claims, volumes and their attributes' classes do not go while they are used. Controllers take the
// finalizers off again.
// Source: k8s.io/kubernetes/plugin/pkg/admission/storage/storageobjectinuseprotection.
type StorageProtection struct{}

// Name returns StorageObjectInUseProtection.
func (StorageProtection) Name() string { return "StorageObjectInUseProtection" }

// Mutate adds the kind's finalizer.
func (StorageProtection) Mutate(_ context.Context, a *Attributes) error {
	if a.Operation != Create || a.Subresource != "" {
		return nil
	}
	switch obj := a.Object.(type) {
	case *corev1.PersistentVolume:
		protect(a, obj, "kubernetes.io/pv-protection")
	case *corev1.PersistentVolumeClaim:
		protect(a, obj, "kubernetes.io/pvc-protection")
	case *storagev1.VolumeAttributesClass:
		protect(a, obj, "kubernetes.io/vac-protection")
	}
	return nil
}

func protect(a *Attributes, obj metav1.Object, finalizer string) {
	if !slices.Contains(obj.GetFinalizers(), finalizer) {
		obj.SetFinalizers(append(obj.GetFinalizers(), finalizer))
		a.Changed("metadata.finalizers: %s", finalizer)
	}
}
