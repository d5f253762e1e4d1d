package admission

import (
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"coracle/apiserver/catalog"
)

// linkAddresses finds out what is meant by clusterIP and clusterIPs, of which clients may set one alone.
// Source: patchAllocatedValues and normalizeClusterIPs in k8s.io/kubernetes/pkg/registry/core/service/storage/storage.go.
func linkAddresses(svc, old *corev1.Service) {
	now := &svc.Spec
	if old == nil {
		if now.ClusterIP != "" && len(now.ClusterIPs) == 0 {
			now.ClusterIPs = []string{now.ClusterIP}
		}
		return
	}
	was := &old.Spec
	if was.Type != corev1.ServiceTypeExternalName && now.Type != corev1.ServiceTypeExternalName {
		if now.ClusterIP == "" {
			now.ClusterIP = was.ClusterIP
		}
		if len(now.ClusterIPs) == 0 {
			now.ClusterIPs = slices.Clone(was.ClusterIPs)
		}
	}
	if len(now.ClusterIPs) == 0 && now.ClusterIP == was.ClusterIP {
		now.ClusterIPs = slices.Clone(was.ClusterIPs)
	}
	if now.ClusterIP == was.ClusterIP || !slices.Equal(now.ClusterIPs, was.ClusterIPs) {
		return
	}
	now.ClusterIPs = nil
	if now.ClusterIP != "" {
		now.ClusterIPs = []string{now.ClusterIP}
	}
}

// families says which families a service's addresses are of, and refuses those that the range has none of.
// Source: initIPFamilyFields in k8s.io/kubernetes/pkg/registry/core/service/storage/alloc.go, of a cluster with one family.
func (p *ServiceIP) families(svc, old *corev1.Service) error {
	spec, at := &svc.Spec, field.NewPath("spec")
	if old != nil && prefersAsBefore(svc, old) {
		return nil
	}
	free := spec.ClusterIP == corev1.ClusterIPNone && len(spec.Selector) == 0 // whoever writes its endpoints knows
	if spec.IPFamilyPolicy == nil {
		policy := corev1.IPFamilyPolicySingleStack
		switch {
		case old != nil && old.Spec.IPFamilyPolicy != nil:
			policy = *old.Spec.IPFamilyPolicy
		case free:
			policy = corev1.IPFamilyPolicyRequireDualStack
		}
		spec.IPFamilyPolicy = &policy
	}
	if errs := catalog.ValidateClusterIPs(svc, at); len(errs) > 0 { // before all else is looked at
		return invalidServices(svc, errs)
	}
	if errs := p.reconcile(spec, old, at); len(errs) > 0 {
		return invalidServices(svc, errs)
	}
	have, other := familyOf(p.Range.Addr()), corev1.IPv6Protocol
	if have == other {
		other = corev1.IPv4Protocol
	}
	if free {
		if len(spec.IPFamilies) == 0 {
			spec.IPFamilies = []corev1.IPFamily{have}
		}
		if len(spec.IPFamilies) == 1 && *spec.IPFamilyPolicy != corev1.IPFamilyPolicySingleStack {
			if spec.IPFamilies[0] == other {
				other = have
			}
			spec.IPFamilies = append(spec.IPFamilies, other)
		}
		return nil
	}
	var errs field.ErrorList
	if *spec.IPFamilyPolicy == corev1.IPFamilyPolicyRequireDualStack {
		errs = append(errs, field.Invalid(at.Child("ipFamilyPolicy"), *spec.IPFamilyPolicy, "this cluster is not configured for dual-stack services"))
	}
	for i, f := range spec.IPFamilies {
		if f != have {
			errs = append(errs, field.Invalid(at.Child("ipFamilies").Index(i), f, "not configured on this cluster"))
		}
	}
	if len(errs) > 0 {
		return invalidServices(svc, errs)
	}
	if len(spec.IPFamilies) == 0 {
		spec.IPFamilies = []corev1.IPFamily{have}
	}
	return nil
}

// reconcile brings addresses, families and policy of a service together.
func (p *ServiceIP) reconcile(spec *corev1.ServiceSpec, old *corev1.Service, at *field.Path) (errs field.ErrorList) {
	policy, single := at.Child("ipFamilyPolicy"), *spec.IPFamilyPolicy == corev1.IPFamilyPolicySingleStack
	wrong := func(why string) { errs = append(errs, field.Invalid(policy, *spec.IPFamilyPolicy, why)) }
	if old != nil && single {
		if slices.Equal(spec.ClusterIPs, old.Spec.ClusterIPs) && len(spec.ClusterIPs) > 1 {
			spec.ClusterIPs = spec.ClusterIPs[:1]
		}
		if slices.Equal(spec.IPFamilies, old.Spec.IPFamilies) && len(spec.IPFamilies) > 1 {
			spec.IPFamilies = spec.IPFamilies[:1]
		}
	} else if old != nil {
		if n := len(spec.ClusterIPs); n > 0 && n < len(old.Spec.ClusterIPs) {
			wrong("must be 'SingleStack' to release the secondary cluster IP")
		}
		if n := len(spec.IPFamilies); n > 0 && n < len(old.Spec.IPFamilies) {
			wrong("must be 'SingleStack' to release the secondary IP family")
		}
	}
	if single && len(spec.ClusterIPs) == 2 {
		wrong("must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified")
	}
	if single && len(spec.IPFamilies) == 2 {
		wrong("must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified")
	}
	have := familyOf(p.Range.Addr())
	for i, text := range spec.ClusterIPs {
		if text == corev1.ClusterIPNone {
			break
		}
		ip, err := netip.ParseAddr(text)
		switch {
		case err != nil || i < len(spec.IPFamilies):
		case familyOf(ip) != have:
			errs = append(errs, field.Invalid(at.Child("clusterIPs").Index(i), spec.ClusterIPs, fmt.Sprintf("%s is not configured on this cluster", familyOf(ip))))
		default:
			spec.IPFamilies = append(spec.IPFamilies, have)
		}
	}
	return errs
}

// prefersAsBefore: a service that prefers two families, and changes nothing of that, is left as it is.
func prefersAsBefore(svc, old *corev1.Service) bool {
	now, was := &svc.Spec, &old.Spec
	prefers := func(p *corev1.IPFamilyPolicy) bool { return *p == corev1.IPFamilyPolicyPreferDualStack }
	return now.IPFamilyPolicy != nil && prefers(now.IPFamilyPolicy) && (was.IPFamilyPolicy == nil || prefers(was.IPFamilyPolicy)) &&
		now.Type == was.Type && slices.Equal(now.ClusterIPs, was.ClusterIPs) && slices.Equal(now.IPFamilies, was.IPFamilies)
}

func familyOf(ip netip.Addr) corev1.IPFamily {
	if ip.Is6() {
		return corev1.IPv6Protocol
	}
	return corev1.IPv4Protocol
}

func invalidServices(svc *corev1.Service, errs field.ErrorList) error {
	return apierrors.NewInvalid(schema.GroupKind{Kind: "Service"}, svc.Name, catalog.Told(errs))
}
