package catalog

import (
	"fmt"
	"path"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/diff"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func volumeKind() *Kind {
	return row[corev1.PersistentVolume, corev1.PersistentVolumeList](corev1.SchemeGroupVersion, Kind{
		Resource:      "persistentvolumes",
		ShortNames:    []string{"pv"},
		Subresources:  onlyStatus(),
		ReturnDeleted: true,
		Strategy: Strategy{
			Default:                on(defaultVolume),
			PrepareForCreate:       on(prepareNewVolume),
			PrepareForStatusUpdate: onChange(prepareVolumeStatus),
			Validate:               check(validateVolume),
			ValidateUpdate:         checkChange(validateVolumeChange),
			ValidateStatusUpdate:   checkChange(validateVolumeStatus),
			Warnings:               warnings(volumeWarnings),
		},
		Table: volumeTable(),
	})
}

func defaultVolume(v *corev1.PersistentVolume) {
	s := &v.Spec
	setDefaultValue(&v.Status.Phase, corev1.VolumePending)
	setDefaultValue(&s.PersistentVolumeReclaimPolicy, corev1.PersistentVolumeReclaimRetain)
	setDefault(&s.VolumeMode, corev1.PersistentVolumeFilesystem)
	roundUp(s.Capacity)
	if s.HostPath != nil {
		setDefault(&s.HostPath.Type, corev1.HostPathUnset)
	}
	if s.RBD != nil {
		setDefaultValue(&s.RBD.RBDPool, "rbd")
		setDefaultValue(&s.RBD.RadosUser, "admin")
		setDefaultValue(&s.RBD.Keyring, "/etc/ceph/keyring")
	}
	if s.ISCSI != nil {
		setDefaultValue(&s.ISCSI.ISCSIInterface, "default")
	}
	if s.AzureDisk != nil {
		defaultAzureDisk(s.AzureDisk)
	}
	if s.ScaleIO != nil {
		setDefaultValue(&s.ScaleIO.StorageMode, "ThinProvisioned")
		setDefaultValue(&s.ScaleIO.FSType, "xfs")
	}
}

// prepareNewVolume notes that the phase began when the volume did.
func prepareNewVolume(v *corev1.PersistentVolume) {
	v.Status = corev1.PersistentVolumeStatus{Phase: corev1.VolumePending, LastPhaseTransitionTime: new(v.CreationTimestamp)}
}

// prepareVolumeStatus keeps the time of the last change of phase, which clients that know of it set themselves.
func prepareVolumeStatus(v, old *corev1.PersistentVolume) {
	if v.Status.LastPhaseTransitionTime != nil && !v.Status.LastPhaseTransitionTime.Equal(old.Status.LastPhaseTransitionTime) {
		return
	}
	if v.Status.Phase == old.Status.Phase {
		v.Status.LastPhaseTransitionTime = clone(old.Status.LastPhaseTransitionTime)
	} else {
		v.Status.LastPhaseTransitionTime = new(metav1.Now())
	}
}

func validateVolume(v *corev1.PersistentVolume, root *field.Path) errorList {
	errs := validateVolumeSpec(&v.Spec, v.Name, child(root, "spec"))
	if _, ok := v.Annotations[corev1.MountOptionAnnotation]; ok && !hasMountOptions(&v.Spec) {
		errs = append(errs, field.Forbidden(child(root, "metadata", "annotations", corev1.MountOptionAnnotation),
			"may not specify mount options for this volume type"))
	}
	return errs
}

func hasMountOptions(s *corev1.PersistentVolumeSpec) bool {
	return s.GCEPersistentDisk != nil || s.AWSElasticBlockStore != nil || s.Glusterfs != nil || s.NFS != nil || s.RBD != nil ||
		s.Quobyte != nil || s.ISCSI != nil || s.Cinder != nil || s.CephFS != nil || s.AzureFile != nil ||
		s.VsphereVolume != nil || s.AzureDisk != nil || s.PhotonPersistentDisk != nil
}

func validateVolumeSpec(s *corev1.PersistentVolumeSpec, name string, at *field.Path) errorList {
	var errs errorList
	if len(s.AccessModes) == 0 {
		errs = append(errs, field.Required(child(at, "accessModes"), ""))
	}
	errs = append(errs, validateAccessModes(s.AccessModes, child(at, "accessModes"))...)
	capacity := child(at, "capacity")
	if len(s.Capacity) == 0 {
		errs = append(errs, field.Required(capacity, ""))
	}
	if _, ok := s.Capacity[corev1.ResourceStorage]; !ok || len(s.Capacity) > 1 {
		errs = append(errs, field.NotSupported(capacity, s.Capacity, []corev1.ResourceName{corev1.ResourceStorage}))
	}
	for r, q := range sorted(s.Capacity).each {
		errs = append(errs, aQuantity(q, keyed(capacity, string(r)))...)
		errs = append(errs, positiveQuantity(q, keyed(capacity, string(r)))...)
	}
	reclaim := child(at, "persistentVolumeReclaimPolicy")
	if s.PersistentVolumeReclaimPolicy != "" {
		errs = append(errs, oneOf(reclaim, s.PersistentVolumeReclaimPolicy,
			corev1.PersistentVolumeReclaimDelete, corev1.PersistentVolumeReclaimRecycle, corev1.PersistentVolumeReclaimRetain)...)
	}
	if n := s.NodeAffinity; n != nil && n.Required != nil {
		errs = append(errs, validateNodeSelector(n.Required, child(at, "nodeAffinity", "required"))...)
	} else if n != nil {
		errs = append(errs, field.Required(child(at, "nodeAffinity", "required"), "must specify required node constraints"))
	}
	errs = append(errs, validateVolumePlugin(s, name, at)...)
	if s.HostPath != nil && path.Clean(s.HostPath.Path) == "/" && s.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimRecycle {
		errs = append(errs, field.Forbidden(reclaim, "may not be 'recycle' for a hostPath mount of '/'"))
	}
	errs = append(errs, validateClass(&s.StorageClassName, child(at, "storageClassName"))...)
	errs = append(errs, knownIfSet(child(at, "volumeMode"), s.VolumeMode, corev1.PersistentVolumeBlock, corev1.PersistentVolumeFilesystem)...)
	if class := s.VolumeAttributesClassName; class != nil {
		if *class == "" {
			errs = append(errs, field.Required(child(at, "volumeAttributesClassName"), "an empty string is disallowed"))
		}
		errs = append(errs, validateClass(class, child(at, "volumeAttributesClassName"))...)
		if s.CSI == nil {
			errs = append(errs, field.Required(child(at, "csi"), "has to be specified when using volumeAttributesClassName"))
		}
	}
	return errs
}

func validateVolumePlugin(s *corev1.PersistentVolumeSpec, name string, at *field.Path) errorList {
	c := &sources{path: at}
	source(c, s.HostPath, "hostPath", validateHostPath)
	sourceAs(c, s.GCEPersistentDisk, "gcePersistentDisk", "persistentDisk", validateGCEDisk)
	source(c, s.AWSElasticBlockStore, "awsElasticBlockStore", validateEBS)
	source(c, s.Glusterfs, "glusterfs", validateGlusterfsVolume)
	source(c, s.Flocker, "flocker", validateFlocker)
	source(c, s.NFS, "nfs", validateNFS)
	source(c, s.RBD, "rbd", func(v *corev1.RBDPersistentVolumeSource, at *field.Path) errorList {
		return validateRBDImage(v.CephMonitors, v.RBDImage, at)
	})
	source(c, s.Quobyte, "quobyte", validateQuobyte)
	sourceAs(c, s.CephFS, "cephFS", "cephfs", func(v *corev1.CephFSPersistentVolumeSource, at *field.Path) errorList {
		return neededList(child(at, "monitors"), v.Monitors)
	})
	source(c, s.ISCSI, "iscsi", func(v *corev1.ISCSIPersistentVolumeSource, at *field.Path) errorList {
		return validateISCSIVolume(v, name, at)
	})
	source(c, s.Cinder, "cinder", func(v *corev1.CinderPersistentVolumeSource, at *field.Path) errorList {
		return append(needed(child(at, "volumeID"), v.VolumeID), validateSecretOf(v.SecretRef, at)...)
	})
	source(c, s.FC, "fc", validateFC)
	if v := s.FlexVolume; v != nil { // never counted as a second
		c.found = true
		c.errs = append(c.errs, validateFlexDriver(v.Driver, v.Options, child(at, "flexVolume"))...)
	}
	source(c, s.AzureFile, "azureFile", validateAzureFileVolume)
	source(c, s.VsphereVolume, "vsphereVolume", validateVsphere)
	source(c, s.PhotonPersistentDisk, "photonPersistentDisk", validatePhoton)
	source(c, s.PortworxVolume, "portworxVolume", validatePortworx)
	source(c, s.AzureDisk, "azureDisk", validateAzureDisk)
	source(c, s.ScaleIO, "scaleIO", func(v *corev1.ScaleIOPersistentVolumeSource, at *field.Path) errorList {
		return validateScaleIOVolume(v.Gateway, v.System, v.VolumeName, at)
	})
	source(c, s.Local, "local", func(v *corev1.LocalVolumeSource, path *field.Path) errorList {
		errs := append(needed(child(path, "path"), v.Path), noBacksteps(child(path, "path"), v.Path)...)
		if s.NodeAffinity == nil {
			errs = append(errs, field.Required(child(at, "nodeAffinity"), "Local volume requires node affinity"))
		}
		return errs
	})
	source(c, s.StorageOS, "storageos", validateStorageOSVolume)
	source(c, s.CSI, "csi", validateCSIVolume)
	return c.checked()
}

func validateGlusterfsVolume(v *corev1.GlusterfsPersistentVolumeSource, at *field.Path) errorList {
	errs := append(needed(child(at, "endpoints"), v.EndpointsName), needed(child(at, "path"), v.Path)...)
	switch ns := v.EndpointsNamespace; {
	case ns == nil:
	case *ns == "":
		errs = append(errs, field.Invalid(child(at, "endpointsNamespace"), *ns, "if the endpointnamespace is set, it must be a valid namespace name"))
	default:
		errs = append(errs, objectName(child(at, "endpointsNamespace"), *ns, apivalidation.ValidateNamespaceName)...)
	}
	return errs
}

func validateISCSIVolume(v *corev1.ISCSIPersistentVolumeSource, name string, at *field.Path) errorList {
	errs := needed(child(at, "targetPortal"), v.TargetPortal)
	if !iscsiNameFits(name, v.TargetPortal, v.InitiatorName) {
		errs = append(errs, field.Invalid(child(at, "targetportal"), v.TargetPortal, iscsiNameTooLong))
	}
	if v.IQN == "" {
		errs = append(errs, field.Required(child(at, "iqn"), ""))
	} else {
		errs = append(errs, validateISCSIName(child(at, "iqn"), v.IQN, "must be valid format")...)
	}
	errs = append(errs, within(child(at, "lun"), v.Lun, 0, 255)...)
	if (v.DiscoveryCHAPAuth || v.SessionCHAPAuth) && v.SecretRef == nil {
		errs = append(errs, field.Required(child(at, "secretRef"), ""))
	}
	if v.SecretRef != nil {
		errs = append(errs, needed(child(at, "secretRef", "name"), v.SecretRef.Name)...)
	}
	if v.InitiatorName != nil {
		errs = append(errs, validateISCSIName(child(at, "initiatorname"), *v.InitiatorName, "must be valid format")...)
	}
	return errs
}

// validateSecretOf: a volume belongs to no namespace, so its Secret's has to be named.
func validateSecretOf(ref *corev1.SecretReference, at *field.Path) errorList {
	if ref == nil {
		return nil
	}
	return append(needed(child(at, "secretRef", "name"), ref.Name), needed(child(at, "secretRef", "namespace"), ref.Namespace)...)
}

func validateAzureFileVolume(v *corev1.AzureFilePersistentVolumeSource, at *field.Path) errorList {
	errs := append(needed(child(at, "secretName"), v.SecretName), needed(child(at, "shareName"), v.ShareName)...)
	if v.SecretNamespace != nil {
		errs = append(errs, needed(child(at, "secretNamespace"), *v.SecretNamespace)...)
	}
	return errs
}

func validateStorageOSVolume(v *corev1.StorageOSPersistentVolumeSource, at *field.Path) errorList {
	errs := validateStorageOSNames(v.VolumeName, v.VolumeNamespace, at)
	if r := v.SecretRef; r != nil {
		errs = append(errs, slices.Concat(needed(child(at, "secretRef", "name"), r.Name), needed(child(at, "secretRef", "namespace"), r.Namespace))...)
	}
	return errs
}

func validateCSIVolume(v *corev1.CSIPersistentVolumeSource, at *field.Path) errorList {
	errs := append(driverName(v.Driver, child(at, "driver")), needed(child(at, "volumeHandle"), v.VolumeHandle)...)
	for _, s := range []struct {
		name string
		ref  *corev1.SecretReference
	}{
		{"controllerPublishSecretRef", v.ControllerPublishSecretRef}, {"controllerExpandSecretRef", v.ControllerExpandSecretRef},
		{"nodePublishSecretRef", v.NodePublishSecretRef}, {"nodeExpandSecretRef", v.NodeExpandSecretRef},
	} {
		if s.ref == nil {
			continue
		}
		if name := child(at, s.name, "name"); s.ref.Name == "" {
			errs = append(errs, field.Required(name, ""))
		} else {
			errs = append(errs, dnsSubdomain(name, s.ref.Name)...)
		}
		errs = append(errs, neededLabel(child(at, s.name, "namespace"), s.ref.Namespace)...)
	}
	return errs
}

// validateVolumeChange: where a volume's data are stays. The Secret with which it can be grown may be added.
func validateVolumeChange(v, old *corev1.PersistentVolume, root *field.Path) errorList {
	errs := validateVolumeSpec(&v.Spec, v.Name, child(root, "spec")) // again, as Kubernetes does
	now := v.Spec.PersistentVolumeSource
	if now.CSI != nil && old.Spec.CSI != nil && old.Spec.CSI.ControllerExpandSecretRef == nil {
		now.CSI = new(*now.CSI)
		now.CSI.ControllerExpandSecretRef = nil
	}
	if was := old.Spec.PersistentVolumeSource; !equality.Semantic.DeepEqual(now, was) {
		errs = append(errs, field.Forbidden(child(root, "spec", "persistentvolumesource"),
			"spec.persistentvolumesource is immutable after creation\n"+diff.Diff(internalForm(was), internalForm(now))))
	}
	errs = append(errs, unchanged(child(root, "volumeMode"), v.Spec.VolumeMode, old.Spec.VolumeMode)...)
	if a := old.Spec.NodeAffinity; a != nil && !sameAffinity(v.Spec.NodeAffinity, a) {
		errs = append(errs, field.Invalid(child(root, "nodeAffinity"), internalForm(v.Spec.NodeAffinity),
			apivalidation.FieldImmutableErrorMsg+", except for updating from beta label to GA"))
	}
	if old.Spec.VolumeAttributesClassName != nil && v.Spec.VolumeAttributesClassName == nil {
		errs = append(errs, field.Forbidden(child(root, "spec", "volumeAttributesClassName"), "update from non-nil value to nil is forbidden"))
	}
	return errs
}

// sameAffinity compares what two volumes demand of nodes; labels may have got their final names.
func sameAffinity(now, old *corev1.VolumeNodeAffinity) bool {
	now, old = now.DeepCopy(), old.DeepCopy()
	if now == nil || now.Required == nil || old.Required == nil {
		return equality.Semantic.DeepEqual(now, old)
	}
	final := map[string]string{
		corev1.LabelFailureDomainBetaZone:   corev1.LabelTopologyZone,
		corev1.LabelFailureDomainBetaRegion: corev1.LabelTopologyRegion,
		"beta.kubernetes.io/os":             corev1.LabelOSStable,
		"beta.kubernetes.io/arch":           corev1.LabelArchStable,
		corev1.LabelInstanceType:            corev1.LabelInstanceTypeStable,
	}
	adopt := func(now, old []corev1.NodeSelectorRequirement) {
		for i := range min(len(now), len(old)) {
			if now[i].Key != old[i].Key && final[old[i].Key] == now[i].Key {
				old[i].Key = now[i].Key
			}
		}
	}
	for i := range min(len(now.Required.NodeSelectorTerms), len(old.Required.NodeSelectorTerms)) {
		adopt(now.Required.NodeSelectorTerms[i].MatchExpressions, old.Required.NodeSelectorTerms[i].MatchExpressions)
		adopt(now.Required.NodeSelectorTerms[i].MatchFields, old.Required.NodeSelectorTerms[i].MatchFields)
	}
	return equality.Semantic.DeepEqual(now, old)
}

func validateVolumeStatus(v, _ *corev1.PersistentVolume, root *field.Path) errorList {
	return needed(child(root, "resourceVersion"), v.ResourceVersion)
}

func volumeWarnings(v, _ *corev1.PersistentVolume, root *field.Path) []string {
	var out []string
	spec := child(root, "spec")
	for _, a := range []struct{ key, text string }{
		{oldStorageClass, useStorageClassName},
		{corev1.MountOptionAnnotation, `deprecated since v1.31; use "mountOptions" attribute instead`},
	} {
		if _, ok := v.Annotations[a.key]; ok {
			out = append(out, fmt.Sprintf("%s: %s", keyed(child(root, "metadata", "annotations"), a.key), a.text))
		}
	}
	if v.Spec.PersistentVolumeReclaimPolicy == corev1.PersistentVolumeReclaimRecycle {
		out = append(out, fmt.Sprintf("%s: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.", child(spec, "persistentVolumeReclaimPolicy")))
	}
	if n := v.Spec.NodeAffinity; n != nil && n.Required != nil {
		for i := range n.Required.NodeSelectorTerms {
			out = append(out, nodeTermWarnings(&n.Required.NodeSelectorTerms[i], demanded, nth(child(spec, "nodeAffinity", "required", "nodeSelectorTerms"), i))...)
		}
	}
	for _, p := range []struct {
		set        bool
		name, text string
	}{
		{v.Spec.CephFS != nil, "cephfs", "deprecated in v1.28, non-functional in v1.31+"},
		{v.Spec.PhotonPersistentDisk != nil, "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"},
		{v.Spec.ScaleIO != nil, "scaleIO", "deprecated in v1.16, non-functional in v1.22+"},
		{v.Spec.StorageOS != nil, "storageOS", "deprecated in v1.22, non-functional in v1.25+"},
		{v.Spec.Glusterfs != nil, "glusterfs", "deprecated in v1.25, non-functional in v1.26+"},
		{v.Spec.RBD != nil, "rbd", "deprecated in v1.28, non-functional in v1.31+"},
	} {
		if p.set {
			out = append(out, fmt.Sprintf("%s: %s", child(spec, p.name), p.text))
		}
	}
	return out
}
