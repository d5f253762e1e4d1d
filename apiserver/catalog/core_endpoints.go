package catalog

import (
	"fmt"
	"net"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"
)

func endpointsKind() *Kind {
	return row[corev1.Endpoints, corev1.EndpointsList](corev1.SchemeGroupVersion, Kind{
		Resource:   "endpoints",
		Singular:   "endpoints",
		ShortNames: []string{"ep"},
		Namespaced: true,
		Strategy: Strategy{
			Default:             on(defaultEndpoints),
			Validate:            check(validateEndpoints),
			Warnings:            warnings(endpointsWarnings),
			AllowCreateOnUpdate: true,
		},
		Table: table(func(e *corev1.Endpoints, now time.Time) []any {
			return []any{e.Name, endpointsCell(e), Age(e.CreationTimestamp, now)}
		},
			nameColumn(),
			column("Endpoints", "string", corev1.Endpoints{}.SwaggerDoc()["subsets"]),
			ageColumn(),
		),
	})
}

func defaultEndpoints(e *corev1.Endpoints) {
	for i := range e.Subsets {
		for j := range e.Subsets[i].Ports {
			setDefaultValue(&e.Subsets[i].Ports[j].Protocol, corev1.ProtocolTCP)
		}
	}
}

func validateEndpoints(e *corev1.Endpoints, root *field.Path) errorList {
	var errs errorList
	for i, s := range e.Subsets {
		at := nth(child(root, "subsets"), i)
		if len(s.Addresses) == 0 && len(s.NotReadyAddresses) == 0 {
			errs = append(errs, field.Required(at, "must specify `addresses` or `notReadyAddresses`"))
		}
		for j := range s.Addresses {
			errs = append(errs, validateSubsetAddress(&s.Addresses[j], nth(child(at, "addresses"), j))...)
		}
		for j := range s.NotReadyAddresses {
			errs = append(errs, validateSubsetAddress(&s.NotReadyAddresses[j], nth(child(at, "notReadyAddresses"), j))...)
		}
		for j, p := range s.Ports {
			port := nth(child(at, "ports"), j)
			if len(s.Ports) > 1 || p.Name != "" {
				errs = append(errs, neededLabel(child(port, "name"), p.Name)...)
			}
			errs = append(errs, portNumber(child(port, "port"), p.Port)...)
			errs = append(errs, validateProtocol(p.Protocol, child(port, "protocol"))...)
			if p.AppProtocol != nil {
				errs = append(errs, qualifiedName(child(port, "appProtocol"), *p.AppProtocol)...)
			}
		}
	}
	return errs
}

func validateSubsetAddress(a *corev1.EndpointAddress, at *field.Path) errorList {
	errs := anIP(child(at, "ip"), a.IP)
	if a.Hostname != "" {
		errs = append(errs, dnsLabel(child(at, "hostname"), a.Hostname)...)
	}
	if a.NodeName != nil {
		errs = append(errs, objectName(child(at, "nodeName"), *a.NodeName, apivalidation.NameIsDNSSubdomain)...)
	}
	return append(errs, reachable(child(at, "ip"), a.IP)...)
}

// reachable: traffic can be sent neither to a node's own addresses, nor to those of the cloud's metadata service.
func reachable(at *field.Path, text string) errorList {
	ip := netutils.ParseIPSloppy(text)
	if ip == nil {
		return errorList{field.Invalid(at, text, "must be a valid IP address")}
	}
	var errs errorList
	if ip.IsUnspecified() {
		errs = append(errs, field.Invalid(at, text, fmt.Sprintf("may not be unspecified (%v)", text)))
	}
	if ip.IsLoopback() {
		errs = append(errs, field.Invalid(at, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)"))
	}
	if ip.IsLinkLocalUnicast() {
		errs = append(errs, field.Invalid(at, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"))
	}
	if ip.IsLinkLocalMulticast() {
		errs = append(errs, field.Invalid(at, text, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"))
	}
	return errs
}

func endpointsWarnings(e, _ *corev1.Endpoints, root *field.Path) []string {
	if e.Labels["endpoints.kubernetes.io/managed-by"] == "endpoint-controller" {
		return nil
	}
	var out []string
	for i, s := range e.Subsets {
		at := nth(child(root, "subsets"), i)
		for j, a := range s.Addresses {
			out = append(out, validation.GetWarningsForIP(child(nth(child(at, "addresses"), j), "ip"), a.IP)...)
		}
		for j, a := range s.NotReadyAddresses {
			out = append(out, validation.GetWarningsForIP(child(nth(child(at, "notReadyAddresses"), j), "ip"), a.IP)...)
		}
	}
	return out
}

func endpointsCell(e *corev1.Endpoints) string {
	const shown = 3
	if len(e.Subsets) == 0 {
		return "<none>"
	}
	var all []string
	for _, s := range e.Subsets {
		if len(s.Ports) == 0 {
			for _, a := range s.Addresses {
				all = append(all, a.IP)
			}
		}
		for _, p := range s.Ports {
			for _, a := range s.Addresses {
				all = append(all, net.JoinHostPort(a.IP, decimal(p.Port)))
			}
		}
	}
	if len(all) > shown {
		return fmt.Sprintf("%s + %d more...", strings.Join(all[:shown], ","), len(all)-shown)
	}
	return strings.Join(all, ",")
}
