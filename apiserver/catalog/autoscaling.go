package catalog

import (
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
)

func autoscalingKinds() []*Kind {
	return []*Kind{
		row[autoscalingv2.HorizontalPodAutoscaler, autoscalingv2.HorizontalPodAutoscalerList](autoscalingv2.SchemeGroupVersion, Kind{
			Resource:     "horizontalpodautoscalers",
			ShortNames:   []string{"hpa"},
			Categories:   inAll(),
			Namespaced:   true,
			Subresources: onlyStatus(),
		}),
		row[autoscalingv1.HorizontalPodAutoscaler, autoscalingv1.HorizontalPodAutoscalerList](autoscalingv1.SchemeGroupVersion, Kind{
			Resource:     "horizontalpodautoscalers",
			ShortNames:   []string{"hpa"},
			Categories:   inAll(),
			Namespaced:   true,
			Subresources: onlyStatus(),
		}),
	}
}
