package admission

import (
	"context"
	"reflect"
	"regexp"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// PodSecurityLabels: what a namespace's labels ask of its pods must be something that can be asked.
// Source: k8s.io/pod-security-admission/api (PolicyToEvaluate).
type PodSecurityLabels struct{}

// Name returns PodSecurity.
func (PodSecurityLabels) Name() string { return "PodSecurity" }

// Validate refuses levels and versions that there are not, where they are new.
func (PodSecurityLabels) Validate(_ context.Context, a *Attributes) error {
	namespace, ok := a.Object.(*corev1.Namespace)
	if !ok || !a.Is(schema.GroupResource{Resource: "namespaces"}) {
		return nil
	}
	errs := securityLabels(namespace.Labels)
	if len(errs) == 0 {
		return nil
	}
	if old, ok := a.Old.(*corev1.Namespace); ok && reflect.DeepEqual(errs, securityLabels(old.Labels)) {
		return nil
	}
	return apierrors.NewInvalid(schema.GroupKind{Kind: "Namespace"}, namespace.Name, errs)
}

var securityVersion = regexp.MustCompile(`^(latest|v1\.(0|[1-9][0-9]*))$`)

func securityLabels(labels map[string]string) field.ErrorList {
	var errs field.ErrorList
	for _, mode := range []string{"enforce", "audit", "warn"} {
		label := "pod-security.kubernetes.io/" + mode
		at := field.NewPath("metadata", "labels")
		if level, ok := labels[label]; ok && !slices.Contains([]string{"privileged", "baseline", "restricted"}, level) {
			errs = append(errs, field.Invalid(at.Key(label), level, "must be one of privileged, baseline, restricted"))
		}
		if version, ok := labels[label+"-version"]; ok && !securityVersion.MatchString(version) {
			errs = append(errs, field.Invalid(at.Key(label+"-version"), version, `must be "latest" or "v1.x"`))
		}
	}
	return errs
}
