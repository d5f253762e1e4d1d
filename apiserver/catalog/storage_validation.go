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

func validateStorageClass(c *storagev1.StorageClass, root *field.Path) errorList {
	path := child(root, "provisioner")
	errs := required(path, c.Provisioner == "")
	if c.Provisioner != "" {
		name := strings.ToLower(c.Provisioner)
		errs = append(errs, invalidEach(path, name, isQualifiedName(name))...)
	}
	errs = append(errs, validateParameters(c.Parameters, child(root, "parameters"))...)
	policies := []corev1.PersistentVolumeReclaimPolicy{corev1.PersistentVolumeReclaimDelete, corev1.PersistentVolumeReclaimRetain}
	if p := value(c.ReclaimPolicy); p != "" && !slices.Contains(policies, p) {
		errs = append(errs, field.NotSupported(child(root, "reclaimPolicy"), p, policies))
	}
	modes := []storagev1.VolumeBindingMode{storagev1.VolumeBindingImmediate, storagev1.VolumeBindingWaitForFirstConsumer}
	if m := value(c.VolumeBindingMode); !slices.Contains(modes, m) {
		errs = append(errs, field.NotSupported(child(root, "volumeBindingMode"), m, modes))
	}
	return append(errs, validateTopologies(c.AllowedTopologies, child(root, "allowedTopologies"))...)
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
		at := child(nth(path, i), "matchLabelExpressions")
		keys := map[string]map[string]bool{}
		for n, e := range term.MatchLabelExpressions {
			if len(e.Values) == 0 {
				errs = append(errs, field.Required(child(nth(at, n), "values"), ""))
			}
			values := map[string]bool{}
			for v, text := range e.Values {
				if values[text] {
					errs = append(errs, field.Duplicate(nth(child(nth(at, n), "values"), v), text))
				}
				values[text] = true
			}
			errs = append(errs, validateLabelName(e.Key, child(nth(at, n), "key"))...)
			if keys[e.Key] != nil {
				errs = append(errs, field.Duplicate(child(nth(at, n), "key"), e.Key))
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

func validateStorageClassChange(c, old *storagev1.StorageClass, root *field.Path) errorList {
	errs := declaredUnchanged(child(root, "provisioner"), c.Provisioner, old.Provisioner)
	errs = append(errs, declaredUnchanged(child(root, "parameters"), c.Parameters, old.Parameters)...)
	errs = append(errs, declaredUnchanged(child(root, "reclaimPolicy"), c.ReclaimPolicy, old.ReclaimPolicy)...)
	return append(errs, declaredUnchanged(child(root, "volumeBindingMode"), c.VolumeBindingMode, old.VolumeBindingMode)...)
}

func validateAttributesClass(c *storagev1.VolumeAttributesClass, root *field.Path) errorList {
	path := child(root, "driverName")
	var errs errorList
	if c.DriverName == "" {
		errs = append(errs, field.Required(path, ""))
	} else {
		name := strings.ToLower(c.DriverName)
		errs = append(errs, invalidEach(path, name, isQualifiedName(name))...)
	}
	errs = append(errs, validateParameters(c.Parameters, child(root, "parameters"))...)
	if len(c.Parameters) == 0 {
		errs = append(errs, field.Required(child(root, "parameters"), "must contain at least one key/value pair"))
	}
	return errs
}

func validateAttributesClassChange(c, old *storagev1.VolumeAttributesClass, root *field.Path) errorList {
	var errs errorList
	if c.DriverName != old.DriverName {
		errs = append(errs, field.Forbidden(child(root, "driverName"), "updates to driverName are forbidden."))
	}
	if !reflect.DeepEqual(c.Parameters, old.Parameters) {
		errs = append(errs, field.Forbidden(child(root, "parameters"), "updates to parameters are forbidden."))
	}
	return append(errs, validateAttributesClass(c, root)...)
}

func validateStorageCapacity(c *storagev1.CSIStorageCapacity, root *field.Path) errorList {
	errs := metav1validation.ValidateLabelSelector(c.NodeTopology, metav1validation.LabelSelectorValidationOptions{}, child(root, "nodeTopology"))
	errs = append(errs, invalidEach(child(root, "storageClassName"), c.StorageClassName, apivalidation.NameIsDNSSubdomain(c.StorageClassName, false))...)
	if c.Capacity != nil && c.Capacity.Sign() < 0 {
		errs = append(errs, field.Invalid(child(root, "capacity"), c.Capacity.String(), apivalidation.IsNegativeErrorMsg))
	}
	return errs
}

func validateStorageCapacityChange(c, old *storagev1.CSIStorageCapacity, root *field.Path) errorList {
	errs := unchanged(child(root, "nodeTopology"), c.NodeTopology, old.NodeTopology)
	return append(errs, unchanged(child(root, "storageClassName"), c.StorageClassName, old.StorageClassName)...)
}

func validateNewAttachment(a *storagev1.VolumeAttachment, root *field.Path) errorList {
	return append(validateAttacher(a.Spec.Attacher, child(root, "spec", "attacher")), validateAttachment(a, root)...)
}

func validateAttachmentChange(a, old *storagev1.VolumeAttachment, root *field.Path) errorList {
	errs := append(validateDriverName(a.Spec.Attacher, child(root, "spec", "attacher")), validateAttachment(a, root)...)
	return append(errs, declaredUnchanged(child(root, "spec"), a.Spec, old.Spec)...)
}

func validateAttachment(a *storagev1.VolumeAttachment, root *field.Path) errorList {
	var errs errorList
	path := child(root, "spec")
	name := a.Spec.Source.PersistentVolumeName
	at := child(path, "source")
	switch inline := a.Spec.Source.InlineVolumeSpec; {
	case inline == nil && name == nil:
		errs = append(errs, field.Required(at, "must specify exactly one of inlineVolumeSpec and persistentVolumeName"))
	case inline != nil && name != nil:
		errs = append(errs, field.Forbidden(at, "must specify exactly one of inlineVolumeSpec and persistentVolumeName"))
	case name != nil && *name == "":
		errs = append(errs, field.Required(child(at, "persistentVolumeName"), "must specify non empty persistentVolumeName"))
	}
	errs = append(errs, invalidEach(child(path, "nodeName"), a.Spec.NodeName, apivalidation.NameIsDNSSubdomain(a.Spec.NodeName, false))...)
	errs = append(errs, validateAttachmentStatus(&a.Status, root)...)
	if name != nil {
		errs = append(errs, invalidEach(child(root, "spec.source.persistentVolumeName"), *name, apivalidation.NameIsDNSSubdomain(*name, false))...)
	}
	return errs
}

func validateAttachmentStatus(s *storagev1.VolumeAttachmentStatus, root *field.Path) errorList {
	const longest, longestMessage = 256 << 10, 1024
	path := child(root, "status")
	var errs errorList
	size := 0
	for name, v := range s.AttachmentMetadata {
		size += len(name) + len(v)
	}
	if size > longest {
		errs = append(errs, field.TooLong(child(path, "attachmentMetadata"), "", longest))
	}
	each := func(at *field.Path, e *storagev1.VolumeError) {
		if e == nil {
			return
		}
		if len(e.Message) > longestMessage {
			errs = append(errs, field.TooLong(child(at, "message"), "", longestMessage))
		}
		if value(e.ErrorCode) < 0 {
			errs = append(errs, field.Invalid(child(at, "errorCode"), *e.ErrorCode, validation.InclusiveRangeError(0, 1<<31-1)))
		}
	}
	each(child(path, "attachError"), s.AttachError)
	each(child(path, "detachError"), s.DetachError)
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
	return append(errs, invalidEach(path, name, isDNSSubdomain(strings.ToLower(name)))...)
}

func validateCSINode(n *storagev1.CSINode, root *field.Path) errorList {
	var errs errorList
	var names []string
	for i := range n.Spec.Drivers {
		d, path := &n.Spec.Drivers[i], nth(child(root, "spec", "drivers"), i)
		errs = append(errs, validateNodeDriver(d, path)...)
		if slices.Contains(names, d.Name) {
			errs = append(errs, field.Duplicate(child(path, "name"), d.Name))
		}
		names = append(names, d.Name)
		for k, key := range d.TopologyKeys {
			if key == "" {
				errs = append(errs, field.Required(path, ""))
			}
			if slices.Contains(d.TopologyKeys[:k], key) {
				errs = append(errs, field.Duplicate(path, key))
			}
			errs = append(errs, invalidEach(path, key, isQualifiedName(key))...)
		}
	}
	return errs
}

func validateNodeDriver(d *storagev1.CSINodeDriver, path *field.Path) errorList {
	const longestID = 256
	errs := validateDriverName(d.Name, child(path, "name"))
	if d.NodeID == "" {
		errs = append(errs, field.Required(child(path, "nodeID"), ""))
	}
	if len(d.NodeID) > longestID {
		errs = append(errs, field.Invalid(child(path, "nodeID"), d.NodeID, fmt.Sprintf("must be %d characters or less", longestID)))
	}
	if d.Allocatable != nil {
		errs = append(errs, nonNegative(child(path, "allocatable", "count"), value(d.Allocatable.Count))...)
	}
	return errs
}

func validateCSINodeChange(n, old *storagev1.CSINode, root *field.Path) errorList {
	var errs errorList
	for _, was := range old.Spec.Drivers {
		for _, now := range n.Spec.Drivers {
			if now.Name == was.Name {
				now.Allocatable, was.Allocatable = nil, nil
				errs = append(errs, unchanged(child(root, "spec", "drivers"), now, was)...)
			}
		}
	}
	return errs
}
