package admission

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
)

// nodeObject lets a node register and report, but not steer workloads to itself: by labels that administrators select
// nodes with, or by taking off a taint that keeps workloads away.
func nodeObject(me string, a *Attributes) error {
	if a.Name != me {
		return forbid(a, "node %q is not allowed to modify node %q", me, a.Name)
	}
	if a.Operation != Create && a.Operation != Update {
		return nil
	}
	changed, err := as[*corev1.Node](a, a.Object)
	if err != nil {
		return err
	}
	if a.Operation == Create {
		if changed.Spec.ConfigSource != nil {
			return forbid(a, "node %q is not allowed to create pods with a non-nil configSource", me)
		}
		if labels := forbiddenLabels(changed.Labels, nil); len(labels) > 0 {
			return forbid(a, "node %q is not allowed to set the following labels: %s", me, strings.Join(labels, ", "))
		}
		return nil
	}
	old, err := as[*corev1.Node](a, a.Old)
	if err != nil {
		return err
	}
	if changed.Spec.ConfigSource != nil && !apiequality.Semantic.DeepEqual(changed.Spec.ConfigSource, old.Spec.ConfigSource) {
		return forbid(a, "node %q is not allowed to update configSource to a new non-nil configSource", me)
	}
	if !apiequality.Semantic.DeepEqual(changed.Spec.Taints, old.Spec.Taints) {
		return forbid(a, "node %q is not allowed to modify taints", me)
	}
	if !apiequality.Semantic.DeepEqual(changed.OwnerReferences, old.OwnerReferences) {
		return forbid(a, "node %q is not allowed to modify ownerReferences", me)
	}
	if labels := forbiddenLabels(changed.Labels, old.Labels); len(labels) > 0 {
		return forbid(a, "is not allowed to modify labels: %s", strings.Join(labels, ", "))
	}
	return nil
}

// forbiddenLabels are those that differ and that a node may not set, change or remove, in alphabetical order.
func forbiddenLabels(changed, old map[string]string) []string {
	var names []string
	compare := func(some, others map[string]string) {
		for name, value := range some {
			if other, ok := others[name]; (!ok || other != value) && !nodeMayLabel(name) && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	compare(changed, old)
	compare(old, changed)
	slices.Sort(names)
	return names
}

// nodeMayLabel tells whether a node may set a label on itself: those that kubelets are known to set, those under
// kubelet.kubernetes.io and node.kubernetes.io, and any that are not Kubernetes' own.
func nodeMayLabel(name string) bool {
	switch name {
	case corev1.LabelHostname, corev1.LabelTopologyZone, corev1.LabelTopologyRegion,
		corev1.LabelFailureDomainBetaZone, corev1.LabelFailureDomainBetaRegion,
		corev1.LabelInstanceType, corev1.LabelInstanceTypeStable,
		corev1.LabelOSStable, corev1.LabelArchStable, "beta.kubernetes.io/os", "beta.kubernetes.io/arch":
		return true
	}
	domain, _, found := strings.Cut(name, "/")
	if !found {
		return true
	}
	under := func(parent string) bool { return domain == parent || strings.HasSuffix(domain, "."+parent) }
	switch {
	case under(corev1.LabelNamespaceNodeRestriction):
		return false
	case under(corev1.LabelNamespaceSuffixKubelet), under(corev1.LabelNamespaceSuffixNode):
		return true
	}
	return !under("kubernetes.io") && !under("k8s.io")
}
