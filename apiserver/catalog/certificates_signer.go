package catalog

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"strings"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validateSignerName checks for a domain and a path: example.com/signer. The path may be a resource's name, with
// its namespace.
// Source of the sentences: k8s.io/kubernetes/pkg/apis/core/validation/names.go.
func validateSignerName(name string, path *field.Path) errorList {
	const (
		longestDomain = validation.DNS1123SubdomainMaxLength
		longest       = longestDomain + 1 + validation.DNS1123LabelMaxLength + 1 + validation.DNS1123SubdomainMaxLength
	)
	if name == "" {
		return errorList{field.Required(path, "")}
	}
	parts := strings.Split(name, "/")
	if len(parts) != 2 {
		return errorList{field.Invalid(path, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")}
	}
	var errs errorList
	if len(parts[0]) > longestDomain {
		errs = append(errs, field.TooLong(path, "", longestDomain))
	}
	errs = append(errs, validateDotted(path, parts[0], isDNSLabel)...)
	if !strings.Contains(parts[0], ".") {
		errs = append(errs, field.Invalid(path, parts[0], "should be a domain with at least two segments separated by dots"))
	}
	errs = append(errs, validateDotted(path, parts[1], isDNSSubdomain)...)
	if len(name) > longest {
		errs = append(errs, field.TooLong(path, "", longest))
	}
	return errs
}

// validateDotted reports the first bad one of the labels.
func validateDotted(path *field.Path, text string, check func(string) []string) errorList {
	var errs errorList
	for label := range strings.SplitSeq(text, ".") {
		for _, complaint := range check(label) {
			errs = append(errs, field.Invalid(path, text, fmt.Sprintf("validating label %q: %s", label, complaint)))
		}
		if len(errs) > 0 {
			break
		}
	}
	return errs
}

// validateTrustBundle checks a bundle; old is nil at creation.
// Source of the sentences: k8s.io/kubernetes/pkg/apis/certificates/validation.
func validateTrustBundle(b, old *trustBundle, root *field.Path) errorList {
	spec := child(root, "spec")
	errs := invalidEach(child(root, "metadata", "name"), b.Name, trustBundleName(b.Spec.SignerName, b.Name))
	if b.Spec.SignerName != "" {
		errs = append(errs, validateSignerName(b.Spec.SignerName, child(spec, "signerName"))...)
	}
	if old == nil || b.Spec.TrustBundle != old.Spec.TrustBundle {
		errs = append(errs, validateAnchors(b.Spec.TrustBundle, child(spec, "trustBundle"))...)
	}
	if old != nil {
		errs = append(errs, unchanged(child(spec, "signerName"), b.Spec.SignerName, old.Spec.SignerName)...)
	}
	return errs
}

// trustBundleName: only who may manage a signer's bundles shall be able to take their names.
func trustBundleName(signer, name string) []string {
	if signer == "" {
		if strings.Contains(name, ":") {
			return []string{`ClusterTrustBundle without signer name must not have ":" in its name`}
		}
		return apivalidation.NameIsDNSSubdomain(name, false)
	}
	prefix := strings.ReplaceAll(signer, "/", ":") + ":"
	rest, ok := strings.CutPrefix(name, prefix)
	if !ok {
		return []string{fmt.Sprintf("ClusterTrustBundle for signerName %s must be named with prefix %s", signer, prefix)}
	}
	return apivalidation.NameIsDNSSubdomain(rest, false)
}

// validateAnchors checks that a bundle holds certificates of authorities, each once, and nothing else.
func validateAnchors(bundle string, path *field.Path) errorList {
	const longest = 1 << 20
	if len(bundle) > longest {
		return errorList{field.TooLong(path, "", longest)}
	}
	var errs errorList
	var order []string
	indices := map[string][]int{}
	rest := []byte(bundle)
	for i := 0; ; i++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if complaint := badAnchor(block); complaint != "" {
			errs = append(errs, field.Invalid(path, "<value omitted>", fmt.Sprintf("entry %d %s", i, complaint)))
			continue
		}
		if indices[string(block.Bytes)] == nil {
			order = append(order, string(block.Bytes))
		}
		indices[string(block.Bytes)] = append(indices[string(block.Bytes)], i)
	}
	if len(errs) > 0 {
		return errs
	}
	if len(order) == 0 {
		errs = append(errs, field.Invalid(path, "<value omitted>", "at least one trust anchor must be provided"))
	}
	for _, anchor := range order {
		if at := indices[anchor]; len(at) > 1 {
			errs = append(errs, field.Invalid(path, "<value omitted>", fmt.Sprintf("duplicate trust anchor (indices %v)", at)))
		}
	}
	return errs
}

func badAnchor(block *pem.Block) string {
	if block.Type != "CERTIFICATE" {
		return "has bad block type: " + block.Type
	}
	if len(block.Headers) != 0 {
		return "has PEM block headers"
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	switch {
	case err != nil:
		return "does not parse as X.509"
	case !certificate.IsCA:
		return "does not have the CA bit set"
	case !certificate.BasicConstraintsValid:
		return "has invalid basic constraints"
	}
	return ""
}
