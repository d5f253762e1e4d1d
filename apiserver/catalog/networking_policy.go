package catalog

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"
)

// Source of the sentences: k8s.io/kubernetes/pkg/apis/networking/validation.

// validateNetworkPolicy checks a policy; old is nil at creation.
func validateNetworkPolicy(p, old *networkingv1.NetworkPolicy, root *field.Path) errorList {
	path := child(root, "spec")
	known := knownCIDRs(old)
	errs := metav1validation.ValidateLabelSelector(&p.Spec.PodSelector, metav1validation.LabelSelectorValidationOptions{}, child(path, "podSelector"))
	for i, r := range p.Spec.Ingress {
		errs = append(errs, validatePolicyRule(r.Ports, r.From, known, nth(child(path, "ingress"), i), "from")...)
	}
	for i, r := range p.Spec.Egress {
		errs = append(errs, validatePolicyRule(r.Ports, r.To, known, nth(child(path, "egress"), i), "to")...)
	}
	types := []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	if len(p.Spec.PolicyTypes) > len(types) {
		return append(errs, field.Invalid(child(path, "policyTypes"), p.Spec.PolicyTypes, "may not specify more than two policyTypes"))
	}
	for i, t := range p.Spec.PolicyTypes {
		if !slices.Contains(types, t) {
			errs = append(errs, field.NotSupported(nth(child(path, "policyTypes"), i), t, types))
		}
	}
	return errs
}

// knownCIDRs are those that the policy has already: they may stay, even if today's rules are stricter.
func knownCIDRs(p *networkingv1.NetworkPolicy) []string {
	var known []string
	eachIPBlock(p, func(b *networkingv1.IPBlock, _ *field.Path) { known = append(append(known, b.CIDR), b.Except...) }, nowhere)
	return known
}

func eachIPBlock(p *networkingv1.NetworkPolicy, f func(b *networkingv1.IPBlock, path *field.Path), root *field.Path) {
	if p == nil {
		return
	}
	each := func(peers []networkingv1.NetworkPolicyPeer, path *field.Path) {
		for i := range peers {
			if b := peers[i].IPBlock; b != nil {
				f(b, child(nth(path, i), "ipBlock"))
			}
		}
	}
	path := child(root, "spec")
	for i, r := range p.Spec.Ingress {
		each(r.From, child(nth(child(path, "ingress"), i), "from"))
	}
	for i, r := range p.Spec.Egress {
		each(r.To, child(nth(child(path, "egress"), i), "to"))
	}
}

func validatePolicyRule(ports []networkingv1.NetworkPolicyPort, peers []networkingv1.NetworkPolicyPeer, known []string, path *field.Path, peersName string) errorList {
	var errs errorList
	for i := range ports {
		errs = append(errs, validatePolicyPort(&ports[i], nth(child(path, "ports"), i))...)
	}
	for i := range peers {
		errs = append(errs, validatePeer(&peers[i], known, nth(child(path, peersName), i))...)
	}
	return errs
}

func validatePolicyPort(p *networkingv1.NetworkPolicyPort, path *field.Path) errorList {
	var errs errorList
	known := []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP}
	if p.Protocol != nil && !slices.Contains(known, *p.Protocol) {
		errs = append(errs, field.NotSupported(child(path, "protocol"), *p.Protocol, known))
	}
	atPort, atEnd := child(path, "port"), child(path, "endPort")
	switch {
	case p.Port == nil:
		if p.EndPort != nil {
			errs = append(errs, field.Invalid(atEnd, *p.EndPort, "may not be specified when `port` is not specified"))
		}
	case p.Port.Type == intstr.String:
		if p.EndPort != nil {
			errs = append(errs, field.Invalid(atEnd, *p.EndPort, "may not be specified when `port` is non-numeric"))
		}
		errs = append(errs, invalidEach(atPort, p.Port.StrVal, isPortName(p.Port.StrVal))...)
	default:
		errs = append(errs, invalidEach(atPort, p.Port.IntVal, validation.IsValidPortNum(int(p.Port.IntVal)))...)
		if p.EndPort != nil {
			if *p.EndPort < p.Port.IntVal {
				errs = append(errs, field.Invalid(atEnd, *p.EndPort, "must be greater than or equal to `port`"))
			}
			errs = append(errs, invalidEach(atEnd, *p.EndPort, validation.IsValidPortNum(int(*p.EndPort)))...)
		}
	}
	return errs
}

func validatePeer(p *networkingv1.NetworkPolicyPeer, known []string, path *field.Path) errorList {
	var errs errorList
	selectors := 0
	for _, s := range []struct {
		name     string
		selector *metav1.LabelSelector
	}{{"podSelector", p.PodSelector}, {"namespaceSelector", p.NamespaceSelector}} {
		if s.selector != nil {
			selectors++
			errs = append(errs, metav1validation.ValidateLabelSelector(s.selector, metav1validation.LabelSelectorValidationOptions{}, child(path, s.name))...)
		}
	}
	switch {
	case p.IPBlock == nil && selectors == 0:
		errs = append(errs, field.Required(path, "must specify a peer"))
	case p.IPBlock != nil:
		errs = append(errs, validateIPBlock(p.IPBlock, known, child(path, "ipBlock"))...)
		if selectors > 0 {
			errs = append(errs, field.Forbidden(path, "may not specify both ipBlock and another peer"))
		}
	}
	return errs
}

func validateIPBlock(b *networkingv1.IPBlock, known []string, path *field.Path) errorList {
	if b.CIDR == "" {
		return required(child(path, "cidr"), true)
	}
	errs := validateCIDR(child(path, "cidr"), b.CIDR, known)
	_, block, err := netutils.ParseCIDRSloppy(b.CIDR)
	if err != nil {
		return errs
	}
	for i, text := range b.Except {
		at := nth(child(path, "except"), i)
		errs = append(errs, validateCIDR(at, text, known)...)
		_, except, err := netutils.ParseCIDRSloppy(text)
		if err != nil {
			continue
		}
		wide, _ := block.Mask.Size()
		narrow, _ := except.Mask.Size()
		if !block.Contains(except.IP) || wide >= narrow {
			errs = append(errs, field.Invalid(at, text, "must be a strict subset of `cidr`"))
		}
	}
	return errs
}

func validateCIDR(path *field.Path, text string, known []string) errorList {
	return validation.IsValidCIDRForLegacyField(path, text, true, known)
}

func networkPolicyWarnings(p, _ *networkingv1.NetworkPolicy, root *field.Path) []string {
	var texts []string
	eachIPBlock(p, func(b *networkingv1.IPBlock, path *field.Path) {
		texts = append(texts, validation.GetWarningsForCIDR(child(path, "cidr"), b.CIDR)...)
		for i, except := range b.Except {
			texts = append(texts, validation.GetWarningsForCIDR(nth(child(path, "except"), i), except)...)
		}
	}, root)
	return texts
}
