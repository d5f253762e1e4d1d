package catalog

import (
	"fmt"
	"slices"
	"strings"

	resourcev1 "k8s.io/api/resource/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Names, counts, references and what may not change are checked. The rules about devices are left out, and what CEL expressions
// that select them may mention: no device is ever allocated here.
// Source of the sentences: k8s.io/kubernetes/pkg/apis/resource/validation.

func validateResourceClaim(c *resourcev1.ResourceClaim, root *field.Path) errorList {
	at := child(root, "spec", "devices")
	errs := validateDeviceRequests(c.Spec.Devices.Requests, child(at, "requests"))
	return append(errs, validateConstraints(&c.Spec.Devices, child(at, "constraints"))...)
}

func validateDeviceRequests(requests []resourcev1.DeviceRequest, at *field.Path) errorList {
	var errs errorList
	seen := before[string]{}
	for i := range requests {
		r, at := &requests[i], nth(at, i)
		errs = append(errs, dnsLabel(child(at, "name"), r.Name)...)
		if seen.has(r.Name) {
			errs = append(errs, declared(field.Duplicate(at, *r))...)
		}
		switch {
		case (r.Exactly == nil) == (len(r.FirstAvailable) == 0):
			const one = "exactly one of `exactly` or `firstAvailable` is required"
			if r.Exactly == nil {
				errs = append(errs, field.Required(at, one))
			} else {
				errs = append(errs, field.Invalid(at, nil, one+", but multiple fields are set"))
			}
		case r.Exactly != nil:
			errs = append(errs, validateDeviceCount(r.Exactly.AllocationMode, r.Exactly.Count, child(at, "exactly"))...)
			errs = append(errs, neededSubdomain(child(at, "exactly", "deviceClassName"), r.Exactly.DeviceClassName)...)
		}
		for j := range r.FirstAvailable {
			sub, at := &r.FirstAvailable[j], nth(child(at, "firstAvailable"), j)
			errs = append(errs, dnsLabel(child(at, "name"), sub.Name)...)
			errs = append(errs, validateDeviceCount(sub.AllocationMode, sub.Count, at)...)
			errs = append(errs, declared(neededSubdomain(child(at, "deviceClassName"), sub.DeviceClassName)...)...)
		}
	}
	return errs
}

// neededSubdomain reports a missing text, or one that is no DNS subdomain.
func neededSubdomain(at *field.Path, s string) errorList {
	if s == "" {
		return errorList{field.Required(at, "")}
	}
	return dnsSubdomain(at, s)
}

func validateDeviceCount(mode resourcev1.DeviceAllocationMode, count int64, at *field.Path) errorList {
	if mode != resourcev1.DeviceAllocationModeExactCount {
		modes := []resourcev1.DeviceAllocationMode{resourcev1.DeviceAllocationModeAll, resourcev1.DeviceAllocationModeExactCount}
		if !slices.Contains(modes, mode) {
			return declared(field.NotSupported(child(at, "allocationMode"), mode, modes))
		}
		return nil
	}
	return positive(child(at, "count"), count)
}

func validateResourceClaimChange(c, old *resourcev1.ResourceClaim, root *field.Path) errorList {
	return declaredUnchanged(child(root, "spec"), c.Spec, old.Spec)
}

func validateResourceClaimTemplate(t *resourcev1.ResourceClaimTemplate, root *field.Path) errorList {
	at := child(root, "spec")
	errs := validateAnnotations(t.Spec.Annotations, child(at, "metadata", "annotations"))
	errs = append(errs, validateLabels(t.Spec.Labels, child(at, "metadata", "labels"))...)
	devices := child(at, "spec", "devices")
	errs = append(errs, validateDeviceRequests(t.Spec.Spec.Devices.Requests, child(devices, "requests"))...)
	return append(errs, validateConstraints(&t.Spec.Spec.Devices, child(devices, "constraints"))...)
}

func validateResourceClaimTemplateChange(t, old *resourcev1.ResourceClaimTemplate, root *field.Path) errorList {
	return unchanged(child(root, "spec"), t.Spec, old.Spec)
}

func validateTaintRule(r *resourcev1.DeviceTaintRule, root *field.Path) errorList {
	at := child(root, "spec")
	var errs errorList
	if s := r.Spec.DeviceSelector; s != nil {
		at := child(at, "deviceSelector")
		if s.Driver != nil {
			errs = append(errs, driverName(*s.Driver, child(at, "driver"))...)
		}
		if s.Pool != nil {
			errs = append(errs, validatePoolName(*s.Pool, child(at, "pool"))...)
		}
		if s.Device != nil {
			errs = append(errs, dnsLabel(child(at, "device"), *s.Device)...)
		}
	}
	t, at := &r.Spec.Taint, child(at, "taint")
	errs = append(errs, validateLabelName(t.Key, child(at, "key"))...)
	errs = append(errs, invalidEach(child(at, "value"), t.Value, isLabelValue(t.Value))...)
	errs = append(errs, required(child(at, "effect"), t.Effect == "")...)
	if t.Effect != "" {
		errs = append(errs, declared(oneOf(child(at, "effect"), t.Effect,
			resourcev1.DeviceTaintEffectNoExecute, resourcev1.DeviceTaintEffectNoSchedule, resourcev1.DeviceTaintEffectNone)...)...)
	}
	return errs
}

func validateTaintRuleStatus(r, _ *resourcev1.DeviceTaintRule, root *field.Path) errorList {
	at := child(root, "status")
	errs := metav1validation.ValidateConditions(r.Status.Conditions, child(at, "conditions"))
	if n := len(r.Status.Conditions); n > resourcev1.DeviceTaintRuleStatusMaxConditions {
		errs = append(errs, field.TooMany(child(at, "conditions"), n, resourcev1.DeviceTaintRuleStatusMaxConditions))
	}
	return errs
}

func validateResourceSlice(s *resourcev1.ResourceSlice, root *field.Path) errorList {
	spec, at := &s.Spec, child(root, "spec")
	errs := driverName(spec.Driver, child(at, "driver"))
	errs = append(errs, validatePoolName(spec.Pool.Name, child(at, "pool", "name"))...)
	errs = append(errs, positive(child(at, "pool", "resourceSliceCount"), spec.Pool.ResourceSliceCount)...)
	if n := spec.Pool.Generation; n < 0 {
		errs = append(errs, field.Invalid(child(at, "pool", "generation"), n, "must be greater than or equal to zero"))
	}
	errs = append(errs, validateSliceNodes(spec, at)...)
	if spec.SharedCounters != nil && spec.Devices != nil {
		errs = append(errs, field.Invalid(at, "", "only one of `sharedCounters` or `devices` is allowed"))
	}
	names := map[string]bool{}
	for i := range spec.Devices {
		name, at := spec.Devices[i].Name, nth(child(at, "devices"), i)
		errs = append(errs, dnsLabel(child(at, "name"), name)...)
		if names[name] {
			errs = append(errs, field.Duplicate(at, name))
		}
		names[name] = true
	}
	return errs
}

// validateSliceNodes demands exactly one way to tell on which nodes the devices are.
func validateSliceNodes(s *resourcev1.ResourceSliceSpec, at *field.Path) errorList {
	var errs errorList
	var set []string
	switch {
	case s.NodeName == nil:
	case *s.NodeName == "":
		errs = append(errs, field.Invalid(child(at, "nodeName"), "", "must be either unset or set to a non-empty string"))
	default:
		set = append(set, "`nodeName`")
		errs = append(errs, dnsSubdomain(child(at, "nodeName"), *s.NodeName)...)
	}
	if n := s.NodeSelector; n != nil {
		set = append(set, "`nodeSelector`")
		if len(n.NodeSelectorTerms) != 1 {
			errs = append(errs, field.Invalid(child(at, "nodeSelector", "nodeSelectorTerms"), internalForm(n.NodeSelectorTerms), "must have exactly one node selector term"))
		}
	}
	for _, f := range []struct {
		name string
		set  *bool
	}{{"allNodes", s.AllNodes}, {"perDeviceNodeSelection", s.PerDeviceNodeSelection}} {
		switch {
		case f.set == nil:
		case *f.set:
			set = append(set, "`"+f.name+"`")
		default:
			errs = append(errs, field.Invalid(child(at, f.name), false, "must be either unset or set to true"))
		}
	}
	const one = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
	switch len(set) {
	case 0:
		errs = append(errs, field.Required(at, one))
	case 1:
	default:
		errs = append(errs, field.Invalid(at, fmt.Sprintf("{%s}", strings.Join(set, ", ")), one+", but multiple fields are set"))
	}
	return errs
}

func validateResourceSliceChange(s, old *resourcev1.ResourceSlice, root *field.Path) errorList {
	at := child(root, "spec")
	return slices.Concat(
		unchanged(child(at, "pool", "name"), s.Spec.Pool.Name, old.Spec.Pool.Name),
		unchanged(child(at, "driver"), s.Spec.Driver, old.Spec.Driver),
		unchanged(child(at, "nodeName"), s.Spec.NodeName, old.Spec.NodeName))
}

func resourceSliceWarnings(s, _ *resourcev1.ResourceSlice, _ *field.Path) []string {
	if s.Spec.Driver == strings.ToLower(s.Spec.Driver) {
		return nil
	}
	return []string{fmt.Sprintf("spec.driver: driver names should be lowercase; %q contains uppercase characters", s.Spec.Driver)}
}

// validatePoolName checks a path of DNS subdomains.
func validatePoolName(name string, at *field.Path) errorList {
	if name == "" {
		return errorList{field.Required(at, "")}
	}
	var errs errorList
	if len(name) > 253 {
		errs = append(errs, field.TooLong(at, "", 253))
	}
	for part := range strings.SplitSeq(name, "/") {
		errs = append(errs, dnsSubdomain(at, part)...)
	}
	return errs
}
