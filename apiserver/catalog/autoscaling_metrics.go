package catalog

import (
	"slices"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func validateMetrics(s *autoscalingv2.HorizontalPodAutoscalerSpec, version refVersion, path *field.Path) errorList {
	var errs errorList
	outside := false // a metric that exists even without pods
	for i := range s.Metrics {
		m := &s.Metrics[i]
		errs = append(errs, validateMetric(m, version, nth(path, i))...)
		outside = outside || m.Type == autoscalingv2.ObjectMetricSourceType || m.Type == autoscalingv2.ExternalMetricSourceType
	}
	if s.MinReplicas != nil && *s.MinReplicas == 0 && !outside {
		errs = append(errs, field.Forbidden(path, "must specify at least one Object or External metric to support scaling to zero replicas"))
	}
	return errs
}

// metricSource is one of the fields of a metric of which exactly one is to be set: the one that its type names.
type metricSource struct {
	typ   autoscalingv2.MetricSourceType
	field string
	set   bool
	check func() errorList
}

func validateMetric(m *autoscalingv2.MetricSpec, version refVersion, path *field.Path) errorList {
	known := []autoscalingv2.MetricSourceType{
		autoscalingv2.ContainerResourceMetricSourceType, autoscalingv2.ExternalMetricSourceType, autoscalingv2.ObjectMetricSourceType,
		autoscalingv2.PodsMetricSourceType, autoscalingv2.ResourceMetricSourceType,
	}
	sources := []metricSource{
		{autoscalingv2.ObjectMetricSourceType, "object", m.Object != nil, func() errorList { return validateObjectMetric(m.Object, version, child(path, "object")) }},
		{autoscalingv2.ExternalMetricSourceType, "external", m.External != nil, func() errorList { return validateExternalMetric(m.External, child(path, "external")) }},
		{autoscalingv2.PodsMetricSourceType, "pods", m.Pods != nil, func() errorList { return validatePodsMetric(m.Pods, child(path, "pods")) }},
		{autoscalingv2.ResourceMetricSourceType, "resource", m.Resource != nil, func() errorList { return validateResourceMetric(m.Resource, child(path, "resource")) }},
		{autoscalingv2.ContainerResourceMetricSourceType, "containerResource", m.ContainerResource != nil, func() errorList {
			return validateContainerMetric(m.ContainerResource, child(path, "containerResource"))
		}},
	}
	var errs errorList
	if m.Type == "" {
		errs = append(errs, field.Required(child(path, "type"), "must specify a metric source type"))
	}
	if !slices.Contains(known, m.Type) {
		errs = append(errs, field.NotSupported(child(path, "type"), m.Type, known))
	}
	present := 0
	for _, s := range sources {
		if !s.set {
			continue
		}
		if present++; present == 1 {
			errs = append(errs, s.check()...)
		}
	}
	if at := slices.IndexFunc(sources, func(s metricSource) bool { return s.typ == m.Type }); at < 0 {
		errs = append(errs, field.NotSupported(child(path, "type"), m.Type, known))
	} else if !sources[at].set {
		errs = append(errs, field.Required(child(path, sources[at].field), "must populate information for the given metric source"))
	}
	for _, s := range sources {
		if present > 1 && s.set && s.typ != m.Type {
			errs = append(errs, field.Forbidden(child(path, s.field), "must populate the given metric source only"))
		}
	}
	return errs
}

func validateObjectMetric(m *autoscalingv2.ObjectMetricSource, version refVersion, path *field.Path) errorList {
	errs := validateRef(m.DescribedObject, version, child(path, "describedObject"))
	errs = append(errs, validateMetricName(m.Metric, child(path, "metric"))...)
	errs = append(errs, validateTarget(m.Target, child(path, "target"))...)
	if m.Target.Value == nil && m.Target.AverageValue == nil {
		errs = append(errs, field.Required(child(path, "target", "averageValue"), "must set either a target value or averageValue"))
	}
	return errs
}

func validateExternalMetric(m *autoscalingv2.ExternalMetricSource, path *field.Path) errorList {
	errs := validateMetricName(m.Metric, child(path, "metric"))
	errs = append(errs, validateTarget(m.Target, child(path, "target"))...)
	switch {
	case m.Target.Value == nil && m.Target.AverageValue == nil:
		errs = append(errs, field.Required(child(path, "target", "averageValue"), "must set either a target value for metric or a per-pod target"))
	case m.Target.Value != nil && m.Target.AverageValue != nil:
		errs = append(errs, field.Forbidden(child(path, "target", "value"), "may not set both a target value for metric and a per-pod target"))
	}
	return errs
}

func validatePodsMetric(m *autoscalingv2.PodsMetricSource, path *field.Path) errorList {
	errs := validateMetricName(m.Metric, child(path, "metric"))
	errs = append(errs, validateTarget(m.Target, child(path, "target"))...)
	if m.Target.AverageValue == nil {
		errs = append(errs, field.Required(child(path, "target", "averageValue"), "must specify a positive target averageValue"))
	}
	return errs
}

func validateResourceMetric(m *autoscalingv2.ResourceMetricSource, path *field.Path) errorList {
	var errs errorList
	if m.Name == "" {
		errs = append(errs, field.Required(child(path, "name"), "must specify a resource name"))
	}
	return append(errs, validateResourceTarget(m.Target, child(path, "target"))...)
}

func validateContainerMetric(m *autoscalingv2.ContainerResourceMetricSource, path *field.Path) errorList {
	var errs errorList
	if m.Name == "" {
		errs = append(errs, field.Required(child(path, "name"), "must specify a resource name"))
	} else {
		errs = append(errs, validateContainerResourceName(m.Name, child(path, "name"))...)
	}
	if m.Container == "" {
		errs = append(errs, field.Required(child(path, "container"), "must specify a container"))
	} else {
		errs = append(errs, invalidEach(child(path, "container"), m.Container, isDNSLabel(m.Container))...)
	}
	return append(errs, validateResourceTarget(m.Target, child(path, "target"))...)
}

func validateResourceTarget(t autoscalingv2.MetricTarget, path *field.Path) errorList {
	errs := validateTarget(t, path)
	switch {
	case t.AverageUtilization == nil && t.AverageValue == nil:
		errs = append(errs, field.Required(child(path, "averageUtilization"), "must set either a target raw value or a target utilization"))
	case t.AverageUtilization != nil && t.AverageValue != nil:
		errs = append(errs, field.Forbidden(child(path, "averageValue"), "may not set both a target raw value and a target utilization"))
	}
	return errs
}

func validateTarget(t autoscalingv2.MetricTarget, path *field.Path) errorList {
	var errs errorList
	if t.Type == "" {
		errs = append(errs, field.Required(child(path, "type"), "must specify a metric target type"))
	}
	known := []autoscalingv2.MetricTargetType{autoscalingv2.UtilizationMetricType, autoscalingv2.ValueMetricType, autoscalingv2.AverageValueMetricType}
	if !slices.Contains(known, t.Type) {
		errs = append(errs, field.Invalid(child(path, "type"), t.Type, "must be either Utilization, Value, or AverageValue"))
	}
	if t.Value != nil && t.Value.Sign() != 1 {
		errs = append(errs, field.Invalid(child(path, "value"), t.Value, "must be positive"))
	}
	if t.AverageValue != nil && t.AverageValue.Sign() != 1 {
		errs = append(errs, field.Invalid(child(path, "averageValue"), t.AverageValue, "must be positive"))
	}
	if n := t.AverageUtilization; n != nil && *n < 1 {
		errs = append(errs, field.Invalid(child(path, "averageUtilization"), *n, "must be greater than 0"))
	}
	return errs
}

func validateMetricName(m autoscalingv2.MetricIdentifier, path *field.Path) errorList {
	if m.Name == "" {
		return errorList{field.Required(child(path, "name"), "must specify a metric name")}
	}
	return invalidEach(child(path, "name"), m.Name, content.IsPathSegmentName(m.Name))
}

// validateContainerResourceName checks the name of what a container can request: cpu, memory,
// ephemeral-storage, pages of some size, or a device of some vendor.
func validateContainerResourceName(name corev1.ResourceName, path *field.Path) errorList {
	errs := invalidEach(path, name, isQualifiedName(string(name)))
	if prefix, _, ok := strings.Cut(string(name), "/"); ok {
		native := strings.Contains(string(name), corev1.ResourceDefaultNamespacePrefix)
		reserved := strings.HasPrefix(prefix, corev1.DefaultResourceRequestsPrefix)
		if !native && (reserved || len(isQualifiedName(corev1.DefaultResourceRequestsPrefix+string(name))) > 0) {
			errs = append(errs, field.Invalid(path, name, "doesn't follow extended resource name standard"))
		}
		return errs
	}
	ofContainers := name == corev1.ResourceCPU || name == corev1.ResourceMemory || name == corev1.ResourceEphemeralStorage ||
		strings.HasPrefix(string(name), corev1.ResourceHugePagesPrefix)
	if ofContainers {
		return errs
	}
	if len(errs) == 0 && !slices.Contains(quotaResources(), name) {
		errs = append(errs, field.Invalid(path, name, "must be a standard resource type or fully qualified"))
	}
	return append(errs, field.Invalid(path, name, "must be a standard resource for containers"))
}

// quotaResources are the standard resources that no container requests.
func quotaResources() []corev1.ResourceName {
	return []corev1.ResourceName{
		corev1.ResourceStorage, corev1.ResourceRequestsCPU, corev1.ResourceRequestsMemory, corev1.ResourceRequestsEphemeralStorage,
		corev1.ResourceLimitsCPU, corev1.ResourceLimitsMemory, corev1.ResourceLimitsEphemeralStorage, corev1.ResourcePods,
		corev1.ResourceQuotas, corev1.ResourceServices, corev1.ResourceReplicationControllers, corev1.ResourceSecrets,
		corev1.ResourceConfigMaps, corev1.ResourcePersistentVolumeClaims, corev1.ResourceServicesNodePorts,
		corev1.ResourceServicesLoadBalancers,
	}
}
