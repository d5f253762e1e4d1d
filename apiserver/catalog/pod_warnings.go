package catalog

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// What is accepted of a pod, though its author should know better.
// Source of the sentences: k8s.io/kubernetes/pkg/api/pod/warnings.go.

// podWarnings are for new pods only: what a pod is changes little later.
func podWarnings(p, old *corev1.Pod, root *field.Path) []string {
	if old != nil {
		return nil
	}
	var out []string
	annotated := ofContainers(p.Annotations, appArmorPrefix)
	for c := range allContainers(&p.Spec, nowhere).each {
		v, ok := annotated[c.Name]
		if ok && adoptsAppArmor(c, &p.Spec, appArmorField(v)) {
			out = append(out, useAppArmorField(child(root, "metadata", "annotations"), c.Name))
		}
	}
	if texts := isDNSLabel(p.Name); len(texts) > 0 {
		out = append(out, fmt.Sprintf("metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: %v", texts))
	}
	return append(out, podSpecWarnings(&p.Spec, p.Annotations, false, root)...)
}

func ownAppArmor(c *corev1.Container) *corev1.AppArmorProfile {
	if c.SecurityContext == nil {
		return nil
	}
	return c.SecurityContext.AppArmorProfile
}

func podAppArmor(s *corev1.PodSpec) *corev1.AppArmorProfile {
	if s.SecurityContext == nil {
		return nil
	}
	return s.SecurityContext.AppArmorProfile
}

func useAppArmorField(annotations *field.Path, container string) string {
	return fmt.Sprintf(`%s: deprecated since v1.30; use the "appArmorProfile" field instead`, keyed(annotations, appArmorPrefix+container))
}

// adoptsAppArmor tells whether a container has got its profile from an annotation, or the annotation says nothing.
func adoptsAppArmor(c *corev1.Container, s *corev1.PodSpec, annotated *corev1.AppArmorProfile) bool {
	if s.OS != nil && s.OS.Name == corev1.Windows {
		return false
	}
	own := ownAppArmor(c)
	if own == nil {
		return annotated == nil || !equality.Semantic.DeepEqual(annotated, podAppArmor(s))
	}
	return equality.Semantic.DeepEqual(own, annotated) && !equality.Semantic.DeepEqual(own, podAppArmor(s))
}

// podSpecWarnings are those about what pods and templates have; path is theirs.
func podSpecWarnings(s *corev1.PodSpec, annotations map[string]string, template bool, path *field.Path) []string {
	spec := child(path, "spec")
	var out []string
	warn := func(at fmt.Stringer, text string, args ...any) {
		out = append(out, at.String()+": "+fmt.Sprintf(text, args...))
	}
	for k := range sorted(s.NodeSelector).each {
		if text := oldNodeLabel(k); text != "" {
			warn(keyed(child(spec, "nodeSelector"), k), "%s", text)
		}
	}
	out = append(out, nodeAffinityWarnings(s.Affinity, child(spec, "affinity"))...)
	for i, c := range s.TopologySpreadConstraints {
		at := nth(child(spec, "topologySpreadConstraints"), i)
		if text := oldNodeLabel(c.TopologyKey); text != "" {
			warn(child(at, "topologyKey"), "%s is %s", c.TopologyKey, text)
		}
		if c.LabelSelector == nil {
			warn(child(at, "labelSelector"), "a null labelSelector results in matching no pod")
		}
	}
	for _, a := range []struct{ key, use string }{
		{"scheduler.alpha.kubernetes.io/critical-pod", `non-functional in v1.16+; use the "priorityClassName" field instead`},
		{"security.alpha.kubernetes.io/sysctls", `non-functional in v1.11+; use the "sysctls" field instead`},
		{"security.alpha.kubernetes.io/unsafe-sysctls", `non-functional in v1.11+; use the "sysctls" field instead`},
	} {
		if _, ok := annotations[a.key]; ok {
			warn(keyed(child(path, "metadata", "annotations"), a.key), "%s", a.use)
		}
	}
	out = append(out, podVolumeWarnings(s.Volumes, child(spec, "volumes"))...)
	out = append(out, podListWarnings(s, spec)...)
	out = append(out, fractionWarnings(s.Overhead, child(spec, "overhead"), corev1.ResourceMemory, corev1.ResourceEphemeralStorage)...)
	if _, ok := annotations[seccompOfPod]; ok && (s.SecurityContext == nil || s.SecurityContext.SeccompProfile == nil) {
		warn(keyed(child(path, "metadata", "annotations"), seccompOfPod), `non-functional in v1.27+; use the "seccompProfile" field instead`)
	}
	seccomp, appArmor := ofContainers(annotations, seccompContainerPrefix), ofContainers(annotations, appArmorPrefix)
	for c, at := range allContainers(s, spec).each {
		if c.SecurityContext == nil || c.SecurityContext.SeccompProfile == nil {
			if _, ok := seccomp[c.Name]; ok {
				warn(keyed(child(path, "metadata", "annotations"), seccompContainerPrefix+c.Name), `non-functional in v1.27+; use the "seccompProfile" field instead`)
			}
		}
		if v, ok := appArmor[c.Name]; ok && template && ownAppArmor(c) == nil {
			if pod := podAppArmor(s); pod == nil || !equality.Semantic.DeepEqual(pod, appArmorField(v)) {
				out = append(out, useAppArmorField(child(path, "metadata", "annotations"), c.Name))
			}
		}
		for _, r := range []corev1.ResourceName{corev1.ResourceMemory, corev1.ResourceEphemeralStorage} {
			out = append(out, fractionWarnings(c.Resources.Limits, child(at, "resources", "limits"), r)...)
			out = append(out, fractionWarnings(c.Resources.Requests, child(at, "resources", "requests"), r)...)
		}
		out = append(out, envWarnings(c.Env, child(at, "env"))...)
	}
	out = append(out, portWarnings(s, spec)...)
	if g := s.TerminationGracePeriodSeconds; g != nil && *g < 0 {
		warn(child(spec, "terminationGracePeriodSeconds"), "must be >= 0; negative values are invalid and will be treated as 1")
	}
	out = append(out, podAffinityWarnings(s.Affinity, child(spec, "affinity"))...)
	if s.DNSConfig != nil {
		for i, ip := range s.DNSConfig.Nameservers {
			out = append(out, validation.GetWarningsForIP(nth(child(spec, "dnsConfig", "nameservers"), i), ip)...)
		}
	}
	for i, a := range s.HostAliases {
		out = append(out, validation.GetWarningsForIP(child(nth(child(spec, "hostAliases"), i), "ip"), a.IP)...)
	}
	return out
}

// oldNodeLabel says what to use in place of a label, "" for one that is not outdated.
func oldNodeLabel(key string) string {
	switch key {
	case "beta.kubernetes.io/arch":
		return `deprecated since v1.14; use "kubernetes.io/arch" instead`
	case "beta.kubernetes.io/os":
		return `deprecated since v1.14; use "kubernetes.io/os" instead`
	case corev1.LabelFailureDomainBetaRegion:
		return `deprecated since v1.17; use "topology.kubernetes.io/region" instead`
	case corev1.LabelFailureDomainBetaZone:
		return `deprecated since v1.17; use "topology.kubernetes.io/zone" instead`
	case corev1.LabelInstanceType:
		return `deprecated since v1.17; use "node.kubernetes.io/instance-type" instead`
	case "app.kubernetes.io/created-by":
		return "deprecated since v1.9"
	case "scheduler.alpha.kubernetes.io/preferAvoidPods":
		return "deprecated since v1.22; use Taints and Tolerations instead"
	case "node-role.kubernetes.io/master":
		return `use "node-role.kubernetes.io/control-plane" instead`
	}
	return ""
}

func nodeTermWarnings(t *corev1.NodeSelectorTerm, how strength, path *field.Path) []string {
	var out []string
	for i, e := range t.MatchExpressions {
		at := nth(child(path, "matchExpressions"), i)
		if text := oldNodeLabel(e.Key); text != "" {
			out = append(out, fmt.Sprintf("%s: %s is %s", child(at, "key"), e.Key, text))
		}
		if how == demanded {
			continue
		}
		for j, v := range e.Values {
			for _, text := range isLabelValue(v) {
				out = append(out, fmt.Sprintf("%s: %s is invalid, %s", nth(child(at, "values"), j), v, text))
			}
		}
	}
	return out
}

func nodeAffinityWarnings(a *corev1.Affinity, path *field.Path) []string {
	if a == nil || a.NodeAffinity == nil {
		return nil
	}
	var out []string
	path = child(path, "nodeAffinity")
	if r := a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution; r != nil {
		for i := range r.NodeSelectorTerms {
			out = append(out, nodeTermWarnings(&r.NodeSelectorTerms[i], demanded,
				nth(child(path, "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms"), i))...)
		}
	}
	for i := range a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution {
		out = append(out, nodeTermWarnings(&a.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution[i].Preference, preferable,
			child(nth(child(path, "preferredDuringSchedulingIgnoredDuringExecution"), i), "preference"))...)
	}
	return out
}

func podAffinityWarnings(a *corev1.Affinity, path *field.Path) []string {
	if a == nil {
		return nil
	}
	var out []string
	terms := func(required []corev1.PodAffinityTerm, preferred []corev1.WeightedPodAffinityTerm, path *field.Path) {
		const text = "%s: a null labelSelector results in matching no pod"
		for i, t := range required {
			if t.LabelSelector == nil {
				out = append(out, fmt.Sprintf(text, child(nth(child(path, "requiredDuringSchedulingIgnoredDuringExecution"), i), "labelSelector")))
			}
		}
		for i, t := range preferred {
			if t.PodAffinityTerm.LabelSelector == nil {
				out = append(out, fmt.Sprintf(text, child(nth(child(path, "preferredDuringSchedulingIgnoredDuringExecution"), i), "podAffinityTerm", "labelSelector")))
			}
		}
	}
	if p := a.PodAffinity; p != nil {
		terms(p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution, child(path, "podAffinity"))
	}
	if p := a.PodAntiAffinity; p != nil {
		terms(p.RequiredDuringSchedulingIgnoredDuringExecution, p.PreferredDuringSchedulingIgnoredDuringExecution, child(path, "podAntiAffinity"))
	}
	return out
}

func podListWarnings(s *corev1.PodSpec, spec *field.Path) []string {
	var out []string
	seen := map[string]bool{}
	for i, a := range s.HostAliases {
		if seen[a.IP] {
			out = append(out, fmt.Sprintf("%s: duplicate ip %q", child(nth(child(spec, "hostAliases"), i), "ip"), a.IP))
		}
		seen[a.IP] = true
	}
	clear(seen)
	for i, r := range s.ImagePullSecrets {
		if seen[r.Name] {
			out = append(out, fmt.Sprintf("%s: duplicate name %q", child(nth(child(spec, "imagePullSecrets"), i), "name"), r.Name))
		}
		seen[r.Name] = true
	}
	for i, r := range s.ImagePullSecrets {
		if r.Name == "" {
			out = append(out, fmt.Sprintf("%s: invalid empty name %q", child(nth(child(spec, "imagePullSecrets"), i), "name"), r.Name))
		}
	}
	return out
}

// envWarnings: a variable may be given twice to extend it; otherwise the first is lost, and kubectl apply loses its way.
func envWarnings(vars []corev1.EnvVar, path *field.Path) []string {
	const few = 32 // which are compared with one another
	var seen before[string]
	if len(vars) > few {
		seen = make(before[string], len(vars))
	}
	var out []string
	for i := range vars {
		v := &vars[i]
		if seen != nil && !seen.has(v.Name) || seen == nil && !hasVariable(vars[:i], v.Name) {
			continue
		}
		if ref := "$(" + v.Name + ")"; v.ValueFrom != nil || v.Value == ref || !strings.Contains(v.Value, ref) {
			out = append(out, fmt.Sprintf("%s: hides previous definition of %q, which may be dropped when using apply", nth(path, i), v.Name))
		}
	}
	return out
}

func hasVariable(vars []corev1.EnvVar, name string) bool {
	for i := range vars {
		if vars[i].Name == name {
			return true
		}
	}
	return false
}

// portWarnings are about ports of which a second says the same as a first, or nearly.
func portWarnings(s *corev1.PodSpec, spec *field.Path) []string {
	type place struct {
		at   *field.Path
		port *corev1.ContainerPort
	}
	type number struct {
		port     int32
		protocol corev1.Protocol
	}
	ports := 0
	for c := range allContainers(s, nowhere).each {
		ports += len(c.Ports)
	}
	var out []string
	byNumber, byName := map[number][]place{}, map[string]*field.Path{}
	for c, path := range allContainers(s, spec).each {
		for i := range c.Ports {
			p, at := &c.Ports[i], nth(child(path, "ports"), i)
			if p.HostIP != "" && p.HostPort == 0 {
				out = append(out, fmt.Sprintf("%s: hostIP set without hostPort: %+v", at, *p))
			}
			if ports == 1 { // there is no other to compare it with
				return out
			}
			key := number{p.ContainerPort, p.Protocol}
			for _, other := range byNumber[key] {
				o := other.port
				switch {
				case p.HostIP == o.HostIP && p.HostPort == o.HostPort:
					out = append(out, fmt.Sprintf("%s: duplicate port definition with %s", at, other.at))
				case p.HostPort == 0 || o.HostPort == 0:
					out = append(out, fmt.Sprintf("%s: overlapping port definition with %s", at, other.at))
				case p.HostPort == o.HostPort && (p.HostIP == "") != (o.HostIP == ""):
					out = append(out, fmt.Sprintf("%s: dangerously ambiguous port definition with %s", at, other.at))
				}
			}
			byNumber[key] = append(byNumber[key], place{at, p})
		}
	}
	for c, path := range allContainers(s, spec).each {
		for i, p := range c.Ports {
			at := nth(child(path, "ports"), i)
			if first := byName[p.Name]; first != nil {
				out = append(out, fmt.Sprintf("%s: duplicate port name %q with %s, services and probes that select ports by name will use %s", at, p.Name, first, first))
			} else if p.Name != "" {
				byName[p.Name] = at
			}
		}
	}
	return out
}
