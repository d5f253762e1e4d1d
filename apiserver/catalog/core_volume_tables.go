package catalog

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

func accessModes(modes []corev1.PersistentVolumeAccessMode) string {
	var out []string
	for _, m := range []struct {
		mode  corev1.PersistentVolumeAccessMode
		short string
	}{{corev1.ReadWriteOnce, "RWO"}, {corev1.ReadOnlyMany, "ROX"}, {corev1.ReadWriteMany, "RWX"}, {corev1.ReadWriteOncePod, "RWOP"}} {
		if slices.Contains(modes, m.mode) {
			out = append(out, m.short)
		}
	}
	return strings.Join(out, ",")
}

// storageClass is a volume's or a claim's class; the annotation of old times goes first.
func storageClass(annotations map[string]string, class string) string {
	if old, ok := annotations[oldStorageClass]; ok {
		return old
	}
	return class
}

func claimTable() Table {
	spec, status := corev1.PersistentVolumeClaimSpec{}.SwaggerDoc(), corev1.PersistentVolumeClaimStatus{}.SwaggerDoc()
	return table(func(c *corev1.PersistentVolumeClaim, now time.Time) []any {
		phase, capacity, modes := string(c.Status.Phase), "", ""
		if c.DeletionTimestamp != nil {
			phase = "Terminating"
		}
		if c.Spec.VolumeName != "" {
			q := c.Status.Capacity[corev1.ResourceStorage]
			modes, capacity = accessModes(c.Status.AccessModes), q.String()
		}
		return []any{
			c.Name, phase, c.Spec.VolumeName, capacity, modes, storageClass(c.Annotations, value(c.Spec.StorageClassName)),
			orElse(c.Spec.VolumeAttributesClassName, "<unset>"), Age(c.CreationTimestamp, now), orElse(c.Spec.VolumeMode, "<unset>"),
		}
	},
		nameColumn(),
		column("Status", "string", status["phase"]),
		column("Volume", "string", spec["volumeName"]),
		column("Capacity", "string", status["capacity"]),
		column("Access Modes", "string", status["accessModes"]),
		column("StorageClass", "string", "StorageClass of the pvc"),
		column("VolumeAttributesClass", "string", "VolumeAttributesClass of the pvc"),
		ageColumn(),
		wide("VolumeMode", "string", spec["volumeMode"]),
	)
}

func volumeTable() Table {
	spec, status := corev1.PersistentVolumeSpec{}.SwaggerDoc(), corev1.PersistentVolumeStatus{}.SwaggerDoc()
	return table(func(v *corev1.PersistentVolume, now time.Time) []any {
		claim, phase := "", string(v.Status.Phase)
		if r := v.Spec.ClaimRef; r != nil {
			claim = r.Namespace + "/" + r.Name
		}
		if v.DeletionTimestamp != nil {
			phase = "Terminating"
		}
		q := v.Spec.Capacity[corev1.ResourceStorage]
		return []any{
			v.Name, q.String(), accessModes(v.Spec.AccessModes), string(v.Spec.PersistentVolumeReclaimPolicy), phase, claim,
			storageClass(v.Annotations, v.Spec.StorageClassName), orElse(v.Spec.VolumeAttributesClassName, "<unset>"), v.Status.Reason,
			Age(v.CreationTimestamp, now), orElse(v.Spec.VolumeMode, "<unset>"),
		}
	},
		nameColumn(),
		column("Capacity", "string", spec["capacity"]),
		column("Access Modes", "string", spec["accessModes"]),
		column("Reclaim Policy", "string", spec["persistentVolumeReclaimPolicy"]),
		column("Status", "string", status["phase"]),
		column("Claim", "string", spec["claimRef"]),
		column("StorageClass", "string", "StorageClass of the pv"),
		column("VolumeAttributesClass", "string", "VolumeAttributesClass of the pv"),
		column("Reason", "string", status["reason"]),
		ageColumn(),
		wide("VolumeMode", "string", spec["volumeMode"]),
	)
}
