package customresource

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
)

// warnings are about new finalizers whose names others may use as well.
// Source: validateKubeFinalizerName in k8s.io/apiextensions-apiserver/pkg/registry/customresource/validator.go.
func warnings(obj, old runtime.Object) []string {
	names := slices.Sorted(slices.Values(obj.(*unstructured.Unstructured).GetFinalizers()))
	if before, ok := old.(*unstructured.Unstructured); ok {
		names = slices.DeleteFunc(names, func(n string) bool { return slices.Contains(before.GetFinalizers(), n) })
	}
	own := []string{metav1.FinalizerOrphanDependents, metav1.FinalizerDeleteDependents, string(corev1.FinalizerKubernetes)}
	var texts []string
	for _, n := range slices.Compact(names) {
		for _, wrong := range validation.IsQualifiedName(n) {
			texts = append(texts, fmt.Sprintf("metadata.finalizers: %q: %s", n, wrong))
		}
		if strings.Contains(n, "/") || slices.Contains(own, n) {
			continue
		}
		path := ""
		if strings.Contains(n, ".") {
			path = " including a path (/)"
		}
		texts = append(texts, fmt.Sprintf("metadata.finalizers: %q: prefer a domain-qualified finalizer name%s to avoid accidental conflicts with other finalizer writers", n, path))
	}
	return texts
}
