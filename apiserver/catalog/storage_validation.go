package catalog

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Source of the sentences and limits: k8s.io/kubernetes/pkg/apis/storage/validation.

func specPath() *field.Path { return field.NewPath("spec") }

func validateStorageClass(c *storagev1.StorageClass) errorList {
	path := field.NewPath("provisioner")
	errs := required(path, c.Provisioner == "")
	if c.Provisioner != "" {
		name := strings.ToLower(c.Provisioner)
		errs = append(errs, invalidEach(path, name, validation.IsQualifiedName(name))...)
	}
	errs = append(errs, validateParameters(c.Parameters, field.NewPath("parameters"))...)
	policies := []corev1.PersistentVolumeReclaimPolicy{corev1.PersistentVolumeReclaimDelete, corev1.PersistentVolumeReclaimRetain}
	if p := value(c.ReclaimPolicy); p != "" && !slices.Contains(policies, p) {
		errs = append(errs, field.NotSupported(field.NewPath("reclaimPolicy"), p, policies))
	}
	modes := []storagev1.VolumeBindingMode{storagev1.VolumeBindingImmediate, storagev1.VolumeBindingWaitForFirstConsumer}
	if m := value(c.VolumeBindingMode); !slices.Contains(modes, m) {
		errs = append(errs, field.NotSupported(field.NewPath("volumeBindingMode"), m, modes))
	}
	return append(errs, validateTopologies(c.AllowedTopologies, field.NewPath("allowedTopologies"))...)
}

func validateParameters(parameters map[string]string, path *field.Path) errorList {
	const most, longest = 512, 256 << 10
	if len(parameters) > most {
		return errorList{field.TooLong(path, "", most)}
	}
	var errs errorList
	size := 0
	for name, v := range parameters {
		if name == "" {
			errs = append(errs, field.Invalid(path, name, "field can not be empty."))
		}
		size += len(name) + len(v)
	}
	if size > longest {
		errs = append(errs, field.TooLong(path, "", longest))
	}
	return errs
}

func validateTopologies(terms []corev1.TopologySelectorTerm, path *field.Path) errorList {
	var errs errorList
	var seen []map[string]map[string]bool
	for i, term := range terms {
		at := path.Index(i).Child("matchLabelExpressions")
		keys := map[string]map[string]bool{}
		for n, e := range term.MatchLabelExpressions {
			if len(e.Values) == 0 {
				errs = append(errs, field.Required(at.Index(n).Child("values"), ""))
			}
			values := map[string]bool{}
			for v, text := range e.Values {
				if values[text] {
					errs = append(errs, field.Duplicate(at.Index(n).Child("values").Index(v), text))
				}
				values[text] = true
			}
			errs = append(errs, metav1validation.ValidateLabelName(e.Key, at.Index(n).Child("key"))...)
			if keys[e.Key] != nil {
				errs = append(errs, field.Duplicate(at.Index(n).Child("key"), e.Key))
			}
			keys[e.Key] = values
		}
		if len(keys) == 0 || slices.ContainsFunc(seen, func(other map[string]map[string]bool) bool { return reflect.DeepEqual(keys, other) }) {
			errs = append(errs, field.Duplicate(at, ""))
		}
		seen = append(seen, keys)
	}
	return errs
}

func validateStorageClassChange(c, old *storagev1.StorageClass) errorList {
	errs := declaredUnchanged(field.NewPath("provisioner"), c.Provisioner, old.Provisioner)
	errs = append(errs, declaredUnchanged(field.NewPath("parameters"), c.Parameters, old.Parameters)...)
	errs = append(errs, declaredUnchanged(field.NewPath("reclaimPolicy"), c.ReclaimPolicy, old.ReclaimPolicy)...)
	return append(errs, declaredUnchanged(field.NewPath("volumeBindingMode"), c.VolumeBindingMode, old.VolumeBindingMode)...)
}

func validateAttributesClass(c *storagev1.VolumeAttributesClass) errorList {
	path := field.NewPath("driverName")
	var errs errorList
	if c.DriverName == "" {
		errs = append(errs, field.Required(path, ""))
	} else {
		name := strings.ToLower(c.DriverName)
		errs = append(errs, invalidEach(path, name, validation.IsQualifiedName(name))...)
	}
	errs = append(errs, validateParameters(c.Parameters, field.NewPath("parameters"))...)
	if len(c.Parameters) == 0 {
		errs = append(errs, field.Required(field.NewPath("parameters"), "must contain at least one key/value pair"))
	}
	return errs
}

func validateAttributesClassChange(c, old *storagev1.VolumeAttributesClass) errorList {
	var errs errorList
	if c.DriverName != old.DriverName {
		errs = append(errs, field.Forbidden(field.NewPath("driverName"), "updates to driverName are forbidden."))
	}
	if !reflect.DeepEqual(c.Parameters, old.Parameters) {
		errs = append(errs, field.Forbidden(field.NewPath("parameters"), "updates to parameters are forbidden."))
	}
	return append(errs, validateAttributesClass(c)...)
}

func validateStorageCapacity(c *storagev1.CSIStorageCapacity) errorList {
	errs := metav1validation.ValidateLabelSelector(c.NodeTopology, metav1validation.LabelSelectorValidationOptions{}, field.NewPath("nodeTopology"))
	errs = append(errs, invalidEach(field.NewPath("storageClassName"), c.StorageClassName, apivalidation.NameIsDNSSubdomain(c.StorageClassName, false))...)
	if c.Capacity != nil && c.Capacity.Sign() < 0 {
		errs = append(errs, field.Invalid(field.NewPath("capacity"), c.Capacity.String(), apivalidation.IsNegativeErrorMsg))
	}
	return errs
}

func validateStorageCapacityChange(c, old *storagev1.CSIStorageCapacity) errorList {
	errs := unchanged(field.NewPath("nodeTopology"), c.NodeTopology, old.NodeTopology)
	return append(errs, unchanged(field.NewPath("storageClassName"), c.StorageClassName, old.StorageClassName)...)
}

func validateNewAttachment(a *storagev1.VolumeAttachment) errorList {
	return append(validateAttacher(a.Spec.Attacher, specPath().Child("attacher")), validateAttachment(a)...)
}

func validateAttachmentChange(a, old *storagev1.VolumeAttachment) errorList {
	errs := append(validateDriverName(a.Spec.Attacher, specPath().Child("attacher")), validateAttachment(a)...)
	return append(errs, declaredUnchanged(specPath(), a.Spec, old.Spec)...)
}

func validateAttachment(a *storagev1.VolumeAttachment) errorList {
	var errs errorList
	path := specPath()
	name := a.Spec.Source.PersistentVolumeName
	at := path.Child("source")
	switch inline := a.Spec.Source.InlineVolumeSpec; {
	case inline == nil && name == nil:
		errs = append(errs, field.Required(at, "must specify exactly one of inlineVolumeSpec and persistentVolumeName"))
	case inline != nil && name != nil:
		errs = append(errs, field.Forbidden(at, "must specify exactly one of inlineVolumeSpec and persistentVolumeName"))
	case name != nil && *name == "":
		errs = append(errs, field.Required(at.Child("persistentVolumeName"), "must specify non empty persistentVolumeName"))
	}
	errs = append(errs, invalidEach(path.Child("nodeName"), a.Spec.NodeName, apivalidation.NameIsDNSSubdomain(a.Spec.NodeName, false))...)
	errs = append(errs, validateAttachmentStatus(&a.Status)...)
	if name != nil {
		errs = append(errs, invalidEach(field.NewPath("spec.source.persistentVolumeName"), *name, apivalidation.NameIsDNSSubdomain(*name, false))...)
	}
	return errs
}

func validateAttachmentStatus(s *storagev1.VolumeAttachmentStatus) errorList {
	const longest, longestMessage = 256 << 10, 1024
	path := field.NewPath("status")
	var errs errorList
	size := 0
	for name, v := range s.AttachmentMetadata {
		size += len(name) + len(v)
	}
	if size > longest {
		errs = append(errs, field.TooLong(path.Child("attachmentMetadata"), "", longest))
	}
	each := func(at *field.Path, e *storagev1.VolumeError) {
		if e == nil {
			return
		}
		if len(e.Message) > longestMessage {
			errs = append(errs, field.TooLong(at.Child("message"), "", longestMessage))
		}
		if value(e.ErrorCode) < 0 {
			errs = append(errs, field.Invalid(at.Child("errorCode"), *e.ErrorCode, validation.InclusiveRangeError(0, 1<<31-1)))
		}
	}
	each(path.Child("attachError"), s.AttachError)
	each(path.Child("detachError"), s.DetachError)
	return errs
}

func validateAttacher(name string, path *field.Path) errorList {
	const longest = 63
	if name == "" {
		return required(path, true)
	}
	errs := invalidEach(path, name, content.IsDNS1123SubdomainCaseless(name))
	if len(name) > longest {
		errs = append(errs, field.TooLongCharacters(path, name, longest))
	}
	return errs.MarkBeta()
}

func validateDriverName(name string, path *field.Path) errorList {
	const longest = 63
	if name == "" {
		return errorList{field.Required(path, "")}
	}
	var errs errorList
	if len(name) > longest {
		errs = append(errs, field.TooLong(path, "", longest))
	}
	return append(errs, invalidEach(path, name, validation.IsDNS1123Subdomain(strings.ToLower(name)))...)
}

func validateCSINode(n *storagev1.CSINode) errorList {
	var errs errorList
	var names []string
	for i := range n.Spec.Drivers {
		d, path := &n.Spec.Drivers[i], specPath().Child("drivers").Index(i)
		errs = append(errs, validateNodeDriver(d, path)...)
		if slices.Contains(names, d.Name) {
			errs = append(errs, field.Duplicate(path.Child("name"), d.Name))
		}
		names = append(names, d.Name)
		for k, key := range d.TopologyKeys {
			if key == "" {
				errs = append(errs, field.Required(path, ""))
			}
			if slices.Contains(d.TopologyKeys[:k], key) {
				errs = append(errs, field.Duplicate(path, key))
			}
			errs = append(errs, invalidEach(path, key, validation.IsQualifiedName(key))...)
		}
	}
	return errs
}

func validateNodeDriver(d *storagev1.CSINodeDriver, path *field.Path) errorList {
	const longestID = 256
	errs := validateDriverName(d.Name, path.Child("name"))
	if d.NodeID == "" {
		errs = append(errs, field.Required(path.Child("nodeID"), ""))
	}
	if len(d.NodeID) > longestID {
		errs = append(errs, field.Invalid(path.Child("nodeID"), d.NodeID, fmt.Sprintf("must be %d characters or less", longestID)))
	}
	if d.Allocatable != nil {
		errs = append(errs, nonNegative(path.Child("allocatable", "count"), value(d.Allocatable.Count))...)
	}
	return errs
}

func validateCSINodeChange(n, old *storagev1.CSINode) errorList {
	var errs errorList
	for _, was := range old.Spec.Drivers {
		for _, now := range n.Spec.Drivers {
			if now.Name == was.Name {
				now.Allocatable, was.Allocatable = nil, nil
				errs = append(errs, unchanged(specPath().Child("drivers"), now, was)...)
			}
		}
	}
	return errs
}
