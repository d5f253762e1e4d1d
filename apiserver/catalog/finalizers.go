package catalog

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ValidateFinalizers reports finalizers that are neither Kubernetes' own nor carry their owner's domain. It belongs
// to the checks of every object's metadata, after those of k8s.io/apimachinery/pkg/api/validation.
func ValidateFinalizers(m metav1.Object) field.ErrorList {
	var errs errorList
	for i, f := range m.GetFinalizers() {
		errs = append(errs, knownFinalizer(f, field.NewPath("metadata", "finalizers").Index(i))...)
	}
	return errs
}

func knownFinalizer(name string, at *field.Path) errorList {
	own := []string{string(corev1.FinalizerKubernetes), metav1.FinalizerOrphanDependents, metav1.FinalizerDeleteDependents}
	if strings.Contains(name, "/") || slices.Contains(own, name) {
		return nil
	}
	return errorList{field.Invalid(at, name, "name is neither a standard finalizer name nor is it fully qualified")}
}
