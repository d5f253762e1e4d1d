package catalog

import (
	"slices"
	"strings"
	"unicode"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Names, labels and their like are checked with regular expressions upstream, which takes longer than all else that is checked of
// a pod. What is certainly right is let through without them here; about the rest upstream is asked, for nearly all that is wrong.

// plain tells that a text is lowercase letters and digits, with at most one of the joints between any two, and no longer than so many bytes.
func plain(s, joints string, longest int) bool {
	joined := true
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
			joined = false
		case !joined && strings.IndexByte(joints, c) >= 0:
			joined = true
		default:
			return false
		}
	}
	return !joined && len(s) <= longest
}

func plainLabel(s string) bool     { return plain(s, "-", validation.DNS1123LabelMaxLength) }
func plainSubdomain(s string) bool { return plain(s, "-.", validation.DNS1123SubdomainMaxLength) }

// plainKey tells that a text is good for the key of a label or an annotation, the name of a resource, and the like.
func plainKey(s string) bool {
	slash := strings.LastIndexByte(s, '/')
	return plain(s[slash+1:], "-_.", validation.LabelValueMaxLength) && (slash < 0 || plainSubdomain(s[:slash]))
}

func plainValue(s string) bool { return s == "" || plain(s, "-_.", validation.LabelValueMaxLength) }

func plainLabels(labels map[string]string) bool {
	for k, v := range labels {
		if !plainKey(k) || !plainValue(v) {
			return false
		}
	}
	return true
}

func plainAnnotations(annotations map[string]string) bool {
	size := 0
	for k, v := range annotations {
		if size += len(k) + len(v); !plainKey(k) || size > apivalidation.TotalAnnotationSizeLimitB {
			return false
		}
	}
	return true
}

// What follows answers as upstream does.

func isDNSLabel(s string) []string {
	if plainLabel(s) {
		return nil
	}
	return validation.IsDNS1123Label(s)
}

func isDNSSubdomain(s string) []string {
	if plainSubdomain(s) {
		return nil
	}
	return validation.IsDNS1123Subdomain(s)
}

// wildcardFault is what upstream says of a wildcard that is wrong. Its function compiles its expression each time that it is called.
var wildcardFault = validation.IsWildcardDNS1123Subdomain("*")[0]

func isWildcardSubdomain(s string) (faults []string) {
	tooLong := validation.MaxLenError(validation.DNS1123SubdomainMaxLength)
	if len(s) > validation.DNS1123SubdomainMaxLength {
		faults = append(faults, tooLong)
	}
	domain, ok := strings.CutPrefix(s, "*.")
	if !ok || slices.ContainsFunc(isDNSSubdomain(domain), func(fault string) bool { return fault != tooLong }) {
		faults = append(faults, wildcardFault)
	}
	return faults
}

func isQualifiedName(s string) []string {
	if plainKey(s) {
		return nil
	}
	return validation.IsQualifiedName(s)
}

func isLabelValue(s string) []string {
	if plainValue(s) {
		return nil
	}
	return validation.IsValidLabelValue(s)
}

func isPortName(s string) []string {
	const longest = 15
	if plain(s, "-", longest) && s[0] >= 'a' {
		return nil
	}
	return validation.IsValidPortName(s)
}

func validateLabelName(key string, at *field.Path) errorList {
	if plainKey(key) {
		return nil
	}
	return metav1validation.ValidateLabelName(key, at)
}

func validateLabels(labels map[string]string, at *field.Path) errorList {
	if plainLabels(labels) {
		return nil
	}
	return metav1validation.ValidateLabels(labels, at)
}

func validateAnnotations(annotations map[string]string, at *field.Path) errorList {
	if plainAnnotations(annotations) {
		return nil
	}
	return apivalidation.ValidateAnnotations(annotations, at)
}

// ValidateMetadata checks metadata by the rules for all objects, as k8s.io/apimachinery does at creation, and by those for finalizers.
func (k *Kind) ValidateMetadata(m metav1.Object) field.ErrorList {
	if k.plainMetadata(m) {
		return nil
	}
	rule := k.Strategy.ValidateName
	if rule == nil {
		rule = apivalidation.NameIsDNSSubdomain
	}
	errs := apivalidation.ValidateObjectMetaAccessor(m, k.Namespaced, rule, field.NewPath("metadata"))
	return append(errs, k.validateFinalizers(m)...)
}

// plainMetadata tells that metadata is certainly right: that of an object that a person makes, of a kind whose names are not special.
func (k *Kind) plainMetadata(m metav1.Object) bool {
	if k.Strategy.ValidateName != nil || m.GetGenerateName() != "" || !plainSubdomain(m.GetName()) || m.GetGeneration() < 0 ||
		len(m.GetOwnerReferences()) > 0 || len(m.GetFinalizers()) > 0 {
		return false
	}
	if k.Namespaced && !plainLabel(m.GetNamespace()) || !k.Namespaced && m.GetNamespace() != "" {
		return false
	}
	return plainLabels(m.GetLabels()) && plainAnnotations(m.GetAnnotations()) && !slices.ContainsFunc(m.GetManagedFields(), questionable)
}

// questionable: on creation, the server has noted one entry about who owns what.
func questionable(e metav1.ManagedFieldsEntry) bool {
	return e.Operation != metav1.ManagedFieldsOperationUpdate && e.Operation != metav1.ManagedFieldsOperationApply ||
		e.FieldsType != "FieldsV1" || e.Subresource != "" || len(e.Manager) > metav1validation.FieldManagerMaxLength ||
		strings.ContainsFunc(e.Manager, func(r rune) bool { return !unicode.IsPrint(r) })
}
