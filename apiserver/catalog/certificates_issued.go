package catalog

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// validateIssued checks the certificate that a signer issued for a pod against what was asked for.
// Source of the sentences: k8s.io/kubernetes/pkg/apis/certificates/validation.
func validateIssued(r *podCertificateRequest, path *field.Path) errorList {
	const longest = 100 * 1024
	chain, at := r.Status.CertificateChain, child(path, "certificateChain")
	if len(chain) > longest {
		return errorList{field.TooLong(at, chain, longest)}
	}
	bad := func(text string) errorList { return errorList{field.Invalid(at, chain, text)} }
	block, rest := pem.Decode([]byte(chain))
	if block == nil {
		return bad("issued certificate chain must contain at least one certificate")
	}
	if block.Type != "CERTIFICATE" {
		return bad("issued certificate chain must consist entirely of CERTIFICATE PEM blocks")
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return bad("leaf certificate does not parse as valid X.509")
	}
	errs := validateLeafNames(leaf, at)
	wanted, err := requestedKey(&r.Spec)
	if err != nil {
		return append(errs, field.Invalid(field.NewPath("spec", "stubPKCS10Request"), field.OmitValueType{}, err.Error()))
	}
	if !wanted.Equal(leaf.PublicKey) {
		return append(errs, bad("leaf certificate was not issued to the requested public key")...)
	}
	errs = append(errs, validateIssuedTimes(&r.Status, &r.Spec, leaf, path)...)
	if len(errs) > 0 {
		return errs
	}
	for block, rest = pem.Decode(rest); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return bad("issued certificate chain must consist entirely of CERTFICATE PEM blocks")
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return bad("intermediate certificate does not parse as valid X.509")
		}
	}
	return nil
}

func validateLeafNames(leaf *x509.Certificate, at *field.Path) errorList {
	var errs errorList
	for _, name := range leaf.DNSNames {
		if name == "" {
			errs = append(errs, field.Invalid(at, name, "leaf certificate should not contain empty DNSName"))
		}
		if strings.Contains(name, "..") {
			errs = append(errs, field.Invalid(at, name, "leaf certificate's DNSName should not contain '..'"))
		}
		if strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") {
			errs = append(errs, field.Invalid(at, name, "leaf certificate's DNSName should not start or end with '.'"))
		}
	}
	for _, address := range leaf.EmailAddresses {
		if _, err := mail.ParseAddress(address); err != nil {
			errs = append(errs, field.Invalid(at, address, "leaf certificate should not contain invalid EmailAddress"))
		}
	}
	return errs
}

type comparableKey interface{ Equal(crypto.PublicKey) bool }

func requestedKey(s *certificatesv1.PodCertificateRequestSpec) (comparableKey, error) {
	request, err := x509.ParseCertificateRequest(s.StubPKCS10Request)
	if err != nil {
		return nil, errors.New("must be a valid PKCS#10 CSR")
	}
	key, ok := request.PublicKey.(comparableKey)
	if !ok {
		return nil, errors.New("unknown public key type; supported types are Ed25519, ECDSA, and RSA")
	}
	return key, nil
}

func validateIssuedTimes(s *certificatesv1.PodCertificateRequestStatus, asked *certificatesv1.PodCertificateRequestSpec, leaf *x509.Certificate, path *field.Path) errorList {
	const shortest, margin = time.Hour, 10 * time.Minute
	atBefore, atAfter, atRefresh := child(path, "notBefore"), child(path, "notAfter"), child(path, "beginRefreshAt")
	var errs errorList
	if s.NotBefore == nil {
		errs = append(errs, field.Required(atBefore, "must be present and consistent with the issued certificate"))
	}
	if s.NotAfter == nil {
		errs = append(errs, field.Required(atAfter, "must be present and consistent with the issued certificate"))
	}
	if s.BeginRefreshAt == nil {
		errs = append(errs, field.Required(atRefresh, "must be present and in the range [notbefore+10min, notafter-10min]"))
	}
	if len(errs) > 0 {
		return errs
	}
	lifetime, most := leaf.NotAfter.Sub(leaf.NotBefore), value(asked.MaxExpirationSeconds)
	switch {
	case !s.NotBefore.Time.Equal(leaf.NotBefore):
		return errorList{field.Invalid(atBefore, s.NotBefore.Time, "must be set to the NotBefore time encoded in the leaf certificate")}
	case !s.NotAfter.Time.Equal(leaf.NotAfter):
		return errorList{field.Invalid(atAfter, s.NotAfter.Time, "must be set to the NotAfter time encoded in the leaf certificate")}
	case lifetime < shortest:
		return errorList{field.Invalid(child(path, "certificateChain"), lifetime, "leaf certificate lifetime must be >= 1 hour")}
	case lifetime > time.Duration(most)*time.Second:
		return errorList{field.Invalid(child(path, "certificateChain"), lifetime, fmt.Sprintf("leaf certificate lifetime must be <= spec.maxExpirationSeconds (%v)", most))}
	case s.BeginRefreshAt.Time.Before(s.NotBefore.Add(margin)):
		return errorList{field.Invalid(atRefresh, s.BeginRefreshAt.Time, "must be at least 10 minutes after status.notBefore")}
	case s.BeginRefreshAt.Time.After(s.NotAfter.Add(-margin)):
		return errorList{field.Invalid(atRefresh, s.BeginRefreshAt.Time, "must be at least 10 minutes before status.notAfter")}
	}
	return nil
}
