package catalog

import (
	"strings"

	resourcev1 "k8s.io/api/resource/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/cel/environment"
)

// validateDeviceClass checks how devices are selected and configured. Whether an expression can be parsed is checked, and not
// whether what it mentions is there.
func validateDeviceClass(c *resourcev1.DeviceClass, root *field.Path) errorList {
	at := child(root, "spec")
	errs := validateDeviceSelectors(c.Spec.Selectors, child(at, "selectors"))
	for i, config := range c.Spec.Config {
		errs = append(errs, validateOpaque(config.Opaque, child(nth(child(at, "config"), i), "opaque"))...)
	}
	return errs
}

func validateDeviceSelectors(selectors []resourcev1.DeviceSelector, at *field.Path) errorList {
	var errs errorList
	for i, s := range selectors {
		cel := child(nth(at, i), "cel")
		if s.CEL == nil {
			errs = append(errs, field.Required(cel, ""))
			continue
		}
		env, err := environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()).Env(environment.NewExpressions)
		if err != nil {
			errs = append(errs, field.InternalError(cel, err))
			continue
		}
		if _, wrong := env.Parse(s.CEL.Expression); wrong.Err() != nil {
			errs = append(errs, field.Invalid(child(cel, "expression"), s.CEL.Expression, "compilation failed: "+wrong.String()))
		}
	}
	return errs
}

func validateOpaque(o *resourcev1.OpaqueDeviceConfiguration, at *field.Path) errorList {
	if o == nil {
		return errorList{field.Required(at, "")}
	}
	errs := required(child(at, "driver"), o.Driver == "")
	if o.Driver != "" {
		errs = append(errs, dnsSubdomain(child(at, "driver"), strings.ToLower(o.Driver))...)
	}
	if len(o.Parameters.Raw) == 0 {
		errs = append(errs, field.Required(child(at, "parameters"), ""))
	}
	return errs
}

// validateConstraints checks that constraints speak of requests that there are.
func validateConstraints(d *resourcev1.DeviceClaim, at *field.Path) errorList {
	names := sets.Set[string]{}
	for _, r := range d.Requests {
		names.Insert(r.Name)
		for _, sub := range r.FirstAvailable {
			names.Insert(r.Name + "/" + sub.Name)
		}
	}
	var errs errorList
	for i, c := range d.Constraints {
		at := nth(at, i)
		for j, name := range c.Requests {
			if !names.Has(name) {
				errs = append(errs, field.Invalid(nth(child(at, "requests"), j), name,
					"must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"))
			}
		}
		if a := c.MatchAttribute; a != nil && !strings.Contains(string(*a), "/") {
			errs = append(errs, declared(field.Invalid(child(at, "matchAttribute"), *a, "a fully qualified name must be a domain and a name separated by a slash"))...)
		}
	}
	return errs
}

// validateResourceClaimStatus: nobody uses what has not been allocated.
func validateResourceClaimStatus(c, _ *resourcev1.ResourceClaim, root *field.Path) errorList {
	if c.Status.Allocation == nil && len(c.Status.ReservedFor) > 0 {
		return errorList{field.Forbidden(child(root, "status", "reservedFor"), "may not be specified when `allocated` is not set")}
	}
	return nil
}
