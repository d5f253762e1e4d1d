package catalog

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
)

func storageKinds() []*Kind {
	gv := storagev1.SchemeGroupVersion
	return []*Kind{
		row[storagev1.CSIDriver, storagev1.CSIDriverList](gv, Kind{
			Resource:      "csidrivers",
			ReturnDeleted: true,
			Strategy: Strategy{
				Default:        on(defaultCSIDriver),
				Validate:       check(validateCSIDriver),
				ValidateUpdate: checkChange(validateCSIDriverChange),
				Warnings:       warnings(csiDriverWarnings),
				Generation:     true,
				CountsOn:       true,
				RequireVersion: true,
			},
			Table: csiDriverTable(),
		}),
		row[storagev1.CSINode, storagev1.CSINodeList](gv, Kind{
			Resource:      "csinodes",
			ReturnDeleted: true,
			Subresources:  onlyStatus(),
			Strategy: Strategy{
				PrepareForCreate: on(func(n *storagev1.CSINode) { n.Status = storagev1.CSINodeStatus{} }),
				// What a status can hold belongs to the feature CSIVolumeHealth, which is off by default.
				PrepareForStatusUpdate: onChange(func(n, _ *storagev1.CSINode) { n.Status = storagev1.CSINodeStatus{} }),
				Validate:               check(validateCSINode),
				ValidateUpdate:         checkChange(validateCSINodeChange),
				RequireVersion:         true,
				StatusKeepsMetadata:    true,
			},
			Table: table(func(n *storagev1.CSINode, now time.Time) []any {
				return []any{n.Name, count(len(n.Spec.Drivers)), Age(n.CreationTimestamp, now)}
			},
				nameColumn(),
				column("Drivers", "integer", "Drivers indicates the number of CSI drivers registered on the node"),
				ageColumn(),
			),
		}),
		row[storagev1.CSIStorageCapacity, storagev1.CSIStorageCapacityList](gv, Kind{
			Resource:   "csistoragecapacities",
			Namespaced: true,
			Strategy: Strategy{
				Validate:       check(validateStorageCapacity),
				ValidateUpdate: checkChange(validateStorageCapacityChange),
				RequireVersion: true,
			},
		}),
		row[storagev1.StorageClass, storagev1.StorageClassList](gv, Kind{
			Resource:      "storageclasses",
			ShortNames:    []string{"sc"},
			ReturnDeleted: true,
			Strategy: Strategy{
				Default:        on(defaultStorageClass),
				Validate:       check(validateStorageClass),
				ValidateUpdate: checkChange(validateStorageClassChange),
			},
			Table: storageClassTable(),
		}),
		row[storagev1.VolumeAttachment, storagev1.VolumeAttachmentList](gv, Kind{
			Resource:      "volumeattachments",
			ReturnDeleted: true,
			Subresources:  onlyStatus(),
			Strategy: Strategy{
				PrepareForCreate:     on(func(a *storagev1.VolumeAttachment) { a.Status = storagev1.VolumeAttachmentStatus{} }),
				Validate:             check(validateNewAttachment),
				Revalidate:           checkChange(validateAttachmentChange),
				ValidateStatusUpdate: checkChange(validateAttachmentChange),
				StatusKeepsMetadata:  true,
				RequireVersion:       true,
			},
			Table: volumeAttachmentTable(),
		}),
		row[storagev1.VolumeAttributesClass, storagev1.VolumeAttributesClassList](gv, Kind{
			Resource:      "volumeattributesclasses",
			ShortNames:    []string{"vac"},
			ReturnDeleted: true,
			Strategy: Strategy{
				Validate:     check(validateAttributesClass),
				Revalidate:   checkChange(validateAttributesClassChange),
				ValidateName: apivalidation.NameIsDNSSubdomain,
			},
			Table: table(func(c *storagev1.VolumeAttributesClass, now time.Time) []any {
				return []any{c.Name, c.DriverName, Age(c.CreationTimestamp, now)}
			},
				nameColumn(),
				column("DriverName", "string", storagev1.VolumeAttributesClass{}.SwaggerDoc()["driverName"]),
				ageColumn(),
			),
		}),
	}
}

// Source: k8s.io/kubernetes/pkg/apis/storage/v1/defaults.go.

func defaultStorageClass(c *storagev1.StorageClass) {
	setDefault(&c.ReclaimPolicy, corev1.PersistentVolumeReclaimDelete)
	setDefault(&c.VolumeBindingMode, storagev1.VolumeBindingImmediate)
}

func defaultCSIDriver(d *storagev1.CSIDriver) {
	s := &d.Spec
	setDefault(&s.AttachRequired, true)
	setDefault(&s.PodInfoOnMount, false)
	setDefault(&s.StorageCapacity, false)
	setDefault(&s.FSGroupPolicy, storagev1.ReadWriteOnceWithFSTypeFSGroupPolicy)
	if len(s.VolumeLifecycleModes) == 0 {
		s.VolumeLifecycleModes = []storagev1.VolumeLifecycleMode{storagev1.VolumeLifecyclePersistent}
	}
	setDefault(&s.RequiresRepublish, false)
	setDefault(&s.SELinuxMount, false)
	setDefault(&s.PreventPodSchedulingIfMissing, false)
}

func csiDriverTable() Table {
	doc := storagev1.CSIDriverSpec{}.SwaggerDoc()
	return table(func(d *storagev1.CSIDriver, now time.Time) []any {
		audiences := "<unset>"
		if d.Spec.TokenRequests != nil {
			var all []string
			for _, r := range d.Spec.TokenRequests {
				all = append(all, r.Audience)
			}
			audiences = strings.Join(all, ",")
		}
		var modes []string
		for _, m := range d.Spec.VolumeLifecycleModes {
			modes = append(modes, string(m))
		}
		return []any{
			d.Name, d.Spec.AttachRequired == nil || *d.Spec.AttachRequired, value(d.Spec.PodInfoOnMount), value(d.Spec.StorageCapacity),
			audiences, value(d.Spec.RequiresRepublish), noneIfEmpty(strings.Join(modes, ",")), Age(d.CreationTimestamp, now),
		}
	},
		nameColumn(),
		column("AttachRequired", "boolean", doc["attachRequired"]),
		column("PodInfoOnMount", "boolean", doc["podInfoOnMount"]),
		column("StorageCapacity", "boolean", doc["storageCapacity"]),
		column("TokenRequests", "string", doc["tokenRequests"]),
		column("RequiresRepublish", "boolean", doc["requiresRepublish"]),
		column("Modes", "string", doc["volumeLifecycleModes"]),
		ageColumn(),
	)
}

func storageClassTable() Table {
	doc := storagev1.StorageClass{}.SwaggerDoc()
	return table(func(c *storagev1.StorageClass, now time.Time) []any {
		name := c.Name
		if c.Annotations["storageclass.kubernetes.io/is-default-class"] == "true" || c.Annotations["storageclass.beta.kubernetes.io/is-default-class"] == "true" {
			name += " (default)"
		}
		return []any{
			name, c.Provisioner, orElse(c.ReclaimPolicy, string(corev1.PersistentVolumeReclaimDelete)),
			orElse(c.VolumeBindingMode, string(storagev1.VolumeBindingImmediate)), value(c.AllowVolumeExpansion), Age(c.CreationTimestamp, now),
		}
	},
		nameColumn(),
		column("Provisioner", "string", doc["provisioner"]),
		column("ReclaimPolicy", "string", doc["reclaimPolicy"]),
		column("VolumeBindingMode", "string", doc["volumeBindingMode"]),
		column("AllowVolumeExpansion", "string", doc["allowVolumeExpansion"]),
		ageColumn(),
	)
}

func volumeAttachmentTable() Table {
	doc := storagev1.VolumeAttachmentSpec{}.SwaggerDoc()
	attacher := column("Attacher", "string", doc["attacher"])
	attacher.Format = "name"
	return table(func(a *storagev1.VolumeAttachment, now time.Time) []any {
		return []any{
			a.Name, a.Spec.Attacher, value(a.Spec.Source.PersistentVolumeName), a.Spec.NodeName, a.Status.Attached, Age(a.CreationTimestamp, now),
		}
	},
		nameColumn(),
		attacher,
		column("PV", "string", storagev1.VolumeAttachmentSource{}.SwaggerDoc()["persistentVolumeName"]),
		column("Node", "string", doc["nodeName"]),
		column("Attached", "boolean", storagev1.VolumeAttachmentStatus{}.SwaggerDoc()["attached"]),
		ageColumn(),
	)
}
