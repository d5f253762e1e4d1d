package catalog

import (
	"fmt"
	"strings"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime"
)

func hpaTable[T runtime.Object](toV2 func(T) *hpaV2) Table {
	doc := autoscalingv2.HorizontalPodAutoscalerSpec{}.SwaggerDoc()
	return table(func(obj T, now time.Time) []any {
		h := toV2(obj)
		return []any{
			h.Name, h.Spec.ScaleTargetRef.Kind + "/" + h.Spec.ScaleTargetRef.Name, metricsCell(h),
			orElse(h.Spec.MinReplicas, "<unset>"), count(h.Spec.MaxReplicas), count(h.Status.CurrentReplicas),
			Age(h.CreationTimestamp, now),
		}
	},
		nameColumn(),
		column("Reference", "string", doc["scaleTargetRef"]),
		column("Targets", "string", doc["metrics"]),
		column("MinPods", "string", doc["minReplicas"]),
		column("MaxPods", "string", doc["maxReplicas"]),
		column("Replicas", "string", autoscalingv2.HorizontalPodAutoscalerStatus{}.SwaggerDoc()["currentReplicas"]),
		ageColumn(),
	)
}

// metricsCell shows where each metric is and where it should be; two of them at most.
func metricsCell(h *hpaV2) string {
	if len(h.Spec.Metrics) == 0 {
		return "<none>"
	}
	const most = 2
	var all []string
	for i, m := range h.Spec.Metrics {
		var s autoscalingv2.MetricStatus
		if i < len(h.Status.CurrentMetrics) {
			s = h.Status.CurrentMetrics[i]
		}
		all = append(all, metricCell(m, s))
	}
	if more := len(all) - most; more > 0 {
		return fmt.Sprintf("%s + %d more...", strings.Join(all[:most], ", "), more)
	}
	return strings.Join(all, ", ")
}

func metricCell(m autoscalingv2.MetricSpec, s autoscalingv2.MetricStatus) string {
	switch m.Type {
	case autoscalingv2.ExternalMetricSourceType:
		var now *autoscalingv2.MetricValueStatus
		if s.External != nil {
			now = &s.External.Current
		}
		return valueCell(m.External.Target, now)
	case autoscalingv2.ObjectMetricSourceType:
		var now *autoscalingv2.MetricValueStatus
		if s.Object != nil {
			now = &s.Object.Current
		}
		return valueCell(m.Object.Target, now)
	case autoscalingv2.PodsMetricSourceType:
		now := "<unknown>"
		if s.Pods != nil {
			now = quantityCell(s.Pods.Current.AverageValue)
		}
		return now + "/" + quantityCell(m.Pods.Target.AverageValue)
	case autoscalingv2.ResourceMetricSourceType:
		var now *autoscalingv2.MetricValueStatus
		if s.Resource != nil {
			now = &s.Resource.Current
		}
		return m.Resource.Name.String() + ": " + resourceCell(m.Resource.Target, now)
	case autoscalingv2.ContainerResourceMetricSourceType:
		var now *autoscalingv2.MetricValueStatus
		if s.ContainerResource != nil {
			now = &s.ContainerResource.Current
		}
		return m.ContainerResource.Name.String() + ": " + resourceCell(m.ContainerResource.Target, now)
	}
	return "<unknown type>"
}

func valueCell(target autoscalingv2.MetricTarget, now *autoscalingv2.MetricValueStatus) string {
	current := "<unknown>"
	if target.AverageValue != nil {
		if now != nil && now.AverageValue != nil {
			current = now.AverageValue.String()
		}
		return current + "/" + target.AverageValue.String() + " (avg)"
	}
	if now != nil {
		current = quantityCell(now.Value)
	}
	return current + "/" + quantityCell(target.Value)
}

func resourceCell(target autoscalingv2.MetricTarget, now *autoscalingv2.MetricValueStatus) string {
	current := "<unknown>"
	if target.AverageValue != nil {
		if now != nil {
			current = quantityCell(now.AverageValue)
		}
		return current + "/" + target.AverageValue.String()
	}
	if now != nil && now.AverageUtilization != nil {
		current = fmt.Sprintf("%d%%", *now.AverageUtilization)
	}
	wanted := "<auto>"
	if target.AverageUtilization != nil {
		wanted = fmt.Sprintf("%d%%", *target.AverageUtilization)
	}
	return current + "/" + wanted
}

func quantityCell(q *resource.Quantity) string {
	if q == nil {
		return "<nil>"
	}
	return q.String()
}
