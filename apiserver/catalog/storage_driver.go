package catalog

import (
	"slices"

	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func validateCSIDriver(d *storagev1.CSIDriver, root *field.Path) errorList {
	s, path := &d.Spec, child(root, "spec")
	var errs errorList
	policies := []storagev1.FSGroupPolicy{storagev1.FileFSGroupPolicy, storagev1.NoneFSGroupPolicy, storagev1.ReadWriteOnceWithFSTypeFSGroupPolicy}
	if p := value(s.FSGroupPolicy); !slices.Contains(policies, p) {
		errs = append(errs, field.NotSupported(child(path, "fsGroupPolicy"), p, policies))
	}
	errs = append(errs, validateTokenRequests(s.TokenRequests, child(path, "tokenRequests"))...)
	modes := []storagev1.VolumeLifecycleMode{storagev1.VolumeLifecyclePersistent, storagev1.VolumeLifecycleEphemeral}
	for _, m := range s.VolumeLifecycleModes {
		if !slices.Contains(modes, m) {
			errs = append(errs, field.NotSupported(child(path, "volumeLifecycleModes"), m, modes))
		}
	}
	if n := s.NodeAllocatableUpdatePeriodSeconds; n != nil && *n < 10 {
		errs = append(errs, field.Invalid(child(path, "nodeAllocatableUpdatePeriodSeconds"), *n, "must be greater than or equal to 10 seconds"))
	}
	if s.ServiceAccountTokenInSecrets != nil && len(s.TokenRequests) == 0 {
		errs = append(errs, field.Invalid(child(path, "serviceAccountTokenInSecrets"), *s.ServiceAccountTokenInSecrets,
			"serviceAccountTokenInSecrets is set but no tokenRequests are specified"))
	}
	return errs
}

func validateTokenRequests(requests []storagev1.TokenRequest, path *field.Path) errorList {
	const shortest, longest = 10 * 60, 1 << 32
	var errs errorList
	seen := before[string]{}
	for i, r := range requests {
		if seen.has(r.Audience) {
			errs = append(errs, field.Duplicate(child(nth(path, i), "audience"), r.Audience))
			continue
		}
		at := child(nth(path, i), "expirationSeconds")
		if n := r.ExpirationSeconds; n != nil && *n < shortest {
			errs = append(errs, field.Invalid(at, *n, "may not specify a duration less than 10 minutes"))
		}
		if n := r.ExpirationSeconds; n != nil && *n > longest {
			errs = append(errs, field.Invalid(at, *n, "may not specify a duration larger than 2^32 seconds"))
		}
	}
	return errs
}

func validateCSIDriverChange(d, old *storagev1.CSIDriver, root *field.Path) errorList {
	errs := unchanged(child(root, "spec", "attachedRequired"), d.Spec.AttachRequired, old.Spec.AttachRequired)
	return append(errs, unchanged(child(root, "spec", "volumeLifecycleModes"), d.Spec.VolumeLifecycleModes, old.Spec.VolumeLifecycleModes)...)
}

// csiDriverWarnings tell of drivers that get tokens where they may end up in a log.
func csiDriverWarnings(d, old *storagev1.CSIDriver, _ *field.Path) []string {
	if len(d.Spec.TokenRequests) == 0 || d.Spec.ServiceAccountTokenInSecrets != nil ||
		old != nil && equality.Semantic.DeepEqual(d.Spec.TokenRequests, old.Spec.TokenRequests) {
		return nil
	}
	return []string{"spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes"}
}
