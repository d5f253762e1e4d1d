package catalog

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Source of the sentences: k8s.io/kubernetes/pkg/apis/apps/validation.

func validateDeployment(d *appsv1.Deployment, root *field.Path) errorList {
	spec, path := &d.Spec, child(root, "spec")
	errs := nonNegative(child(path, "replicas"), value(spec.Replicas))
	errs = append(errs, validateReplicated(spec.Selector, &spec.Template, path)...)
	errs = append(errs, validateDeploymentStrategy(&spec.Strategy, child(path, "strategy"))...)
	errs = append(errs, nonNegative(child(path, "minReadySeconds"), spec.MinReadySeconds)...)
	errs = append(errs, nonNegative(child(path, "revisionHistoryLimit"), value(spec.RevisionHistoryLimit))...)
	if n := spec.ProgressDeadlineSeconds; n != nil {
		errs = append(errs, nonNegative(child(path, "progressDeadlineSeconds"), *n)...)
		if *n <= spec.MinReadySeconds {
			errs = append(errs, field.Invalid(child(path, "progressDeadlineSeconds"), *n, "must be greater than minReadySeconds"))
		}
	}
	return errs
}

func validateDeploymentChange(d, old *appsv1.Deployment, root *field.Path) errorList {
	return unchanged(child(root, "spec", "selector"), d.Spec.Selector, old.Spec.Selector)
}

func validateDeploymentStrategy(s *appsv1.DeploymentStrategy, path *field.Path) errorList {
	rolling := child(path, "rollingUpdate")
	switch s.Type {
	case appsv1.RecreateDeploymentStrategyType:
		if s.RollingUpdate != nil {
			return errorList{field.Forbidden(rolling, "may not be specified when strategy `type` is 'Recreate'")}
		}
		return nil
	case appsv1.RollingUpdateDeploymentStrategyType:
		unavailable, surge := value(s.RollingUpdate.MaxUnavailable), value(s.RollingUpdate.MaxSurge)
		errs := validateIntOrPercent(unavailable, child(rolling, "maxUnavailable"))
		errs = append(errs, validateIntOrPercent(surge, child(rolling, "maxSurge"))...)
		if amountOf(unavailable) == 0 && amountOf(surge) == 0 {
			errs = append(errs, field.Invalid(child(rolling, "maxUnavailable"), unavailable, "may not be 0 when `maxSurge` is 0"))
		}
		return append(errs, atMost100Percent(unavailable, child(rolling, "maxUnavailable"))...)
	}
	return errorList{field.NotSupported(path, internalForm(s),
		[]appsv1.DeploymentStrategyType{appsv1.RecreateDeploymentStrategyType, appsv1.RollingUpdateDeploymentStrategyType})}
}

func validateReplicaSet(r *appsv1.ReplicaSet, root *field.Path) errorList {
	path := child(root, "spec")
	errs := nonNegative(child(path, "replicas"), value(r.Spec.Replicas))
	errs = append(errs, nonNegative(child(path, "minReadySeconds"), r.Spec.MinReadySeconds)...)
	return append(errs, validateReplicated(r.Spec.Selector, &r.Spec.Template, path)...)
}

func validateReplicaSetChange(r, old *appsv1.ReplicaSet, root *field.Path) errorList {
	return unchanged(child(root, "spec", "selector"), r.Spec.Selector, old.Spec.Selector)
}

// validateReplicated checks the selector and the template of Deployments and ReplicaSets.
func validateReplicated(s *metav1.LabelSelector, t *corev1.PodTemplateSpec, path *field.Path) errorList {
	var errs errorList
	if s == nil {
		errs = append(errs, field.Required(child(path, "selector"), ""))
	} else {
		errs = append(errs, ownSelector(s, "deployment", child(path, "selector"))...)
	}
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return append(errs, field.Invalid(child(path, "selector"), s, "invalid label selector"))
	}
	errs = append(errs, selectsItself(selector, t, child(path, "template"))...)
	errs = append(errs, validateTemplate(t, child(path, "template"))...)
	return append(errs, alwaysRestarts("ReplicaSet", t, child(path, "template"))...)
}

// ownSelector checks the selector of a workload: one that selects everything would claim all pods.
func ownSelector(s *metav1.LabelSelector, workload string, path *field.Path) errorList {
	errs := metav1validation.ValidateLabelSelector(s, metav1validation.LabelSelectorValidationOptions{}, path)
	if len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
		errs = append(errs, field.Invalid(path, s, "empty selector is invalid for "+workload))
	}
	return errs
}

// selectsItself: a workload that does not select its own pods would make new ones forever.
func selectsItself(s labels.Selector, t *corev1.PodTemplateSpec, path *field.Path) errorList {
	if s.Empty() || s.Matches(labels.Set(t.Labels)) {
		return nil
	}
	return errorList{field.Invalid(child(path, "metadata", "labels"), t.Labels, "`selector` does not match template `labels`")}
}

func validateDaemonSet(d *appsv1.DaemonSet, root *field.Path) errorList {
	spec, path := &d.Spec, child(root, "spec")
	errs := metav1validation.ValidateLabelSelector(spec.Selector, metav1validation.LabelSelectorValidationOptions{}, child(path, "selector"))
	if s, err := metav1.LabelSelectorAsSelector(spec.Selector); err == nil && !s.Matches(labels.Set(spec.Template.Labels)) {
		errs = append(errs, field.Invalid(child(path, "template", "metadata", "labels"), spec.Template.Labels, "`selector` does not match template `labels`"))
	}
	if s := spec.Selector; s != nil && len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
		errs = append(errs, field.Invalid(child(path, "selector"), s, "empty selector is invalid for daemonset"))
	}
	errs = append(errs, validateTemplate(&spec.Template, child(path, "template"))...)
	errs = append(errs, alwaysRestarts("DaemonSet", &spec.Template, child(path, "template"))...)
	errs = append(errs, nonNegative(child(path, "minReadySeconds"), spec.MinReadySeconds)...)
	errs = append(errs, nonNegative(child(path, "templateGeneration"), templateGeneration(d))...)
	errs = append(errs, validateDaemonSetStrategy(&spec.UpdateStrategy, child(path, "updateStrategy"))...)
	return append(errs, nonNegative(child(path, "revisionHistoryLimit"), value(spec.RevisionHistoryLimit))...)
}

func validateDaemonSetChange(d, old *appsv1.DaemonSet, root *field.Path) errorList {
	errs := unchanged(child(root, "spec", "selector"), d.Spec.Selector, old.Spec.Selector)
	return append(errs, validateDaemonSet(d, root)...)
}

func validateDaemonSetStrategy(s *appsv1.DaemonSetUpdateStrategy, path *field.Path) errorList {
	switch s.Type {
	case appsv1.OnDeleteDaemonSetStrategyType:
		return nil
	case appsv1.RollingUpdateDaemonSetStrategyType:
		unavailable, surge := value(s.RollingUpdate.MaxUnavailable), value(s.RollingUpdate.MaxSurge)
		atUnavailable, atSurge := child(path, "rollingUpdate", "maxUnavailable"), child(path, "rollingUpdate", "maxSurge")
		errs := validateIntOrPercent(unavailable, atUnavailable)
		errs = append(errs, validateIntOrPercent(surge, atSurge)...)
		errs = append(errs, atMost100Percent(unavailable, atUnavailable)...)
		errs = append(errs, atMost100Percent(surge, atSurge)...)
		switch {
		case amountOf(unavailable) != 0 && amountOf(surge) != 0:
			errs = append(errs, field.Invalid(atSurge, surge, "may not be set when maxUnavailable is non-zero"))
		case amountOf(unavailable) == 0 && amountOf(surge) == 0:
			errs = append(errs, field.Required(atUnavailable, "cannot be 0 when maxSurge is 0"))
		}
		return errs
	}
	return errorList{field.NotSupported(path, internalForm(s),
		[]appsv1.DaemonSetUpdateStrategyType{appsv1.RollingUpdateDaemonSetStrategyType, appsv1.OnDeleteDaemonSetStrategyType})}
}

func validateControllerRevision(r *appsv1.ControllerRevision, root *field.Path) errorList {
	errs := nonNegative(child(root, "revision"), r.Revision)
	path := child(root, "data")
	if r.Data.Raw == nil {
		return append(errs, field.Required(path, "data is mandatory"))
	}
	var data any
	if err := json.Unmarshal(r.Data.Raw, &data); err != nil {
		return append(errs, field.Invalid(path, "<value omitted>", fmt.Sprintf("error parsing data: %v", err)))
	}
	if data == nil {
		return append(errs, field.Required(path, "data is mandatory"))
	}
	if _, ok := data.(map[string]any); !ok {
		errs = append(errs, field.Required(path, "data must be a valid JSON object"))
	}
	return errs
}

func validateControllerRevisionChange(r, old *appsv1.ControllerRevision, root *field.Path) errorList {
	errs := nonNegative(child(root, "revision"), r.Revision)
	return append(errs, unchanged(child(root, "data"), r.Data, old.Data)...)
}

func validateStatefulSet(s *appsv1.StatefulSet, root *field.Path) errorList {
	spec, path := &s.Spec, child(root, "spec")
	var errs errorList
	if p := spec.PodManagementPolicy; p != appsv1.OrderedReadyPodManagement && p != appsv1.ParallelPodManagement {
		errs = append(errs, field.Invalid(child(path, "podManagementPolicy"), p, "must be 'OrderedReady' or 'Parallel'"))
	}
	errs = append(errs, validateStatefulSetStrategy(&spec.UpdateStrategy, child(path, "updateStrategy"))...)
	errs = append(errs, validateRetention(spec.PersistentVolumeClaimRetentionPolicy, child(path, "persistentVolumeClaimRetentionPolicy"))...)
	for i := range spec.VolumeClaimTemplates {
		errs = append(errs, validateClaimSpec(&spec.VolumeClaimTemplates[i].Spec, child(nth(child(path, "volumeClaimTemplates"), i), "spec"))...)
	}
	errs = append(errs, nonNegative(child(path, "replicas"), value(spec.Replicas))...)
	errs = append(errs, nonNegative(child(path, "minReadySeconds"), spec.MinReadySeconds)...)
	if spec.Ordinals != nil {
		errs = append(errs, nonNegative(child(path, "ordinals.start"), spec.Ordinals.Start)...)
	}
	if spec.ServiceName != "" {
		errs = append(errs, invalidEach(child(path, "serviceName"), spec.ServiceName, isDNSLabel(spec.ServiceName))...)
	}
	if spec.Selector == nil {
		errs = append(errs, field.Required(child(path, "selector"), ""))
	} else {
		errs = append(errs, ownSelector(spec.Selector, "statefulset", child(path, "selector"))...)
	}
	if selector, err := metav1.LabelSelectorAsSelector(spec.Selector); err != nil {
		errs = append(errs, field.Invalid(child(path, "selector"), spec.Selector, ""))
	} else {
		errs = append(errs, validateStatefulTemplate(spec, selector, child(path, "template"))...)
	}
	return append(errs, alwaysRestarts("StatefulSet", &spec.Template, child(path, "template"))...)
}

// validateStatefulTemplate checks the template as the controller will use it: with the claims as volumes, and
// with the host names that it sets itself.
func validateStatefulTemplate(spec *appsv1.StatefulSetSpec, selector labels.Selector, path *field.Path) errorList {
	t := spec.Template.DeepCopy()
	t.Spec.Subdomain, t.Spec.Hostname = "", ""
	var volumes []corev1.Volume
	claimed := before[string]{}
	for _, claim := range spec.VolumeClaimTemplates {
		if claimed.has(claim.Name) {
			continue
		}
		volumes = append(volumes, corev1.Volume{Name: claim.Name, VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name},
		}})
	}
	for _, v := range t.Spec.Volumes {
		if !claimed[v.Name] {
			volumes = append(volumes, v)
		}
	}
	t.Spec.Volumes = volumes
	errs := selectsItself(selector, t, path)
	errs = append(errs, validateTemplate(t, path)...)
	errs = append(errs, validateLabels(t.Labels, child(path, "labels"))...)
	return append(errs, validateAnnotations(t.Annotations, child(path, "annotations"))...)
}

func validateStatefulSetStrategy(s *appsv1.StatefulSetUpdateStrategy, path *field.Path) errorList {
	rolling := child(path, "rollingUpdate")
	switch s.Type {
	case appsv1.OnDeleteStatefulSetStrategyType:
		if s.RollingUpdate != nil {
			return errorList{field.Invalid(rolling, internalForm(s.RollingUpdate), "only allowed for updateStrategy 'RollingUpdate'")}
		}
		return nil
	case appsv1.RollingUpdateStatefulSetStrategyType:
		if s.RollingUpdate == nil {
			return nil
		}
		errs := nonNegative(child(rolling, "partition"), value(s.RollingUpdate.Partition))
		if n := s.RollingUpdate.MaxUnavailable; n != nil {
			at := child(rolling, "maxUnavailable")
			errs = append(errs, validateIntOrPercent(*n, at)...)
			if amountOf(*n) == 0 {
				errs = append(errs, field.Invalid(at, *n, "cannot be 0"))
			}
			errs = append(errs, atMost100Percent(*n, at)...)
		}
		return errs
	}
	return errorList{field.Invalid(path, internalForm(s), "must be 'RollingUpdate' or 'OnDelete'")}
}

func validateRetention(p *appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy, path *field.Path) errorList {
	if p == nil {
		return nil
	}
	known := []appsv1.PersistentVolumeClaimRetentionPolicyType{
		appsv1.RetainPersistentVolumeClaimRetentionPolicyType, appsv1.DeletePersistentVolumeClaimRetentionPolicyType,
	}
	var errs errorList
	if !slices.Contains(known, p.WhenDeleted) {
		errs = append(errs, field.NotSupported(child(path, "whenDeleted"), p.WhenDeleted, known))
	}
	if !slices.Contains(known, p.WhenScaled) {
		errs = append(errs, field.NotSupported(child(path, "whenScaled"), p.WhenScaled, known))
	}
	return errs
}

func validateStatefulSetChange(s, old *appsv1.StatefulSet, root *field.Path) errorList {
	path := child(root, "spec")
	// What is fixed from creation is not held against an old object, should today's rules be stricter.
	errs := slices.DeleteFunc(validateStatefulSet(s, root), func(e *field.Error) bool {
		return e.Field == "spec.serviceName" || strings.HasPrefix(e.Field, "spec.volumeClaimTemplates[")
	})
	errs = append(errs, unchanged(child(path, "selector"), s.Spec.Selector, old.Spec.Selector)...)
	errs = append(errs, unchanged(child(path, "volumeClaimTemplates"), withoutKinds(s.Spec.VolumeClaimTemplates), withoutKinds(old.Spec.VolumeClaimTemplates))...)
	errs = append(errs, unchanged(child(path, "serviceName"), s.Spec.ServiceName, old.Spec.ServiceName)...)
	return append(errs, unchanged(child(path, "podManagementPolicy"), s.Spec.PodManagementPolicy, old.Spec.PodManagementPolicy)...)
}

// withoutKinds are claims as upstream's internal form has them, which sentences show.
func withoutKinds(claims []corev1.PersistentVolumeClaim) []corev1.PersistentVolumeClaim {
	claims = slices.Clone(claims)
	for i := range claims {
		claims[i].APIVersion, claims[i].Kind = "", ""
	}
	return claims
}
