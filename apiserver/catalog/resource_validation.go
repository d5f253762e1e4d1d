package catalog

import (
	"fmt"
	"slices"
	"strings"

	resourcev1 "k8s.io/api/resource/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Names, counts, references and what may not change are checked. The rules about devices are left out, and what CEL expressions
// that select them may mention: no device is ever allocated here.
// Source of the sentences: k8s.io/kubernetes/pkg/apis/resource/validation.

func validateResourceClaim(c *resourcev1.ResourceClaim) errorList {
	at := field.NewPath("spec", "devices")
	errs := validateDeviceRequests(c.Spec.Devices.Requests, at.Child("requests"))
	return append(errs, validateConstraints(&c.Spec.Devices, at.Child("constraints"))...)
}

func validateDeviceRequests(requests []resourcev1.DeviceRequest, at *field.Path) errorList {
	var errs errorList
	seen := before[string]{}
	for i := range requests {
		r, at := &requests[i], at.Index(i)
		errs = append(errs, dnsLabel(at.Child("name"), r.Name)...)
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
			errs = append(errs, validateDeviceCount(r.Exactly.AllocationMode, r.Exactly.Count, at.Child("exactly"))...)
			errs = append(errs, neededSubdomain(at.Child("exactly", "deviceClassName"), r.Exactly.DeviceClassName)...)
		}
		for j := range r.FirstAvailable {
			sub, at := &r.FirstAvailable[j], at.Child("firstAvailable").Index(j)
			errs = append(errs, dnsLabel(at.Child("name"), sub.Name)...)
			errs = append(errs, validateDeviceCount(sub.AllocationMode, sub.Count, at)...)
			errs = append(errs, declared(neededSubdomain(at.Child("deviceClassName"), sub.DeviceClassName)...)...)
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
			return declared(field.NotSupported(at.Child("allocationMode"), mode, modes))
		}
		return nil
	}
	return positive(at.Child("count"), count)
}

func validateResourceClaimChange(c, old *resourcev1.ResourceClaim) errorList {
	return declaredUnchanged(field.NewPath("spec"), c.Spec, old.Spec)
}

func validateResourceClaimTemplate(t *resourcev1.ResourceClaimTemplate) errorList {
	at := field.NewPath("spec")
	errs := apivalidation.ValidateAnnotations(t.Spec.Annotations, at.Child("metadata", "annotations"))
	errs = append(errs, metav1validation.ValidateLabels(t.Spec.Labels, at.Child("metadata", "labels"))...)
	devices := at.Child("spec", "devices")
	errs = append(errs, validateDeviceRequests(t.Spec.Spec.Devices.Requests, devices.Child("requests"))...)
	return append(errs, validateConstraints(&t.Spec.Spec.Devices, devices.Child("constraints"))...)
}

func validateResourceClaimTemplateChange(t, old *resourcev1.ResourceClaimTemplate) errorList {
	return unchanged(field.NewPath("spec"), t.Spec, old.Spec)
}

func validateTaintRule(r *resourcev1.DeviceTaintRule) errorList {
	at := field.NewPath("spec")
	var errs errorList
	if s := r.Spec.DeviceSelector; s != nil {
		at := at.Child("deviceSelector")
		if s.Driver != nil {
			errs = append(errs, driverName(*s.Driver, at.Child("driver"))...)
		}
		if s.Pool != nil {
			errs = append(errs, validatePoolName(*s.Pool, at.Child("pool"))...)
		}
		if s.Device != nil {
			errs = append(errs, dnsLabel(at.Child("device"), *s.Device)...)
		}
	}
	t, at := &r.Spec.Taint, at.Child("taint")
	errs = append(errs, metav1validation.ValidateLabelName(t.Key, at.Child("key"))...)
	errs = append(errs, invalidEach(at.Child("value"), t.Value, validation.IsValidLabelValue(t.Value))...)
	errs = append(errs, required(at.Child("effect"), t.Effect == "")...)
	if t.Effect != "" {
		errs = append(errs, declared(oneOf(at.Child("effect"), t.Effect,
			resourcev1.DeviceTaintEffectNoExecute, resourcev1.DeviceTaintEffectNoSchedule, resourcev1.DeviceTaintEffectNone)...)...)
	}
	return errs
}

func validateTaintRuleStatus(r, _ *resourcev1.DeviceTaintRule) errorList {
	at := field.NewPath("status")
	errs := metav1validation.ValidateConditions(r.Status.Conditions, at.Child("conditions"))
	if n := len(r.Status.Conditions); n > resourcev1.DeviceTaintRuleStatusMaxConditions {
		errs = append(errs, field.TooMany(at.Child("conditions"), n, resourcev1.DeviceTaintRuleStatusMaxConditions))
	}
	return errs
}

func validateResourceSlice(s *resourcev1.ResourceSlice) errorList {
	spec, at := &s.Spec, field.NewPath("spec")
	errs := driverName(spec.Driver, at.Child("driver"))
	errs = append(errs, validatePoolName(spec.Pool.Name, at.Child("pool", "name"))...)
	errs = append(errs, positive(at.Child("pool", "resourceSliceCount"), spec.Pool.ResourceSliceCount)...)
	if n := spec.Pool.Generation; n < 0 {
		errs = append(errs, field.Invalid(at.Child("pool", "generation"), n, "must be greater than or equal to zero"))
	}
	errs = append(errs, validateSliceNodes(spec, at)...)
	if spec.SharedCounters != nil && spec.Devices != nil {
		errs = append(errs, field.Invalid(at, "", "only one of `sharedCounters` or `devices` is allowed"))
	}
	names := map[string]bool{}
	for i := range spec.Devices {
		name, at := spec.Devices[i].Name, at.Child("devices").Index(i)
		errs = append(errs, dnsLabel(at.Child("name"), name)...)
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
		errs = append(errs, field.Invalid(at.Child("nodeName"), "", "must be either unset or set to a non-empty string"))
	default:
		set = append(set, "`nodeName`")
		errs = append(errs, dnsSubdomain(at.Child("nodeName"), *s.NodeName)...)
	}
	if n := s.NodeSelector; n != nil {
		set = append(set, "`nodeSelector`")
		if len(n.NodeSelectorTerms) != 1 {
			errs = append(errs, field.Invalid(at.Child("nodeSelector", "nodeSelectorTerms"), internalForm(n.NodeSelectorTerms), "must have exactly one node selector term"))
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
			errs = append(errs, field.Invalid(at.Child(f.name), false, "must be either unset or set to true"))
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

func validateResourceSliceChange(s, old *resourcev1.ResourceSlice) errorList {
	at := field.NewPath("spec")
	return slices.Concat(
		unchanged(at.Child("pool", "name"), s.Spec.Pool.Name, old.Spec.Pool.Name),
		unchanged(at.Child("driver"), s.Spec.Driver, old.Spec.Driver),
		unchanged(at.Child("nodeName"), s.Spec.NodeName, old.Spec.NodeName))
}

func resourceSliceWarnings(s, _ *resourcev1.ResourceSlice) []string {
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
