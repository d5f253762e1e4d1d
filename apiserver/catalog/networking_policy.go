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
func validateNetworkPolicy(p, old *networkingv1.NetworkPolicy) errorList {
	path := field.NewPath("spec")
	known := knownCIDRs(old)
	errs := metav1validation.ValidateLabelSelector(&p.Spec.PodSelector, metav1validation.LabelSelectorValidationOptions{}, path.Child("podSelector"))
	for i, r := range p.Spec.Ingress {
		errs = append(errs, validatePolicyRule(r.Ports, r.From, known, path.Child("ingress").Index(i), "from")...)
	}
	for i, r := range p.Spec.Egress {
		errs = append(errs, validatePolicyRule(r.Ports, r.To, known, path.Child("egress").Index(i), "to")...)
	}
	types := []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	if len(p.Spec.PolicyTypes) > len(types) {
		return append(errs, field.Invalid(path.Child("policyTypes"), p.Spec.PolicyTypes, "may not specify more than two policyTypes"))
	}
	for i, t := range p.Spec.PolicyTypes {
		if !slices.Contains(types, t) {
			errs = append(errs, field.NotSupported(path.Child("policyTypes").Index(i), t, types))
		}
	}
	return errs
}

// knownCIDRs are those that the policy has already: they may stay, even if today's rules are stricter.
func knownCIDRs(p *networkingv1.NetworkPolicy) []string {
	var known []string
	eachIPBlock(p, func(b *networkingv1.IPBlock, _ *field.Path) { known = append(append(known, b.CIDR), b.Except...) })
	return known
}

func eachIPBlock(p *networkingv1.NetworkPolicy, f func(b *networkingv1.IPBlock, path *field.Path)) {
	if p == nil {
		return
	}
	each := func(peers []networkingv1.NetworkPolicyPeer, path *field.Path) {
		for i := range peers {
			if b := peers[i].IPBlock; b != nil {
				f(b, path.Index(i).Child("ipBlock"))
			}
		}
	}
	path := field.NewPath("spec")
	for i, r := range p.Spec.Ingress {
		each(r.From, path.Child("ingress").Index(i).Child("from"))
	}
	for i, r := range p.Spec.Egress {
		each(r.To, path.Child("egress").Index(i).Child("to"))
	}
}

func validatePolicyRule(ports []networkingv1.NetworkPolicyPort, peers []networkingv1.NetworkPolicyPeer, known []string, path *field.Path, peersName string) errorList {
	var errs errorList
	for i := range ports {
		errs = append(errs, validatePolicyPort(&ports[i], path.Child("ports").Index(i))...)
	}
	for i := range peers {
		errs = append(errs, validatePeer(&peers[i], known, path.Child(peersName).Index(i))...)
	}
	return errs
}

func validatePolicyPort(p *networkingv1.NetworkPolicyPort, path *field.Path) errorList {
	var errs errorList
	known := []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP}
	if p.Protocol != nil && !slices.Contains(known, *p.Protocol) {
		errs = append(errs, field.NotSupported(path.Child("protocol"), *p.Protocol, known))
	}
	atPort, atEnd := path.Child("port"), path.Child("endPort")
	switch {
	case p.Port == nil:
		if p.EndPort != nil {
			errs = append(errs, field.Invalid(atEnd, *p.EndPort, "may not be specified when `port` is not specified"))
		}
	case p.Port.Type == intstr.String:
		if p.EndPort != nil {
			errs = append(errs, field.Invalid(atEnd, *p.EndPort, "may not be specified when `port` is non-numeric"))
		}
		errs = append(errs, invalidEach(atPort, p.Port.StrVal, validation.IsValidPortName(p.Port.StrVal))...)
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
			errs = append(errs, metav1validation.ValidateLabelSelector(s.selector, metav1validation.LabelSelectorValidationOptions{}, path.Child(s.name))...)
		}
	}
	switch {
	case p.IPBlock == nil && selectors == 0:
		errs = append(errs, field.Required(path, "must specify a peer"))
	case p.IPBlock != nil:
		errs = append(errs, validateIPBlock(p.IPBlock, known, path.Child("ipBlock"))...)
		if selectors > 0 {
			errs = append(errs, field.Forbidden(path, "may not specify both ipBlock and another peer"))
		}
	}
	return errs
}

func validateIPBlock(b *networkingv1.IPBlock, known []string, path *field.Path) errorList {
	if b.CIDR == "" {
		return required(path.Child("cidr"), true)
	}
	errs := validateCIDR(path.Child("cidr"), b.CIDR, known)
	_, block, err := netutils.ParseCIDRSloppy(b.CIDR)
	if err != nil {
		return errs
	}
	for i, text := range b.Except {
		at := path.Child("except").Index(i)
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

func networkPolicyWarnings(p, _ *networkingv1.NetworkPolicy) []string {
	var texts []string
	eachIPBlock(p, func(b *networkingv1.IPBlock, path *field.Path) {
		texts = append(texts, validation.GetWarningsForCIDR(path.Child("cidr"), b.CIDR)...)
		for i, except := range b.Except {
			texts = append(texts, validation.GetWarningsForCIDR(path.Child("except").Index(i), except)...)
		}
	})
	return texts
}
