package catalog

import (
	"cmp"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	resourcehelper "k8s.io/component-helpers/resource"
)

func podKind() *Kind {
	return row[corev1.Pod, corev1.PodList](corev1.SchemeGroupVersion, Kind{
		Resource:      "pods",
		ShortNames:    []string{"po"},
		Categories:    inAll(),
		Namespaced:    true,
		ReturnDeleted: true,
		Subresources:  podSubresources(),
		Strategy: Strategy{
			Default:                on(defaultPod),
			PrepareForCreate:       on(prepareNewPod),
			PrepareForUpdate:       onChange(keepPodResources),
			PrepareForStatusUpdate: onChange(preparePodStatus),
			Validate:               check(validatePod),
			Revalidate:             checkChange(validatePodUpdate),
			ValidateStatusUpdate:   checkChange(validatePodStatus),
			StatusKeeps:            [][]string{{"metadata", "deletionTimestamp"}, {"metadata", "ownerReferences"}},
			Warnings:               warnings(podWarnings),
			Generation:             true,
			GracePeriod:            podGracePeriod,
		},
		Table:      podTable(),
		FieldNames: podFieldNames(),
		Fields:     fieldsOf(podFields),
	})
}

func podSubresources() []Subresource {
	gv := corev1.SchemeGroupVersion
	stream := []string{"create", "get"}
	return []Subresource{
		{Name: "attach", Verbs: stream, Kind: gv.WithKind("PodAttachOptions"), New: maker[corev1.PodAttachOptions](gv.WithKind("PodAttachOptions"))},
		{Name: "binding", Verbs: []string{"create"}, Kind: gv.WithKind("Binding"), New: maker[corev1.Binding](gv.WithKind("Binding"))},
		{Name: "ephemeralcontainers", Prepare: onChange(prepareEphemeral), Validate: checkChange(validateEphemeralChange)},
		{Name: "eviction", Verbs: []string{"create"}, Kind: policyv1.SchemeGroupVersion.WithKind("Eviction"), New: maker[policyv1.Eviction](policyv1.SchemeGroupVersion.WithKind("Eviction"))},
		{Name: "exec", Verbs: stream, Kind: gv.WithKind("PodExecOptions"), New: maker[corev1.PodExecOptions](gv.WithKind("PodExecOptions"))},
		{Name: "log", Verbs: []string{"get"}},
		{Name: "portforward", Verbs: stream, Kind: gv.WithKind("PodPortForwardOptions"), New: maker[corev1.PodPortForwardOptions](gv.WithKind("PodPortForwardOptions"))},
		{Name: "proxy", Verbs: proxied(), Kind: gv.WithKind("PodProxyOptions"), New: maker[corev1.PodProxyOptions](gv.WithKind("PodProxyOptions"))},
		{Name: "resize", Prepare: onChange(prepareResize), Validate: checkChange(validateResize)},
		{Name: "status"},
	}
}

// proxied are the verbs that a proxy passes on to what the object stands for.
func proxied() []string { return []string{"create", "delete", "get", "patch", "update"} }

// prepareNewPod sets what a pod begins with.
// Source: k8s.io/kubernetes/pkg/registry/core/pod/strategy.go.
func prepareNewPod(p *corev1.Pod) {
	p.Status = corev1.PodStatus{Phase: corev1.PodPending}
	if len(p.Spec.SchedulingGates) > 0 {
		p.Status.Conditions = []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonSchedulingGated,
			Message:            "Scheduling is blocked due to non-empty scheduling gates",
			LastTransitionTime: p.CreationTimestamp,
		}}
	}
	selectOwnValues(p)
	adoptAppArmor(p)
	defaultPodResources(&p.Spec)
	p.Status.QOSClass = qosClass(&p.Spec)
}

// selectOwnValues adds the pod's own values of the named labels to its selectors of other pods.
func selectOwnValues(p *corev1.Pod) {
	add := func(s *metav1.LabelSelector, keys []string, op metav1.LabelSelectorOperator) {
		if s == nil {
			return
		}
		for _, key := range keys {
			if v, ok := p.Labels[key]; ok {
				s.MatchExpressions = append(s.MatchExpressions, metav1.LabelSelectorRequirement{Key: key, Operator: op, Values: []string{v}})
			}
		}
	}
	terms := func(preferred []corev1.WeightedPodAffinityTerm, required []corev1.PodAffinityTerm) {
		for i := range preferred {
			t := &preferred[i].PodAffinityTerm
			add(t.LabelSelector, t.MatchLabelKeys, metav1.LabelSelectorOpIn)
			add(t.LabelSelector, t.MismatchLabelKeys, metav1.LabelSelectorOpNotIn)
		}
		for i := range required {
			t := &required[i]
			add(t.LabelSelector, t.MatchLabelKeys, metav1.LabelSelectorOpIn)
			add(t.LabelSelector, t.MismatchLabelKeys, metav1.LabelSelectorOpNotIn)
		}
	}
	if a := p.Spec.Affinity; a != nil && a.PodAffinity != nil {
		terms(a.PodAffinity.PreferredDuringSchedulingIgnoredDuringExecution, a.PodAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
	}
	if a := p.Spec.Affinity; a != nil && a.PodAntiAffinity != nil {
		terms(a.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution, a.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution)
	}
	for i := range p.Spec.TopologySpreadConstraints {
		c := &p.Spec.TopologySpreadConstraints[i]
		add(c.LabelSelector, c.MatchLabelKeys, metav1.LabelSelectorOpIn)
	}
}

// adoptAppArmor gives containers the profile that an annotation names, as AppArmor was configured before v1.30.
func adoptAppArmor(p *corev1.Pod) {
	if p.Spec.OS != nil && p.Spec.OS.Name == corev1.Windows {
		return
	}
	annotated := ofContainers(p.Annotations, appArmorPrefix)
	for c := range allContainers(&p.Spec, nowhere).each {
		v, ok := annotated[c.Name]
		if !ok || ownAppArmor(c) != nil {
			continue
		}
		profile, pod := appArmorField(v), podAppArmor(&p.Spec)
		if profile == nil || len(validateAppArmor(profile, nowhere)) > 0 ||
			pod != nil && pod.Type == profile.Type && value(pod.LocalhostProfile) == value(profile.LocalhostProfile) {
			continue
		}
		if c.SecurityContext == nil {
			c.SecurityContext = &corev1.SecurityContext{}
		}
		c.SecurityContext.AppArmorProfile = profile
	}
}

// podGracePeriod is how long a pod's containers have to end: what the client asks for, or else what the pod says;
// nothing when it runs nowhere, or no more.
func podGracePeriod(obj runtime.Object, asked *int64) int64 {
	p := obj.(*corev1.Pod)
	period := value(p.Spec.TerminationGracePeriodSeconds)
	if asked != nil {
		period = *asked
	}
	if p.Spec.NodeName == "" || p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded {
		period = 0
	}
	if period < 0 {
		period = 1
	}
	return period
}

// qosClass says in which order pods are evicted when a node runs out of memory.
// Source: k8s.io/kubernetes/pkg/apis/core/helper/qos.
func qosClass(s *corev1.PodSpec) corev1.PodQOSClass {
	if resourcehelper.IsPodLevelResourcesSet(&corev1.Pod{Spec: *s}) {
		return requirementsClass(s.Resources)
	}
	var class corev1.PodQOSClass
	for _, containers := range [][]corev1.Container{s.InitContainers, s.Containers} {
		for i := range containers {
			class = commonClass(class, requirementsClass(&containers[i].Resources))
		}
	}
	return cmp.Or(class, corev1.PodQOSBestEffort)
}

// requirementsClass: guaranteed is what has as much as it may have.
func requirementsClass(r *corev1.ResourceRequirements) corev1.PodQOSClass {
	var class corev1.PodQOSClass
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		request, limit := r.Requests[name], r.Limits[name]
		switch {
		case request.Cmp(limit) != 0:
			class = commonClass(class, corev1.PodQOSBurstable)
		case request.IsZero():
			class = commonClass(class, corev1.PodQOSBestEffort)
		default:
			class = commonClass(class, corev1.PodQOSGuaranteed)
		}
	}
	return class
}

// commonClass is the class of parts that are of one class, and otherwise the one between. The first may be of none yet.
func commonClass(a, b corev1.PodQOSClass) corev1.PodQOSClass {
	if a == "" || a == b {
		return b
	}
	return corev1.PodQOSBurstable
}

func podFieldNames() []string {
	return []string{
		"spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
		"status.phase", "status.podIP", "status.podIPs", "status.nominatedNodeName", "spec.host",
	}
}

// podFields has no value of status.podIPs, which can be asked for and never matches. spec.host is spec.nodeName's
// name before v1.
func podFields(p *corev1.Pod) fields.Set {
	set := fields.Set{
		"spec.nodeName":            p.Spec.NodeName,
		"spec.host":                p.Spec.NodeName,
		"spec.restartPolicy":       string(p.Spec.RestartPolicy),
		"spec.schedulerName":       p.Spec.SchedulerName,
		"spec.serviceAccountName":  p.Spec.ServiceAccountName,
		"spec.hostNetwork":         strconv.FormatBool(p.Spec.HostNetwork),
		"status.phase":             string(p.Status.Phase),
		"status.nominatedNodeName": p.Status.NominatedNodeName,
	}
	if len(p.Status.PodIPs) > 0 {
		set["status.podIP"] = p.Status.PodIPs[0].IP
	}
	return set
}
