package catalog

import (
	storagev1 "k8s.io/api/storage/v1"
)

func storageKinds() []*Kind {
	gv := storagev1.SchemeGroupVersion
	return []*Kind{
		row[storagev1.CSIDriver, storagev1.CSIDriverList](gv, Kind{
			Resource:      "csidrivers",
			ReturnDeleted: true,
		}),
		row[storagev1.CSINode, storagev1.CSINodeList](gv, Kind{
			Resource:      "csinodes",
			ReturnDeleted: true,
			Subresources:  onlyStatus(),
		}),
		row[storagev1.CSIStorageCapacity, storagev1.CSIStorageCapacityList](gv, Kind{
			Resource:   "csistoragecapacities",
			Namespaced: true,
		}),
		row[storagev1.StorageClass, storagev1.StorageClassList](gv, Kind{
			Resource:      "storageclasses",
			ShortNames:    []string{"sc"},
			ReturnDeleted: true,
		}),
		row[storagev1.VolumeAttachment, storagev1.VolumeAttachmentList](gv, Kind{
			Resource:      "volumeattachments",
			ReturnDeleted: true,
			Subresources:  onlyStatus(),
		}),
		row[storagev1.VolumeAttributesClass, storagev1.VolumeAttributesClassList](gv, Kind{
			Resource:      "volumeattributesclasses",
			ShortNames:    []string{"vac"},
			ReturnDeleted: true,
		}),
	}
}
