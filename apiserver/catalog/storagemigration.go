package catalog

import (
	storagemigrationv1 "k8s.io/api/storagemigration/v1"
)

func storagemigrationKinds() []*Kind {
	gv := storagemigrationv1.SchemeGroupVersion
	return []*Kind{
		row[storagemigrationv1.StorageVersionMigration, storagemigrationv1.StorageVersionMigrationList](gv, Kind{
			Resource:     "storageversionmigrations",
			Subresources: onlyStatus(),
		}),
	}
}
