package catalog

import (
	"net"
	"path"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Storage that pods, or PersistentVolumes, name directly. Some is known to both in types that differ little.
// Source of the sentences: k8s.io/kubernetes/pkg/apis/core/validation/validation.go.

func validateHostPath(v *corev1.HostPathVolumeSource, at *field.Path) errorList {
	if v.Path == "" {
		return errorList{field.Required(child(at, "path"), "")}
	}
	return append(noBacksteps(child(at, "path"), v.Path), knownIfSet(child(at, "type"), v.Type,
		corev1.HostPathUnset, corev1.HostPathBlockDev, corev1.HostPathCharDev, corev1.HostPathDirectory,
		corev1.HostPathDirectoryOrCreate, corev1.HostPathFile, corev1.HostPathFileOrCreate, corev1.HostPathSocket)...)
}

func validateGitRepo(v *corev1.GitRepoVolumeSource, at *field.Path) errorList {
	return append(needed(child(at, "repository"), v.Repository), descendingPath(child(at, "directory"), v.Directory)...)
}

func validateGCEDisk(v *corev1.GCEPersistentDiskVolumeSource, at *field.Path) errorList {
	return append(needed(child(at, "pdName"), v.PDName), partition(child(at, "partition"), v.Partition)...)
}

func validateEBS(v *corev1.AWSElasticBlockStoreVolumeSource, at *field.Path) errorList {
	return append(needed(child(at, "volumeID"), v.VolumeID), partition(child(at, "partition"), v.Partition)...)
}

// partition: 0 stands for the whole disk, though the sentence does not say so.
func partition(at *field.Path, n int32) errorList {
	if n < 0 || n > 255 {
		return errorList{field.Invalid(at, n, validation.InclusiveRangeError(1, 255))}
	}
	return nil
}

func validateNFS(v *corev1.NFSVolumeSource, at *field.Path) errorList {
	errs := append(needed(child(at, "server"), v.Server), needed(child(at, "path"), v.Path)...)
	if !path.IsAbs(v.Path) {
		errs = append(errs, field.Invalid(child(at, "path"), v.Path, "must be an absolute path"))
	}
	return errs
}

var (
	iqnName = regexp.MustCompile(`iqn\.\d{4}-\d{2}\.([[:alnum:]-.]+)(:[^,;*&$|\s]+)$`)
	euiName = regexp.MustCompile(`^eui.[[:alnum:]]{16}$`)
	naaName = regexp.MustCompile(`^naa.[[:alnum:]]{32}$`)
)

// validateISCSIName checks a target's or an initiator's name; unknown is said of one that starts like none.
func validateISCSIName(at *field.Path, name, unknown string) errorList {
	text := ""
	switch {
	case strings.HasPrefix(name, "iqn"):
		text = badFormat(iqnName, name)
	case strings.HasPrefix(name, "eui"):
		text = badFormat(euiName, name)
	case strings.HasPrefix(name, "naa"):
		text = badFormat(naaName, name)
	default:
		text = unknown
	}
	if text == "" {
		return nil
	}
	return errorList{field.Invalid(at, name, text)}
}

func badFormat(format *regexp.Regexp, name string) string {
	if format.MatchString(name) {
		return ""
	}
	return "must be valid format"
}

const startsLikeNone = "must be valid format starting with iqn, eui, or naa"

func validateISCSI(v *corev1.ISCSIVolumeSource, at *field.Path) errorList {
	errs := needed(child(at, "targetPortal"), v.TargetPortal)
	if v.IQN == "" {
		errs = append(errs, field.Required(child(at, "iqn"), ""))
	} else {
		errs = append(errs, validateISCSIName(child(at, "iqn"), v.IQN, startsLikeNone)...)
	}
	errs = append(errs, within(child(at, "lun"), v.Lun, 0, 255)...)
	if (v.DiscoveryCHAPAuth || v.SessionCHAPAuth) && v.SecretRef == nil {
		errs = append(errs, field.Required(child(at, "secretRef"), ""))
	}
	if v.InitiatorName != nil {
		errs = append(errs, validateISCSIName(child(at, "initiatorname"), *v.InitiatorName, startsLikeNone)...)
	}
	return errs
}

const iscsiNameTooLong = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified."

// iscsiNameFits: initiators are told apart by a name made of the volume's and the portal's.
func iscsiNameFits(volume, portal string, initiator *string) bool {
	return initiator == nil || len(volume)+1+len(portal) <= 64
}

func validateGlusterfs(v *corev1.GlusterfsVolumeSource, at *field.Path) errorList {
	return append(needed(child(at, "endpoints"), v.EndpointsName), needed(child(at, "path"), v.Path)...)
}

func validateFlocker(v *corev1.FlockerVolumeSource, at *field.Path) errorList {
	var errs errorList
	if v.DatasetName == "" && v.DatasetUUID == "" {
		errs = append(errs, field.Required(at, "one of datasetName and datasetUUID is required"))
	}
	if v.DatasetName != "" && v.DatasetUUID != "" {
		errs = append(errs, field.Invalid(at, "resource", "datasetName and datasetUUID can not be specified simultaneously"))
	}
	if strings.Contains(v.DatasetName, "/") {
		errs = append(errs, field.Invalid(child(at, "datasetName"), v.DatasetName, "must not contain '/'"))
	}
	return errs
}

func validateRBD(v *corev1.RBDVolumeSource, at *field.Path) errorList {
	return validateRBDImage(v.CephMonitors, v.RBDImage, at)
}

func validateRBDImage(monitors []string, image string, at *field.Path) errorList {
	return append(neededList(child(at, "monitors"), monitors), needed(child(at, "image"), image)...)
}

func neededList(at *field.Path, list []string) errorList {
	if len(list) == 0 {
		return errorList{field.Required(at, "")}
	}
	return nil
}

func validateCinder(v *corev1.CinderVolumeSource, at *field.Path) errorList {
	return append(needed(child(at, "volumeID"), v.VolumeID), namedSecret(v.SecretRef, at)...)
}

// namedSecret: a reference to a Secret has to name it.
func namedSecret(ref *corev1.LocalObjectReference, at *field.Path) errorList {
	if ref == nil {
		return nil
	}
	return needed(child(at, "secretRef", "name"), ref.Name)
}

func validateCephFS(v *corev1.CephFSVolumeSource, at *field.Path) errorList {
	return neededList(child(at, "monitors"), v.Monitors)
}

func validateQuobyte(v *corev1.QuobyteVolumeSource, at *field.Path) errorList {
	const text = "must be a host:port pair or multiple pairs separated by commas"
	var errs errorList
	switch {
	case v.Registry == "":
		errs = append(errs, field.Required(child(at, "registry"), text))
	case len(v.Tenant) >= 65:
		errs = append(errs, field.Required(child(at, "tenant"), "must be a UUID and may not exceed a length of 64 characters"))
	default:
		for pair := range strings.SplitSeq(v.Registry, ",") {
			if _, _, err := net.SplitHostPort(pair); err != nil {
				errs = append(errs, field.Invalid(child(at, "registry"), v.Registry, text))
			}
		}
	}
	return append(errs, needed(child(at, "volume"), v.Volume)...)
}

func validateFC(v *corev1.FCVolumeSource, at *field.Path) errorList {
	var errs errorList
	if len(v.TargetWWNs) == 0 && len(v.WWIDs) == 0 {
		errs = append(errs, field.Required(child(at, "targetWWNs"), "must specify either targetWWNs or wwids, but not both"))
	}
	if len(v.TargetWWNs) != 0 && len(v.WWIDs) != 0 {
		errs = append(errs, field.Invalid(child(at, "targetWWNs"), v.TargetWWNs, "targetWWNs and wwids can not be specified simultaneously"))
	}
	switch {
	case len(v.TargetWWNs) == 0:
	case v.Lun == nil:
		errs = append(errs, field.Required(child(at, "lun"), "lun is required if targetWWNs is specified"))
	default:
		errs = append(errs, within(child(at, "lun"), *v.Lun, 0, 255)...)
	}
	return errs
}

func validateFlexVolume(v *corev1.FlexVolumeSource, at *field.Path) errorList {
	return validateFlexDriver(v.Driver, v.Options, at)
}

func validateFlexDriver(driver string, options map[string]string, at *field.Path) errorList {
	errs := needed(child(at, "driver"), driver)
	for k := range sorted(options).each {
		domain, _, _ := strings.Cut(k, "/")
		domain = "." + strings.ToLower(domain)
		if strings.HasSuffix(domain, ".kubernetes.io") || strings.HasSuffix(domain, ".k8s.io") {
			errs = append(errs, field.Invalid(keyed(child(at, "options"), k), k, "kubernetes.io and k8s.io namespaces are reserved"))
		}
	}
	return errs
}

func validateAzureFile(v *corev1.AzureFileVolumeSource, at *field.Path) errorList {
	return append(needed(child(at, "secretName"), v.SecretName), needed(child(at, "shareName"), v.ShareName)...)
}

func validateAzureDisk(v *corev1.AzureDiskVolumeSource, at *field.Path) errorList {
	errs := append(needed(child(at, "diskName"), v.DiskName), needed(child(at, "diskURI"), v.DataDiskURI)...)
	errs = append(errs, knownIfSet(child(at, "cachingMode"), v.CachingMode,
		corev1.AzureDataDiskCachingNone, corev1.AzureDataDiskCachingReadOnly, corev1.AzureDataDiskCachingReadWrite)...)
	errs = append(errs, knownIfSet(child(at, "kind"), v.Kind,
		corev1.AzureDedicatedBlobDisk, corev1.AzureManagedDisk, corev1.AzureSharedBlobDisk)...)
	if v.Kind == nil {
		return errs
	}
	start, form := "https://", "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"
	if *v.Kind == corev1.AzureManagedDisk {
		start, form = "/subscriptions/", "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
	}
	if !strings.HasPrefix(v.DataDiskURI, start) {
		errs = append(errs, field.NotSupported(child(at, "diskURI"), v.DataDiskURI, []string{form}))
	}
	return errs
}

func validateVsphere(v *corev1.VsphereVirtualDiskVolumeSource, at *field.Path) errorList {
	return needed(child(at, "volumePath"), v.VolumePath)
}

func validatePhoton(v *corev1.PhotonPersistentDiskVolumeSource, at *field.Path) errorList {
	return needed(child(at, "pdID"), v.PdID)
}

func validatePortworx(v *corev1.PortworxVolumeSource, at *field.Path) errorList {
	return needed(child(at, "volumeID"), v.VolumeID)
}

func validateScaleIO(v *corev1.ScaleIOVolumeSource, at *field.Path) errorList {
	return validateScaleIOVolume(v.Gateway, v.System, v.VolumeName, at)
}

func validateScaleIOVolume(gateway, system, volume string, at *field.Path) errorList {
	return slices.Concat(needed(child(at, "gateway"), gateway), needed(child(at, "system"), system), needed(child(at, "volumeName"), volume))
}

func validateStorageOS(v *corev1.StorageOSVolumeSource, at *field.Path) errorList {
	return append(validateStorageOSNames(v.VolumeName, v.VolumeNamespace, at), namedSecret(v.SecretRef, at)...)
}

func validateStorageOSNames(volume, namespace string, at *field.Path) errorList {
	errs := neededLabel(child(at, "volumeName"), volume)
	if namespace != "" {
		errs = append(errs, dnsLabel(child(at, "volumeNamespace"), namespace)...)
	}
	return errs
}

// driverName checks the name of a driver, of volumes (CSI) or of devices (DRA).
func driverName(name string, at *field.Path) errorList {
	if name == "" {
		return errorList{field.Required(at, "")}
	}
	var errs errorList
	if len(name) > 63 {
		errs = append(errs, field.TooLong(at, "", 63))
	}
	return append(errs, invalidEach(at, name, isDNSSubdomain(strings.ToLower(name)))...)
}

func validateCSI(v *corev1.CSIVolumeSource, at *field.Path) errorList {
	errs := driverName(v.Driver, child(at, "driver"))
	switch ref := v.NodePublishSecretRef; {
	case ref == nil:
	case ref.Name == "":
		errs = append(errs, field.Required(child(at, "nodePublishSecretRef", "name"), ""))
	default:
		errs = append(errs, objectName(child(at, "name"), ref.Name, apivalidation.NameIsDNSSubdomain)...)
	}
	return errs
}
