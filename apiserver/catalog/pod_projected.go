package catalog

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// projection collects what is wrong with a projected volume, and the files that it will hold.
type projection struct {
	path  *field.Path // of the volume
	taken map[string]bool
	errs  errorList
}

func validateProjected(v *corev1.ProjectedVolumeSource, at *field.Path) errorList {
	p := &projection{path: at, taken: map[string]bool{}, errs: fileMode(child(at, "defaultMode"), v.DefaultMode)}
	for i := range v.Sources {
		s, from := &v.Sources[i], nth(child(at, "sources"), i)
		kinds := 0
		if s.Secret != nil {
			kinds++
			p.items(s.Secret.Name, s.Secret.Items, child(from, "secret"))
		}
		if s.ConfigMap != nil {
			kinds++
			p.items(s.ConfigMap.Name, s.ConfigMap.Items, child(from, "configMap"))
		}
		if s.DownwardAPI != nil {
			kinds++
			for j := range s.DownwardAPI.Items {
				f := &s.DownwardAPI.Items[j]
				p.add(validateDownwardFile(f, child(from, "downwardAPI")))
				if f.Path != "" {
					p.take(f.Path, f.Path)
				}
			}
		}
		if s.ServiceAccountToken != nil {
			kinds++
			p.token(s.ServiceAccountToken, child(from, "serviceAccountToken"))
		}
		if s.ClusterTrustBundle != nil {
			kinds++
			p.bundle(s.ClusterTrustBundle, child(from, "clusterTrustBundle"))
		}
		if s.PodCertificate != nil {
			kinds++
			p.certificate(s.PodCertificate, child(from, "podCertificate"))
		}
		if kinds > 1 {
			p.add(errorList{field.Forbidden(from, "may not specify more than 1 volume type per source")})
		}
	}
	return p.errs
}

func (p *projection) add(errs errorList) { p.errs = append(p.errs, errs...) }

// take notes a file's path; shown is the value that an error names when it is taken already.
func (p *projection) take(file, shown string) {
	if p.taken[file] {
		p.add(errorList{field.Invalid(p.path, shown, "conflicting duplicate paths")})
	}
	p.taken[file] = true
}

func (p *projection) items(name string, items []corev1.KeyToPath, at *field.Path) {
	p.add(needed(child(at, "name"), name))
	for i := range items {
		p.add(validateItem(&items[i], nth(child(at, "items"), i)))
		if items[i].Path != "" {
			p.take(items[i].Path, name)
		}
	}
}

// token: a token that lives for less than ten minutes could not be renewed in time.
func (p *projection) token(t *corev1.ServiceAccountTokenProjection, at *field.Path) {
	expiration := child(at, "expirationSeconds")
	switch s := t.ExpirationSeconds; {
	case s == nil:
		p.add(errorList{field.Required(expiration, "")})
	case *s < 10*60:
		p.add(errorList{field.Invalid(expiration, *s, "may not specify a duration less than 10 minutes")})
	case *s > 1<<32:
		p.add(errorList{field.Invalid(expiration, *s, "may not specify a duration larger than 2^32 seconds")})
	}
	// Kubernetes reports the path at the volume, not at the source.
	if t.Path == "" {
		p.add(errorList{field.Required(child(p.path, "path"), "")})
	} else {
		p.add(ownPath(child(p.path, "path"), t.Path))
	}
}

func (p *projection) bundle(b *corev1.ClusterTrustBundleProjection, at *field.Path) {
	switch {
	case b.Name != nil && b.SignerName != nil:
		p.add(errorList{field.Invalid(at, internalForm(b), "only one of name and signerName may be used")})
	case b.Name != nil:
		if *b.Name == "" {
			p.add(errorList{field.Required(child(at, "name"), "must be a valid object name")})
		}
		signer := ""
		if i := strings.LastIndexByte(*b.Name, ':'); i >= 0 {
			signer = strings.ReplaceAll((*b.Name)[:i], ":", "/")
		}
		for _, text := range trustBundleName(signer, *b.Name) {
			p.add(errorList{field.Invalid(child(at, "name"), *b.Name, "not a valid clustertrustbundlename: "+text)})
		}
		if b.LabelSelector != nil {
			p.add(errorList{field.Invalid(child(at, "labelSelector"), b.LabelSelector, "labelSelector must be unset if name is specified")})
		}
	case b.SignerName != nil:
		if *b.SignerName == "" {
			p.add(errorList{field.Required(child(at, "signerName"), "must be a valid signer name")})
		}
		p.add(validateSignerName(*b.SignerName, child(at, "signerName")))
		p.add(metav1validation.ValidateLabelSelector(b.LabelSelector, metav1validation.LabelSelectorValidationOptions{}, child(at, "labelSelector")))
	default:
		p.add(errorList{field.Required(at, "either name or signerName must be specified")})
	}
	p.add(needed(child(at, "path"), b.Path))
	p.add(ownPath(child(at, "path"), b.Path))
	p.take(b.Path, b.Path)
}

func (p *projection) certificate(c *corev1.PodCertificateProjection, at *field.Path) {
	p.add(validateSignerName(c.SignerName, child(at, "signerName")))
	if c.UserAnnotations != nil {
		p.add(validateUserAnnotations(c.UserAnnotations, child(at, "userAnnotations")))
	}
	p.add(oneOf(child(at, "keyType"), c.KeyType, "RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"))
	if s := c.MaxExpirationSeconds; s != nil {
		longest := int32(91 * 24 * 60 * 60)
		if ofKubernetes(c.SignerName) {
			longest = 24 * 60 * 60
		}
		if *s < 60*60 {
			p.add(errorList{field.Invalid(child(at, "maxExpirationSeconds"), *s, "if provided, maxExpirationSeconds must be >= 3600")})
		}
		if *s > longest {
			p.add(errorList{field.Invalid(child(at, "maxExpirationSeconds"), *s, fmt.Sprintf("if provided, maxExpirationSeconds must be <= %d", longest))})
		}
	}
	files := []struct{ name, path string }{
		{"credentialBundlePath", c.CredentialBundlePath}, {"keyPath", c.KeyPath}, {"certificateChainPath", c.CertificateChainPath},
	}
	none := true
	for _, f := range files {
		if f.path != "" {
			none = false
			p.add(ownPath(child(at, f.name), f.path))
			p.take(f.path, f.path)
		}
	}
	if none {
		p.add(errorList{field.Required(at, "specify at least one of credentialBundlePath, keyPath, and certificateChainPath")})
	}
}

// ofKubernetes tells whether a signer's name is reserved by the Kubernetes project.
func ofKubernetes(signer string) bool {
	domain, _, _ := strings.Cut(signer, "/")
	return domain == "kubernetes.io" || strings.HasSuffix(domain, ".kubernetes.io")
}

func validateUserAnnotations(annotations map[string]string, at *field.Path) errorList {
	var errs errorList
	for k := range sorted(annotations).each {
		errs = append(errs, validation.IsDomainPrefixedKey(at, strings.ToLower(k))...)
	}
	if apivalidation.ValidateAnnotationsSize(annotations) != nil {
		errs = append(errs, field.TooLong(at, "", apivalidation.TotalAnnotationSizeLimitB))
	}
	return errs
}
