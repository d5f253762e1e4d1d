package catalog

import (
	nodev1 "k8s.io/api/node/v1"
)

func nodeKinds() []*Kind {
	gv := nodev1.SchemeGroupVersion
	return []*Kind{
		row[nodev1.RuntimeClass, nodev1.RuntimeClassList](gv, Kind{
			Resource: "runtimeclasses",
		}),
	}
}
