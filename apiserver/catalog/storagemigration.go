package catalog

import (
	"fmt"
	"strings"
	"time"

	storagemigrationv1 "k8s.io/api/storagemigration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

type storageMigration = storagemigrationv1.StorageVersionMigration

func storagemigrationKinds() []*Kind {
	gv := storagemigrationv1.SchemeGroupVersion
	name := nameColumn()
	name.Format = ""
	return []*Kind{
		row[storageMigration, storagemigrationv1.StorageVersionMigrationList](gv, Kind{
			Resource:     "storageversionmigrations",
			Subresources: onlyStatus(),
			Strategy: Strategy{
				PrepareForCreate: on(func(m *storageMigration) { m.Status = storagemigrationv1.StorageVersionMigrationStatus{} }),
				Validate:         check(validateMigration),
				ValidateUpdate: checkChange(func(m, old *storageMigration, root *field.Path) errorList {
					return unchanged(child(root, "spec"), m.Spec, old.Spec)
				}),
				ValidateStatusUpdate: checkChange(validateMigrationStatus),
				RequireVersion:       true,
				StatusKeepsMetadata:  true,
			},
			Table: table(func(m *storageMigration, now time.Time) []any {
				state := "Unknown"
				for _, c := range m.Status.Conditions {
					switch storagemigrationv1.MigrationConditionType(c.Type) {
					case storagemigrationv1.MigrationRunning, storagemigrationv1.MigrationFailed, storagemigrationv1.MigrationSucceeded:
						if c.Status == metav1.ConditionTrue {
							state = c.Type
						}
					}
				}
				return []any{m.Name, m.Spec.Resource.String(), state}
			},
				name,
				column("Resource", "string", "GroupResource to migrate"),
				column("Status", "string", "Status of the migration"),
			),
		}),
	}
}

// Source of the sentences: k8s.io/kubernetes/pkg/apis/storagemigration/validation.

func validateMigration(m *storageMigration, root *field.Path) errorList {
	r, path := m.Spec.Resource, child(root, "spec", "resource")
	var errs errorList
	if r.Resource == "" {
		errs = append(errs, field.Required(child(path, "resource"), "resource is required to be set"))
	} else if texts := validation.IsDNS1035Label(r.Resource); len(texts) > 0 {
		errs = append(errs, field.Invalid(child(path, "resource"), r.Resource, strings.Join(texts, ",")))
	}
	if texts := isDNSSubdomain(r.Group); r.Group != "" && len(texts) > 0 {
		errs = append(errs, field.Invalid(child(path, "group"), r.Group, strings.Join(texts, ",")))
	}
	return errs
}

func validateMigrationStatus(m, old *storageMigration, root *field.Path) errorList {
	path := child(root, "status")
	atVersion, atConditions := child(path, "resourceVersion"), child(path, "conditions")
	now, before := m.Status, old.Status
	var errs errorList
	if v := now.ResourceVersion; v != "" {
		if _, err := resourceversion.CompareResourceVersion(v, v); err != nil {
			errs = append(errs, field.Invalid(atVersion, v, err.Error()))
		}
	}
	errs = append(errs, metav1validation.ValidateConditions(now.Conditions, atConditions)...)
	if before.ResourceVersion != "" && before.ResourceVersion != now.ResourceVersion {
		errs = append(errs, field.Invalid(atVersion, now.ResourceVersion, "field is immutable"))
	}
	succeeded, failed := string(storagemigrationv1.MigrationSucceeded), string(storagemigrationv1.MigrationFailed)
	if meta.IsStatusConditionTrue(now.Conditions, succeeded) && meta.IsStatusConditionTrue(now.Conditions, failed) {
		errs = append(errs, field.Invalid(atConditions, now.Conditions, "Both success and failed conditions cannot be true at the same time"))
	}
	for _, c := range []struct{ typ, name string }{{succeeded, "Success"}, {failed, "Failed"}} {
		if meta.IsStatusConditionTrue(before.Conditions, c.typ) && !meta.IsStatusConditionTrue(now.Conditions, c.typ) {
			errs = append(errs, field.Invalid(atConditions, now.Conditions, fmt.Sprintf("%s condition cannot be set to false once it is true", c.name)))
		}
	}
	return errs
}
