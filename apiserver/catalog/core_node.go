package catalog

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"
)

func nodeKind() *Kind {
	proxy := corev1.SchemeGroupVersion.WithKind("NodeProxyOptions")
	return row[corev1.Node, corev1.NodeList](corev1.SchemeGroupVersion, Kind{
		Resource:   "nodes",
		ShortNames: []string{"no"},
		Subresources: []Subresource{
			{Name: "proxy", Verbs: proxied(), Kind: proxy, New: maker[corev1.NodeProxyOptions](proxy)},
			{Name: "status"},
		},
		Strategy: Strategy{
			Default:                on(defaultNode),
			PrepareForCreate:       on(dropConfig),
			PrepareForUpdate:       onChange(func(n, _ *corev1.Node) { dropConfig(n) }),
			PrepareForStatusUpdate: onChange(func(n, _ *corev1.Node) { dropConfig(n) }),
			Validate:               check(validateNode),
			ValidateUpdate:         checkChange(validateNodeChange),
			ValidateStatusUpdate:   checkChange(validateNodeChange),
			Warnings:               warnings(nodeWarnings),
		},
		Table:      nodeTable(),
		FieldNames: []string{"spec.unschedulable"},
		Fields: fieldsOf(func(n *corev1.Node) fields.Set {
			return fields.Set{"spec.unschedulable": strconv.FormatBool(n.Spec.Unschedulable)}
		}),
	})
}

// defaultNode: a node offers all it has, unless it says otherwise. Its first pod network is told twice.
func defaultNode(n *corev1.Node) {
	if n.Status.Allocatable == nil && n.Status.Capacity != nil {
		n.Status.Allocatable = n.Status.Capacity.DeepCopy()
	}
	roundUp(n.Status.Capacity)
	roundUp(n.Status.Allocatable)
	s := &n.Spec
	if s.PodCIDR != "" && (len(s.PodCIDRs) == 0 || s.PodCIDRs[0] != s.PodCIDR) {
		s.PodCIDRs = []string{s.PodCIDR}
	}
	if len(s.PodCIDRs) > 0 {
		s.PodCIDR = s.PodCIDRs[0]
	}
	s.PodPreemptionPolicy = nil // a feature that is off by default
}

// dropConfig takes away what a feature that is no more has left in the type. Whoever sends it owns it all the same.
func dropConfig(n *corev1.Node) { n.Spec.ConfigSource, n.Status.Config = nil, nil }

func validateNode(n *corev1.Node, root *field.Path) errorList {
	meta := child(root, "metadata")
	errs := validateNodeAnnotations(n.Annotations, child(meta, "annotations"))
	errs = append(errs, validateTaints(n.Spec.Taints, child(meta, "taints"))...)
	errs = append(errs, validateNodeAmounts(n, root)...)
	if s := n.Status.NodeInfo.Swap; s != nil && s.Capacity != nil {
		errs = append(errs, positive(child(meta, "nodeSwapStatus", "capacity"), *s.Capacity)...)
	}
	errs = append(errs, validateDeclaredFeatures(n.Status.DeclaredFeatures, child(root, "status", "declaredFeatures"))...)
	at := child(root, "spec", "podCIDRs")
	for i, cidr := range n.Spec.PodCIDRs {
		errs = append(errs, aCIDR(nth(at, i), cidr)...)
	}
	if len(n.Spec.PodCIDRs) < 2 {
		return errs
	}
	dual, err := netutils.IsDualStackCIDRStrings(n.Spec.PodCIDRs)
	if err != nil {
		errs = append(errs, field.InternalError(at, fmt.Errorf("invalid PodCIDRs. failed to check with dual stack with error:%v", err)))
	}
	if !dual || len(n.Spec.PodCIDRs) > 2 {
		errs = append(errs, field.Invalid(at, n.Spec.PodCIDRs, "may specify no more than one CIDR for each IP family"))
	}
	return errs
}

func validateNodeAnnotations(annotations map[string]string, at *field.Path) errorList {
	var errs errorList
	if text := annotations[corev1.TaintsAnnotationKey]; text != "" {
		var taints []corev1.Taint
		if err := json.Unmarshal([]byte(text), &taints); err != nil {
			errs = append(errs, field.Invalid(at, corev1.TaintsAnnotationKey, err.Error()))
		} else {
			errs = append(errs, validateTaints(taints, child(at, corev1.TaintsAnnotationKey))...)
		}
	}
	if text := annotations[corev1.PreferAvoidPodsAnnotationKey]; text != "" {
		errs = append(errs, validateAvoidedPods(text, at)...)
	}
	return errs
}

func validateAvoidedPods(text string, at *field.Path) errorList {
	var avoided corev1.AvoidPods
	if err := json.Unmarshal([]byte(text), &avoided); err != nil {
		return errorList{field.Invalid(child(at, "AvoidPods"), corev1.PreferAvoidPodsAnnotationKey, err.Error())}
	}
	var errs errorList
	for i, p := range avoided.PreferAvoidPods {
		at := child(nth(child(at, corev1.PreferAvoidPodsAnnotationKey), i), "PodSignature")
		switch c := p.PodSignature.PodController; {
		case c == nil:
			errs = append(errs, field.Required(at, ""))
		case !value(c.Controller):
			errs = append(errs, field.Invalid(child(at, "PodController", "Controller"), false, "must point to a controller"))
		}
	}
	return errs
}

func validateTaints(taints []corev1.Taint, path *field.Path) errorList {
	var errs errorList
	seen := map[[2]string]bool{}
	for i, t := range taints {
		at := nth(path, i)
		errs = append(errs, validateLabelName(t.Key, child(at, "key"))...)
		if texts := isLabelValue(t.Value); len(texts) > 0 {
			errs = append(errs, field.Invalid(child(at, "value"), t.Value, strings.Join(texts, ";")))
		}
		errs = append(errs, validateTaintEffect(t.Effect, child(at, "effect"))...)
		id := [2]string{string(t.Effect), t.Key}
		if seen[id] {
			err := field.Duplicate(at, internalForm(t))
			err.Detail = "taints must be unique by key and effect pair"
			errs = append(errs, err)
		}
		seen[id] = true
	}
	return errs
}

func validateNodeAmounts(n *corev1.Node, root *field.Path) errorList {
	var errs errorList
	for name, q := range sorted(n.Status.Capacity).each {
		errs = append(errs, amount(name, q, child(root, "status", "capacity", string(name)))...)
	}
	for name, q := range sorted(n.Status.Allocatable).each {
		errs = append(errs, amount(name, q, child(root, "status", "allocatable", string(name)))...)
	}
	return errs
}

var featureName = regexp.MustCompile(`^[A-Z][a-zA-Z0-9]*(\/[a-zA-Z][a-zA-Z0-9]*)*$`)

func validateDeclaredFeatures(features []string, path *field.Path) errorList {
	var errs errorList
	for i, f := range features {
		switch {
		case len(f) > validation.DNS1123SubdomainMaxLength:
			errs = append(errs, field.Invalid(nth(path, i), f, fmt.Sprintf("invalid feature name %q: must be no more than %d characters", f, validation.DNS1123SubdomainMaxLength)))
		case !featureName.MatchString(f):
			errs = append(errs, field.Invalid(nth(path, i), f, fmt.Sprintf("invalid feature name %q: must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes", f)))
		}
		if i+1 == len(features) {
			break
		}
		switch next := features[i+1]; {
		case f == next:
			errs = append(errs, field.Duplicate(nth(path, i+1), next))
		case f > next:
			errs = append(errs, field.Invalid(nth(path, i+1), next, "list must be sorted alphabetically"))
		}
	}
	return errs
}

// validateNodeChange: what tells where a node is, and which addresses its pods have, stays.
func validateNodeChange(n, old *corev1.Node, root *field.Path) errorList {
	meta, spec := child(root, "metadata"), child(root, "spec")
	errs := validateNodeAnnotations(n.Annotations, child(meta, "annotations"))
	errs = append(errs, validateNodeAmounts(n, root)...)
	errs = append(errs, validateDeclaredFeatures(n.Status.DeclaredFeatures, child(root, "status", "declaredFeatures"))...)
	seen := map[corev1.NodeAddress]bool{}
	for i, a := range n.Status.Addresses {
		if seen[a] {
			errs = append(errs, field.Duplicate(nth(child(root, "status", "addresses"), i), internalForm(a)))
		}
		seen[a] = true
	}
	const fixedCIDR = `node updates may not change podCIDR except from "" to valid`
	now, was := n.Spec.PodCIDRs, old.Spec.PodCIDRs
	if len(was) > 0 && len(now) != len(was) {
		errs = append(errs, field.Forbidden(child(spec, "podCIDRs"), fixedCIDR))
	} else {
		for i := range was {
			if now[i] != was[i] {
				errs = append(errs, field.Forbidden(child(spec, "podCIDRs"), fixedCIDR))
			}
		}
	}
	switch id := n.Spec.ProviderID; {
	case old.Spec.ProviderID == "" || id == old.Spec.ProviderID:
	case id == "":
		errs = append(errs, field.Invalid(child(spec, "providerID"), nil, "field cannot be cleared once set"))
	default:
		errs = append(errs, field.Invalid(child(spec, "providerID"), nil, "field cannot be modified once set"))
	}
	errs = append(errs, validateTaints(n.Spec.Taints, child(meta, "taints"))...)
	if n.Spec.DoNotUseExternalID != old.Spec.DoNotUseExternalID {
		errs = append(errs, field.Forbidden(child(spec, "externalID"), "may not be updated"))
	}
	return errs
}

func nodeWarnings(n, _ *corev1.Node, root *field.Path) []string {
	var out []string
	if n.Spec.DoNotUseExternalID != "" {
		out = append(out, "spec.externalID: this field is deprecated, and is unused by Kubernetes")
	}
	for i, cidr := range n.Spec.PodCIDRs {
		out = append(out, validation.GetWarningsForCIDR(nth(child(root, "spec", "podCIDRs"), i), cidr)...)
	}
	return out
}

func nodeTable() Table {
	status, info := corev1.NodeStatus{}.SwaggerDoc(), corev1.NodeSystemInfo{}.SwaggerDoc()
	return table(nodeCells,
		nameColumn(),
		column("Status", "string", "The status of the node"),
		column("Roles", "string", "The roles of the node"),
		ageColumn(),
		column("Version", "string", info["kubeletVersion"]),
		wide("Internal-IP", "string", status["addresses"]),
		wide("External-IP", "string", status["addresses"]),
		wide("OS-Image", "string", info["osImage"]),
		wide("Kernel-Version", "string", info["kernelVersion"]),
		wide("Container-Runtime", "string", info["containerRuntimeVersion"]),
	)
}

func nodeCells(n *corev1.Node, now time.Time) []any {
	status := "Unknown"
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			status = "NotReady"
			if c.Status == corev1.ConditionTrue {
				status = "Ready"
			}
		}
	}
	if n.Spec.Unschedulable {
		status += ",SchedulingDisabled"
	}
	address := func(t corev1.NodeAddressType) string {
		for _, a := range n.Status.Addresses {
			if a.Type == t {
				return a.Address
			}
		}
		return "<none>"
	}
	known := func(s string) string {
		if s == "" {
			return "<unknown>"
		}
		return s
	}
	info := n.Status.NodeInfo
	kernel := known(info.KernelVersion)
	if info.Architecture != "" {
		kernel += " (" + info.Architecture + ")"
	}
	return []any{
		n.Name, status, orNone(strings.Join(nodeRoles(n), ",")), Age(n.CreationTimestamp, now), info.KubeletVersion,
		address(corev1.NodeInternalIP), address(corev1.NodeExternalIP), known(info.OSImage), kernel, known(info.ContainerRuntimeVersion),
	}
}

// nodeRoles are what labels say that a node is for.
func nodeRoles(n *corev1.Node) []string {
	var roles []string
	for k, v := range sorted(n.Labels).each {
		if role, ok := strings.CutPrefix(k, "node-role.kubernetes.io/"); ok && role != "" {
			roles = append(roles, role)
		} else if k == "kubernetes.io/role" && v != "" {
			roles = append(roles, v)
		}
	}
	slices.Sort(roles)
	return slices.Compact(roles)
}
