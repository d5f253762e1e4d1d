package catalog

import (
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func coordinationKinds() []*Kind {
	gv := coordinationv1.SchemeGroupVersion
	return []*Kind{
		row[coordinationv1.Lease, coordinationv1.LeaseList](gv, Kind{
			Resource:   "leases",
			Namespaced: true,
			Strategy: Strategy{
				PrepareForCreate:    on(dropCoordinatedElection),
				PrepareForUpdate:    onChange(func(l, _ *coordinationv1.Lease) { dropCoordinatedElection(l) }),
				Validate:            check(validateLease),
				AllowCreateOnUpdate: true,
				RequireVersion:      true,
			},
			Table: table(func(l *coordinationv1.Lease, now time.Time) []any {
				return []any{l.Name, value(l.Spec.HolderIdentity), Age(l.CreationTimestamp, now)}
			},
				nameColumn(),
				column("Holder", "string", coordinationv1.LeaseSpec{}.SwaggerDoc()["holderIdentity"]),
				ageColumn(),
			),
		}),
	}
}

// dropCoordinatedElection drops what belongs to the feature CoordinatedLeaderElection, which is off by default.
func dropCoordinatedElection(l *coordinationv1.Lease) {
	l.Spec.Strategy, l.Spec.PreferredHolder = nil, nil
}

// Source of the sentences: k8s.io/kubernetes/pkg/apis/coordination/validation.
func validateLease(l *coordinationv1.Lease, root *field.Path) errorList {
	var errs errorList
	path := child(root, "spec")
	if d := l.Spec.LeaseDurationSeconds; d != nil && *d <= 0 {
		errs = append(errs, field.Invalid(child(path, "leaseDurationSeconds"), *d, "must be greater than 0"))
	}
	if n := l.Spec.LeaseTransitions; n != nil && *n < 0 {
		errs = append(errs, field.Invalid(child(path, "leaseTransitions"), *n, "must be greater than or equal to 0"))
	}
	return errs
}
