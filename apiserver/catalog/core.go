package catalog

import (
	corev1 "k8s.io/api/core/v1"
)

// coreKinds are the rows of the group without a name, in alphabetical order.
func coreKinds() []*Kind {
	return []*Kind{
		review[corev1.Binding](corev1.SchemeGroupVersion, Kind{Resource: "bindings", Namespaced: true}),
		componentStatusKind(),
		configMapKind(),
		endpointsKind(),
		eventKind(),
		limitRangeKind(),
		namespaceKind(),
		nodeKind(),
		claimKind(),
		volumeKind(),
		podKind(),
		podTemplateKind(),
		replicationControllerKind(),
		resourceQuotaKind(),
		secretKind(),
		serviceAccountKind(),
		serviceKind(),
	}
}
