package catalog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	netutils "k8s.io/utils/net"
)

func discoveryKinds() []*Kind {
	gv := discoveryv1.SchemeGroupVersion
	doc := discoveryv1.EndpointSlice{}.SwaggerDoc()
	return []*Kind{
		row[discoveryv1.EndpointSlice, discoveryv1.EndpointSliceList](gv, Kind{
			Resource:   "endpointslices",
			Namespaced: true,
			Strategy: Strategy{
				Default: on(defaultEndpointSlice),
				// The field is for reading what older versions wrote.
				PrepareForCreate: on(func(s *discoveryv1.EndpointSlice) { dropTopology(s) }),
				PrepareForUpdate: onChange(func(s, old *discoveryv1.EndpointSlice) {
					if !equality.Semantic.DeepEqual(s.Endpoints, old.Endpoints) {
						dropTopology(s)
					}
				}),
				Validate: check(func(s *discoveryv1.EndpointSlice, root *field.Path) errorList {
					return validateEndpointSlice(s, nil, root)
				}),
				Revalidate:   checkChange(validateEndpointSlice),
				Warnings:     warnings(endpointSliceWarnings),
				Generation:   true,
				CountsLabels: true,
			},
			Table: table(func(s *discoveryv1.EndpointSlice, now time.Time) []any {
				return []any{s.Name, string(s.AddressType), slicePorts(s), sliceAddresses(s), Age(s.CreationTimestamp, now)}
			},
				nameColumn(),
				column("AddressType", "string", doc["addressType"]),
				column("Ports", "string", doc["ports"]),
				column("Endpoints", "string", doc["endpoints"]),
				ageColumn(),
			),
		}),
	}
}

func defaultEndpointSlice(s *discoveryv1.EndpointSlice) {
	for i := range s.Ports {
		setDefault(&s.Ports[i].Name, "")
		setDefault(&s.Ports[i].Protocol, corev1.ProtocolTCP)
	}
}

func dropTopology(s *discoveryv1.EndpointSlice) {
	for i := range s.Endpoints {
		s.Endpoints[i].DeprecatedTopology = nil
	}
}

func slicePorts(s *discoveryv1.EndpointSlice) string {
	var all []string
	for _, p := range s.Ports {
		switch {
		case p.Port != nil:
			all = append(all, strconv.Itoa(int(*p.Port)))
		default:
			all = append(all, orElse(p.Name, "*"))
		}
	}
	return firstThree(all)
}

func sliceAddresses(s *discoveryv1.EndpointSlice) string {
	var all []string
	for _, e := range s.Endpoints {
		all = append(all, e.Addresses...)
	}
	return firstThree(all)
}

func firstThree(all []string) string {
	const most = 3
	if more := len(all) - most; more > 0 {
		return fmt.Sprintf("%s + %d more...", strings.Join(all[:most], ","), more)
	}
	if text := strings.Join(all, ","); text != "" {
		return text
	}
	return "<unset>"
}

// validateEndpointSlice checks a slice; old is nil at creation.
// Source of the sentences and limits: k8s.io/kubernetes/pkg/apis/discovery/validation.
func validateEndpointSlice(s, old *discoveryv1.EndpointSlice, root *field.Path) errorList {
	const most = 1000
	path := child(root, "addressType")
	var errs errorList
	known := []discoveryv1.AddressType{discoveryv1.AddressTypeFQDN, discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6}
	switch {
	case old != nil && s.AddressType != old.AddressType:
		if s.AddressType == "" {
			errs = append(errs, required(path, true)...)
		} else if !slices.Contains(known, s.AddressType) {
			errs = append(errs, field.NotSupported(path, s.AddressType, known))
		}
		errs = append(errs, declaredUnchanged(path, s.AddressType, old.AddressType)...)
	case s.AddressType == "":
		errs = append(errs, required(path, true)...)
	case !slices.Contains(known, s.AddressType):
		errs = append(errs, declared(field.NotSupported(path, s.AddressType, known))...)
	}
	errs = append(errs, validateSlicePorts(s.Ports, child(root, "ports"))...)
	if old != nil && equality.Semantic.DeepEqual(s.Endpoints, old.Endpoints) {
		return errs
	}
	at := child(root, "endpoints")
	if len(s.Endpoints) > most {
		return append(errs, field.TooMany(at, len(s.Endpoints), most))
	}
	for i := range s.Endpoints {
		errs = append(errs, validateEndpoint(&s.Endpoints[i], s.AddressType, nth(at, i))...)
	}
	return errs
}

func validateSlicePorts(ports []discoveryv1.EndpointPort, path *field.Path) errorList {
	const most = 20000
	if len(ports) > most {
		return errorList{field.TooMany(path, len(ports), most)}
	}
	protocols := []corev1.Protocol{corev1.ProtocolSCTP, corev1.ProtocolTCP, corev1.ProtocolUDP}
	var errs errorList
	seen := map[string]bool{}
	for i, p := range ports {
		at, name := nth(path, i), value(p.Name)
		if name != "" {
			errs = append(errs, invalidEach(child(at, "name"), name, isDNSLabel(name))...)
		}
		if seen[name] {
			errs = append(errs, field.Duplicate(child(at, "name"), name))
		}
		seen[name] = true
		if protocol := value(p.Protocol); !slices.Contains(protocols, protocol) {
			errs = append(errs, field.NotSupported(child(at, "protocol"), protocol, protocols))
		}
		if p.AppProtocol != nil {
			errs = append(errs, invalidEach(child(at, "appProtocol"), *p.AppProtocol, isQualifiedName(*p.AppProtocol))...)
		}
	}
	return errs
}

func validateEndpoint(e *discoveryv1.Endpoint, typ discoveryv1.AddressType, path *field.Path) errorList {
	const most = 100
	at := child(path, "addresses")
	errs := required(at, len(e.Addresses) == 0)
	if n := len(e.Addresses); n > most {
		errs = append(errs, declared(field.TooMany(at, n, most))...)
	}
	for i, address := range e.Addresses {
		errs = append(errs, validateEndpointAddress(address, typ, at, nth(at, i))...)
	}
	if e.NodeName != nil {
		errs = append(errs, invalidEach(child(path, "nodeName"), *e.NodeName, apivalidation.NameIsDNSSubdomain(*e.NodeName, false))...)
	}
	if e.Hostname != nil {
		errs = append(errs, invalidEach(child(path, "hostname"), *e.Hostname, isDNSLabel(*e.Hostname))...)
	}
	if e.Hints != nil {
		errs = append(errs, validateHints(e.Hints, child(path, "hints"))...)
	}
	return errs
}

func validateEndpointAddress(address string, typ discoveryv1.AddressType, list, path *field.Path) errorList {
	var errs errorList
	switch typ {
	case discoveryv1.AddressTypeFQDN:
		return validation.IsFullyQualifiedDomainName(path, address)
	case discoveryv1.AddressTypeIPv4:
		if errs = validation.IsValidIPForLegacyField(path, address, true, nil); len(errs) > 0 {
			return errs
		}
		if !netutils.IsIPv4String(address) {
			errs = append(errs, field.Invalid(list, address, "must be an IPv4 address"))
		}
	case discoveryv1.AddressTypeIPv6:
		if errs = validation.IsValidIP(path, address); len(errs) > 0 {
			return errs
		}
		if !netutils.IsIPv6String(address) {
			errs = append(errs, field.Invalid(list, address, "must be an IPv6 address"))
		}
	default:
		return nil
	}
	return append(errs, validateEndpointIP(address, path)...)
}

// validateEndpointIP refuses addresses that would lead back to whoever sends there.
func validateEndpointIP(address string, path *field.Path) errorList {
	ip := netutils.ParseIPSloppy(address)
	if ip == nil {
		return errorList{field.Invalid(path, address, "must be a valid IP address")}
	}
	var errs errorList
	if ip.IsUnspecified() {
		errs = append(errs, field.Invalid(path, address, fmt.Sprintf("may not be unspecified (%v)", address)))
	}
	if ip.IsLoopback() {
		errs = append(errs, field.Invalid(path, address, "may not be in the loopback range (127.0.0.0/8, ::1/128)"))
	}
	if ip.IsLinkLocalUnicast() {
		errs = append(errs, field.Invalid(path, address, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"))
	}
	if ip.IsLinkLocalMulticast() {
		errs = append(errs, field.Invalid(path, address, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"))
	}
	return errs
}

func validateHints(h *discoveryv1.EndpointHints, path *field.Path) errorList {
	const most = 8
	var errs errorList
	if n := len(h.ForZones); n > most {
		return errorList{field.TooMany(child(path, "forZones"), n, most)}
	}
	for i, z := range h.ForZones {
		at := child(nth(child(path, "forZones"), i), "name")
		if slices.Contains(h.ForZones[:i], z) {
			errs = append(errs, field.Duplicate(at, z.Name))
		}
		errs = append(errs, invalidEach(at, z.Name, isLabelValue(z.Name))...)
	}
	if n := len(h.ForNodes); n > most {
		return append(errs, field.TooMany(child(path, "forNodes"), n, most))
	}
	for i, n := range h.ForNodes {
		at := child(nth(child(path, "forNodes"), i), "name")
		if slices.Contains(h.ForNodes[:i], n) {
			errs = append(errs, field.Duplicate(at, n.Name))
		}
		errs = append(errs, invalidEach(at, n.Name, apivalidation.NameIsDNSSubdomain(n.Name, false))...)
	}
	return errs
}

func endpointSliceWarnings(s, old *discoveryv1.EndpointSlice, root *field.Path) []string {
	var texts []string
	if old == nil && s.AddressType == discoveryv1.AddressTypeFQDN {
		texts = append(texts, "spec.addressType: FQDN endpoints are deprecated")
	}
	switch s.Labels[discoveryv1.LabelManagedBy] {
	case "endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io":
		return texts
	}
	for i, e := range s.Endpoints {
		for n, address := range e.Addresses {
			texts = append(texts, validation.GetWarningsForIP(nth(child(nth(child(root, "endpoints"), i), "addresses"), n), address)...)
		}
	}
	return texts
}
