package catalog

import (
	flowcontrolv1 "k8s.io/api/flowcontrol/v1"
)

func flowcontrolKinds() []*Kind {
	gv := flowcontrolv1.SchemeGroupVersion
	return []*Kind{
		row[flowcontrolv1.FlowSchema, flowcontrolv1.FlowSchemaList](gv, Kind{
			Resource:     "flowschemas",
			Subresources: onlyStatus(),
		}),
		row[flowcontrolv1.PriorityLevelConfiguration, flowcontrolv1.PriorityLevelConfigurationList](gv, Kind{
			Resource:     "prioritylevelconfigurations",
			Subresources: onlyStatus(),
		}),
	}
}
