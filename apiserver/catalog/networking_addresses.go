package catalog

import (
	networkingv1 "k8s.io/api/networking/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"
)

// Source of the sentences: k8s.io/kubernetes/pkg/apis/networking/validation.

// ipAddressName: an IPAddress is named after the address, in its one canonical form.
func ipAddressName(name string, _ bool) []string {
	var complaints []string
	for _, err := range validation.IsValidIP(nil, name) {
		complaints = append(complaints, err.Detail)
	}
	return complaints
}

func validateIPAddress(a *networkingv1.IPAddress, root *field.Path) errorList {
	path := child(root, "spec", "parentRef")
	p := a.Spec.ParentRef
	if p == nil {
		return required(path, true)
	}
	var errs errorList
	if p.Group != "" {
		errs = append(errs, invalidEach(child(path, "group"), p.Group, isDNSSubdomain(p.Group))...)
	}
	errs = append(errs, requiredSegment(child(path, "resource"), p.Resource)...)
	errs = append(errs, requiredSegment(child(path, "name"), p.Name)...)
	if p.Namespace != "" {
		errs = append(errs, pathSegment(child(path, "namespace"), p.Namespace)...)
	}
	return errs
}

func validateIPAddressChange(a, old *networkingv1.IPAddress, root *field.Path) errorList {
	return declaredUnchanged(child(root, "spec", "parentRef"), a.Spec.ParentRef, old.Spec.ParentRef)
}

func validateServiceCIDR(c *networkingv1.ServiceCIDR, root *field.Path) errorList {
	cidrs, path := c.Spec.CIDRs, child(root, "spec", "cidrs")
	switch {
	case len(cidrs) == 0:
		return errorList{field.Required(path, "at least one CIDR required")}
	case len(cidrs) > 2:
		return errorList{field.Invalid(path, internalForm(c.Spec), "may only hold up to 2 values")}
	}
	var errs errorList
	for i, text := range cidrs {
		errs = append(errs, validation.IsValidCIDR(nth(path, i), text)...)
	}
	if len(cidrs) == 2 {
		family := netutils.IPFamilyOfCIDRString(cidrs[0])
		if family != netutils.IPFamilyUnknown && family == netutils.IPFamilyOfCIDRString(cidrs[1]) {
			errs = append(errs, field.Invalid(path, cidrs, "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"))
		}
	}
	return errs
}

// validateServiceCIDRChange: a range may get a second one of the other family, all else is fixed.
func validateServiceCIDRChange(c, old *networkingv1.ServiceCIDR, root *field.Path) errorList {
	path := child(root, "spec", "cidrs")
	now, before := c.Spec.CIDRs, old.Spec.CIDRs
	fixed := func(at *field.Path, v any) *field.Error {
		return field.Invalid(at, v, apivalidation.FieldImmutableErrorMsg)
	}
	grown := len(before) == 1 && len(now) == 2
	if len(now) != len(before) && !grown {
		return errorList{fixed(path, now)}
	}
	var errs errorList
	for i := range before {
		if now[i] != before[i] {
			errs = append(errs, fixed(nth(path, i), now[i]))
		}
	}
	if grown {
		errs = append(errs, validateServiceCIDR(c, root)...)
	}
	return errs
}
