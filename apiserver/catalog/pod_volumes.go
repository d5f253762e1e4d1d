package catalog

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// volumesByName are the volumes of a pod that containers may mount: those that are right in themselves.
type volumesByName map[string]*corev1.VolumeSource

// validateVolumes checks a pod's volumes, and notes those that are known then. meta is the pod's, nil for a template.
func validateVolumes(volumes []corev1.Volume, meta *metav1.ObjectMeta, known volumesByName, path *field.Path) errorList {
	var errs errorList
	created := map[string]bool{} // claims that will be made for the pod
	if meta != nil && meta.Name != "" {
		for _, v := range volumes {
			if v.Ephemeral != nil {
				created[meta.Name+"-"+v.Name] = true
			}
		}
	}
	for i := range volumes {
		v, at := &volumes[i], nth(path, i)
		wrong := append(validateVolumeSource(v, meta, at), neededLabel(child(at, "name"), v.Name)...)
		if known[v.Name] != nil {
			wrong = append(wrong, field.Duplicate(child(at, "name"), v.Name))
		}
		if len(wrong) == 0 {
			known[v.Name] = &v.VolumeSource
		}
		errs = append(errs, wrong...)
		if claim := v.PersistentVolumeClaim; claim != nil && created[claim.ClaimName] {
			errs = append(errs, field.Invalid(child(at, "persistentVolumeClaim", "claimName"), claim.ClaimName,
				"must not reference a PVC that gets created for an ephemeral volume"))
		}
	}
	return errs
}

func validateVolumeSource(v *corev1.Volume, meta *metav1.ObjectMeta, at *field.Path) errorList {
	s := &sources{path: at}
	source(s, v.EmptyDir, "emptyDir", validateEmptyDir)
	source(s, v.HostPath, "hostPath", validateHostPath)
	source(s, v.GitRepo, "gitRepo", validateGitRepo)
	sourceAs(s, v.GCEPersistentDisk, "gcePersistentDisk", "persistentDisk", validateGCEDisk)
	source(s, v.AWSElasticBlockStore, "awsElasticBlockStore", validateEBS)
	source(s, v.Secret, "secret", validateSecretVolume)
	source(s, v.NFS, "nfs", validateNFS)
	source(s, v.ISCSI, "iscsi", validateISCSI)
	if v.ISCSI != nil && !iscsiNameFits(v.Name, v.ISCSI.TargetPortal, v.ISCSI.InitiatorName) {
		s.errs = append(s.errs, field.Invalid(child(at, "name"), v.Name, iscsiNameTooLong))
	}
	source(s, v.Glusterfs, "glusterfs", validateGlusterfs)
	source(s, v.Flocker, "flocker", validateFlocker)
	source(s, v.PersistentVolumeClaim, "persistentVolumeClaim", validateClaimVolume)
	source(s, v.RBD, "rbd", validateRBD)
	source(s, v.Cinder, "cinder", validateCinder)
	sourceAs(s, v.CephFS, "cephFS", "cephfs", validateCephFS)
	source(s, v.Quobyte, "quobyte", validateQuobyte)
	sourceAs(s, v.DownwardAPI, "downwarAPI", "downwardAPI", validateDownwardVolume)
	source(s, v.FC, "fc", validateFC)
	source(s, v.FlexVolume, "flexVolume", validateFlexVolume)
	source(s, v.ConfigMap, "configMap", validateConfigMapVolume)
	source(s, v.AzureFile, "azureFile", validateAzureFile)
	source(s, v.VsphereVolume, "vsphereVolume", validateVsphere)
	source(s, v.PhotonPersistentDisk, "photonPersistentDisk", validatePhoton)
	source(s, v.PortworxVolume, "portworxVolume", validatePortworx)
	source(s, v.AzureDisk, "azureDisk", validateAzureDisk)
	source(s, v.StorageOS, "storageos", validateStorageOS)
	source(s, v.Projected, "projected", validateProjected)
	source(s, v.ScaleIO, "scaleIO", validateScaleIO)
	source(s, v.CSI, "csi", validateCSI)
	source(s, v.Ephemeral, "ephemeral", func(e *corev1.EphemeralVolumeSource, path *field.Path) errorList {
		return append(validateEphemeralVolume(e, path), ephemeralName(v.Name, meta, at)...)
	})
	source(s, v.Image, "image", validateImageVolume)
	return s.checked()
}

func validateEmptyDir(v *corev1.EmptyDirVolumeSource, at *field.Path) errorList {
	if v.SizeLimit != nil && v.SizeLimit.Sign() < 0 {
		return errorList{field.Forbidden(child(at, "sizeLimit"), "SizeLimit field must be a valid resource quantity")}
	}
	return nil
}

func validateSecretVolume(v *corev1.SecretVolumeSource, at *field.Path) errorList {
	errs := needed(child(at, "secretName"), v.SecretName)
	errs = append(errs, fileMode(child(at, "defaultMode"), v.DefaultMode)...)
	return append(errs, validateItems(v.Items, child(at, "items"))...)
}

func validateConfigMapVolume(v *corev1.ConfigMapVolumeSource, at *field.Path) errorList {
	errs := needed(child(at, "name"), v.Name)
	errs = append(errs, fileMode(child(at, "defaultMode"), v.DefaultMode)...)
	return append(errs, validateItems(v.Items, child(at, "items"))...)
}

func validateItems(items []corev1.KeyToPath, path *field.Path) errorList {
	var errs errorList
	for i := range items {
		errs = append(errs, validateItem(&items[i], nth(path, i))...)
	}
	return errs
}

// validateItem checks which file a key becomes.
func validateItem(item *corev1.KeyToPath, at *field.Path) errorList {
	errs := append(needed(child(at, "key"), item.Key), needed(child(at, "path"), item.Path)...)
	errs = append(errs, ownPath(child(at, "path"), item.Path)...)
	return append(errs, fileMode(child(at, "mode"), item.Mode)...)
}

func validateClaimVolume(v *corev1.PersistentVolumeClaimVolumeSource, at *field.Path) errorList {
	return needed(child(at, "claimName"), v.ClaimName)
}

func validateDownwardVolume(v *corev1.DownwardAPIVolumeSource, at *field.Path) errorList {
	errs := fileMode(child(at, "defaultMode"), v.DefaultMode)
	for i := range v.Items {
		errs = append(errs, validateDownwardFile(&v.Items[i], at)...)
	}
	return errs
}

// validateDownwardFile checks a file that holds a fact about its own pod.
func validateDownwardFile(f *corev1.DownwardAPIVolumeFile, at *field.Path) errorList {
	errs := append(needed(child(at, "path"), f.Path), ownPath(child(at, "path"), f.Path)...)
	switch {
	case f.FieldRef != nil:
		errs = append(errs, validateFieldRef(f.FieldRef, child(at, "fieldRef"),
			"metadata.annotations", "metadata.labels", "metadata.name", "metadata.namespace", "metadata.uid")...)
		if f.ResourceFieldRef != nil {
			errs = append(errs, field.Invalid(at, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously"))
		}
	case f.ResourceFieldRef == nil:
		errs = append(errs, field.Required(at, "one of fieldRef and resourceFieldRef is required"))
	case f.ResourceFieldRef.ContainerName == "":
		ref := child(at, "resourceFieldRef")
		errs = append(errs, field.Required(child(ref, "containerName"), ""))
		errs = append(errs, validateDivisor(f.ResourceFieldRef, ref)...)
	default:
		errs = append(errs, validateResourceRef(f.ResourceFieldRef, child(at, "resourceFieldRef"))...)
	}
	return append(errs, fileMode(child(at, "mode"), f.Mode)...)
}

func validateEphemeralVolume(v *corev1.EphemeralVolumeSource, at *field.Path) errorList {
	t := v.VolumeClaimTemplate
	at = child(at, "volumeClaimTemplate")
	if t == nil {
		return errorList{field.Required(at, "")}
	}
	meta := child(at, "metadata")
	errs := validateAnnotations(t.Annotations, child(meta, "annotations"))
	errs = append(errs, validateLabels(t.Labels, child(meta, "labels"))...)
	errs = append(errs, onlyFields(t.ObjectMeta, meta, "cannot be set", "Annotations", "Labels")...)
	return append(errs, validateClaimSpec(&t.Spec, child(at, "spec"))...)
}

// ephemeralName checks the name of the claim that will be made for a volume.
func ephemeralName(volume string, meta *metav1.ObjectMeta, at *field.Path) errorList {
	if meta == nil || meta.Name == "" || volume == "" {
		return nil
	}
	var errs errorList
	claim := meta.Name + "-" + volume
	for _, text := range apivalidation.NameIsDNSSubdomain(claim, false) {
		errs = append(errs, field.Invalid(child(at, "name"), volume, fmt.Sprintf("PVC name %q: %v", claim, text)))
	}
	return errs
}

func validateImageVolume(v *corev1.ImageVolumeSource, at *field.Path) errorList {
	return append(needed(child(at, "reference"), v.Reference), validatePullPolicy(v.PullPolicy, child(at, "pullPolicy"))...)
}
