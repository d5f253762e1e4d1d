package catalog

import (
	"slices"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	policyv1 "k8s.io/api/policy/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

// validateFinalizers reports finalizers that are neither Kubernetes' own nor carry their owner's domain. It belongs
// to the checks of an object's metadata, after those of k8s.io/apimachinery/pkg/api/validation. Some groups do not ask for it.
func (k *Kind) validateFinalizers(m metav1.Object) field.ErrorList {
	lenient := []string{
		admissionregistrationv1.GroupName, apiextensionsv1.GroupName, apiregistrationv1.GroupName,
		coordinationv1.GroupName, nodev1.GroupName, policyv1.GroupName,
	}
	if k.Custom != nil || slices.Contains(lenient, k.Group) {
		return nil
	}
	return ownFinalizers(m)
}

func ownFinalizers(m metav1.Object) errorList {
	var errs errorList
	for i, f := range m.GetFinalizers() {
		errs = append(errs, knownFinalizer(f, nth(field.NewPath("metadata", "finalizers"), i))...)
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
