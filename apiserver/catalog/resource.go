package catalog

import (
	resourcev1 "k8s.io/api/resource/v1"
)

func resourceKinds() []*Kind {
	gv := resourcev1.SchemeGroupVersion
	return []*Kind{
		row[resourcev1.DeviceClass, resourcev1.DeviceClassList](gv, Kind{
			Resource:      "deviceclasses",
			ReturnDeleted: true,
		}),
		row[resourcev1.DeviceTaintRule, resourcev1.DeviceTaintRuleList](gv, Kind{
			Resource:     "devicetaintrules",
			Subresources: onlyStatus(),
		}),
		row[resourcev1.ResourceClaim, resourcev1.ResourceClaimList](gv, Kind{
			Resource:      "resourceclaims",
			Namespaced:    true,
			ReturnDeleted: true,
			Subresources:  onlyStatus(),
		}),
		row[resourcev1.ResourceClaimTemplate, resourcev1.ResourceClaimTemplateList](gv, Kind{
			Resource:      "resourceclaimtemplates",
			Namespaced:    true,
			ReturnDeleted: true,
		}),
		row[resourcev1.ResourceSlice, resourcev1.ResourceSliceList](gv, Kind{
			Resource:      "resourceslices",
			ReturnDeleted: true,
		}),
	}
}
