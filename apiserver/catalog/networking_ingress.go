package catalog

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"
)

// Source of the sentences: k8s.io/kubernetes/pkg/apis/networking/validation.

// ingressClassAnnotation named the class before the spec had a field for it.
const ingressClassAnnotation = "kubernetes.io/ingress.class"

func validateNewIngress(i *networkingv1.Ingress, root *field.Path) errorList {
	errs := validateIngress(i, nil, root)
	if class, ok := i.Annotations[ingressClassAnnotation]; ok && i.Spec.IngressClassName != nil && class != *i.Spec.IngressClassName {
		errs = append(errs, field.Invalid(child(child(root, "annotations"), ingressClassAnnotation), class, "must match `ingressClassName` when both are specified"))
	}
	return errs
}

func validateIngress(i, _ *networkingv1.Ingress, root *field.Path) errorList {
	s, path := &i.Spec, child(root, "spec")
	var errs errorList
	if len(s.Rules) == 0 && s.DefaultBackend == nil {
		errs = append(errs, field.Invalid(path, internalForm(s.Rules), "either `defaultBackend` or `rules` must be specified"))
	}
	if s.DefaultBackend != nil {
		errs = append(errs, validateBackend(s.DefaultBackend, child(path, "defaultBackend"))...)
	}
	for at := range s.Rules {
		errs = append(errs, validateIngressRule(&s.Rules[at], nth(child(path, "rules"), at))...)
	}
	for at, tls := range s.TLS {
		for n, host := range tls.Hosts {
			errs = append(errs, validateHost(host, nth(child(nth(child(path, "tls"), at), "hosts"), n))...)
		}
		if name := tls.SecretName; name != "" {
			errs = append(errs, invalidEach(child(nth(child(path, "tls"), at), "secretName"), name, apivalidation.NameIsDNSSubdomain(name, false))...)
		}
	}
	if name := s.IngressClassName; name != nil {
		errs = append(errs, invalidEach(child(path, "ingressClassName"), *name, apivalidation.NameIsDNSSubdomain(*name, false))...)
	}
	return errs
}

func validateHost(host string, path *field.Path) errorList {
	if strings.Contains(host, "*") {
		return invalidEach(path, host, isWildcardSubdomain(host))
	}
	return invalidEach(path, host, isDNSSubdomain(host))
}

func validateIngressRule(r *networkingv1.IngressRule, path *field.Path) errorList {
	var errs errorList
	if r.Host != "" {
		if netutils.ParseIPSloppy(r.Host) != nil {
			errs = append(errs, field.Invalid(child(path, "host"), r.Host, "must be a DNS name, not an IP address"))
		}
		errs = append(errs, validateHost(r.Host, child(path, "host"))...)
	}
	if r.HTTP == nil {
		return errs
	}
	at := child(path, "http", "paths")
	if len(r.HTTP.Paths) == 0 {
		errs = append(errs, field.Required(at, ""))
	}
	for i := range r.HTTP.Paths {
		errs = append(errs, validateIngressPath(&r.HTTP.Paths[i], nth(at, i))...)
	}
	return errs
}

func validateIngressPath(p *networkingv1.HTTPIngressPath, path *field.Path) errorList {
	if p.PathType == nil {
		return errorList{field.Required(child(path, "pathType"), "pathType must be specified")}
	}
	var errs errorList
	at := child(path, "path")
	absolute := strings.HasPrefix(p.Path, "/")
	switch *p.PathType {
	case networkingv1.PathTypeExact, networkingv1.PathTypePrefix:
		if !absolute {
			errs = append(errs, field.Invalid(at, p.Path, "must be an absolute path"))
		}
		for _, bad := range []string{"//", "/./", "/../", "%2f", "%2F"} {
			if strings.Contains(p.Path, bad) {
				errs = append(errs, field.Invalid(at, p.Path, fmt.Sprintf("must not contain '%s'", bad)))
			}
		}
		for _, bad := range []string{"/..", "/."} {
			if strings.HasSuffix(p.Path, bad) {
				errs = append(errs, field.Invalid(at, p.Path, fmt.Sprintf("cannot end with '%s'", bad)))
			}
		}
	case networkingv1.PathTypeImplementationSpecific:
		if p.Path != "" && !absolute {
			errs = append(errs, field.Invalid(at, p.Path, "must be an absolute path"))
		}
	default:
		errs = append(errs, field.NotSupported(child(path, "pathType"), *p.PathType,
			[]networkingv1.PathType{networkingv1.PathTypeExact, networkingv1.PathTypeImplementationSpecific, networkingv1.PathTypePrefix}))
	}
	return append(errs, validateBackend(&p.Backend, child(path, "backend"))...)
}

func validateBackend(b *networkingv1.IngressBackend, path *field.Path) errorList {
	switch {
	case b.Resource != nil && b.Service != nil:
		return errorList{field.Invalid(path, "", "cannot set both resource and service backends")}
	case b.Resource != nil:
		return validateLocalRef(b.Resource, child(path, "resource"))
	case b.Service == nil:
		return errorList{field.Invalid(path, "", "resource or service backend is required")}
	}
	var errs errorList
	if name := b.Service.Name; name == "" {
		errs = append(errs, field.Required(child(path, "service", "name"), ""))
	} else {
		errs = append(errs, invalidEach(child(path, "service", "name"), name, apivalidation.NameIsDNSLabel(name, false))...)
	}
	switch port := b.Service.Port; {
	case port.Name != "" && port.Number != 0:
		errs = append(errs, field.Invalid(path, "", "cannot set both port name & port number"))
	case port.Name != "":
		errs = append(errs, invalidEach(child(path, "service", "port", "name"), port.Name, isPortName(port.Name))...)
	case port.Number != 0:
		errs = append(errs, invalidEach(child(path, "service", "port", "number"), port.Number, validation.IsValidPortNum(int(port.Number)))...)
	default:
		errs = append(errs, field.Required(path, "port name or number is required"))
	}
	return errs
}

func validateLocalRef(r *corev1.TypedLocalObjectReference, path *field.Path) errorList {
	errs := validateOptionalGroup(r.APIGroup, child(path, "apiGroup"))
	errs = append(errs, pathSegment(child(path, "kind"), r.Kind)...)
	return append(errs, pathSegment(child(path, "name"), r.Name)...)
}

func validateOptionalGroup(group *string, path *field.Path) errorList {
	if group == nil {
		return nil
	}
	return invalidEach(path, *group, isDNSSubdomain(*group))
}

func validateIngressStatus(i, old *networkingv1.Ingress, root *field.Path) errorList {
	var known []string
	for _, point := range old.Status.LoadBalancer.Ingress {
		if point.IP != "" {
			known = append(known, point.IP)
		}
	}
	var errs errorList
	for at, point := range i.Status.LoadBalancer.Ingress {
		path := nth(child(root, "status", "loadBalancer", "ingress"), at)
		if point.IP != "" {
			errs = append(errs, validation.IsValidIPForLegacyField(child(path, "ip"), point.IP, true, known)...)
		}
		if host := point.Hostname; host != "" {
			errs = append(errs, invalidEach(child(path, "hostname"), host, isDNSSubdomain(host))...)
			if netutils.ParseIPSloppy(host) != nil {
				errs = append(errs, field.Invalid(child(path, "hostname"), host, "must be a DNS name, not an IP address"))
			}
		}
	}
	return errs
}

func ingressWarnings(i, old *networkingv1.Ingress, _ *field.Path) []string {
	if _, ok := i.Annotations[ingressClassAnnotation]; ok && old == nil && i.Spec.IngressClassName == nil {
		return []string{fmt.Sprintf("annotation %q is deprecated, please use 'spec.ingressClassName' instead", ingressClassAnnotation)}
	}
	return nil
}

func validateIngressClass(c *networkingv1.IngressClass, root *field.Path) errorList {
	const longest = 250
	path := child(root, "spec")
	var errs errorList
	if len(c.Spec.Controller) > longest {
		errs = append(errs, field.TooLong(child(path, "controller"), "", longest))
	}
	errs = append(errs, validation.IsDomainPrefixedPath(child(path, "controller"), c.Spec.Controller)...)
	if c.Spec.Parameters != nil {
		errs = append(errs, validateClassParameters(c.Spec.Parameters, child(path, "parameters"))...)
	}
	return errs
}

func validateClassParameters(p *networkingv1.IngressClassParametersReference, path *field.Path) errorList {
	errs := validateOptionalGroup(p.APIGroup, child(path, "apiGroup"))
	errs = append(errs, requiredSegment(child(path, "kind"), p.Kind)...)
	errs = append(errs, requiredSegment(child(path, "name"), p.Name)...)
	at := child(path, "namespace")
	scopes := []string{networkingv1.IngressClassParametersReferenceScopeCluster, networkingv1.IngressClassParametersReferenceScopeNamespace}
	switch scope := value(p.Scope); {
	case p.Scope == nil:
		errs = append(errs, field.Required(child(path, "scope"), ""))
	case !slices.Contains(scopes, scope):
		errs = append(errs, field.NotSupported(child(path, "scope"), scope, scopes))
	case scope == networkingv1.IngressClassParametersReferenceScopeCluster:
		if p.Namespace != nil {
			errs = append(errs, field.Forbidden(at, "`parameters.scope` is set to 'Cluster'"))
		}
	case p.Namespace == nil:
		errs = append(errs, field.Required(at, "`parameters.scope` is set to 'Namespace'"))
	default:
		errs = append(errs, invalidEach(at, *p.Namespace, apivalidation.ValidateNamespaceName(*p.Namespace, false))...)
	}
	return errs
}

// requiredSegment is pathSegment where the type itself declares that the field is required.
func requiredSegment(path *field.Path, text string) errorList {
	if text == "" {
		return required(path, true)
	}
	return pathSegment(path, text)
}

func validateIngressClassChange(c, old *networkingv1.IngressClass, root *field.Path) errorList {
	errs := unchanged(child(root, "spec", "controller"), c.Spec.Controller, old.Spec.Controller)
	return append(errs, validateIngressClass(c, root)...)
}
