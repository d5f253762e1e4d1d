package certificates

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
)

const legacyUnknown = "kubernetes.io/legacy-unknown"

// rule says why a signer refuses a request that was approved; nil if it does not.
type rule func(*x509.CertificateRequest, []certificatesv1.KeyUsage) error

// ruleOf is a signer's rule, nil for a signer that is not one of ours.
// Source: https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#kubernetes-signers
func ruleOf(signer string) rule {
	switch signer {
	case certificatesv1.KubeAPIServerClientSignerName:
		return checkClient
	case certificatesv1.KubeAPIServerClientKubeletSignerName:
		return checkKubeletClient
	case certificatesv1.KubeletServingSignerName:
		return checkKubeletServing
	case legacyUnknown:
		return func(*x509.CertificateRequest, []certificatesv1.KeyUsage) error { return nil }
	}
	return nil
}

func checkClient(_ *x509.CertificateRequest, usages []certificatesv1.KeyUsage) error {
	client := false
	for _, u := range usages {
		switch u {
		case certificatesv1.UsageDigitalSignature, certificatesv1.UsageKeyEncipherment:
		case certificatesv1.UsageClientAuth:
			client = true
		default:
			return fmt.Errorf("invalid usage for client certificate: %s", u)
		}
	}
	if !client {
		return fmt.Errorf("missing required usage for client certificate: %s", certificatesv1.UsageClientAuth)
	}
	return nil
}

func checkKubeletClient(r *x509.CertificateRequest, usages []certificatesv1.KeyUsage) error {
	switch {
	case !ofNodes(r):
		return errNotOfNodes()
	case len(r.DNSNames) > 0:
		return errors.New("DNS subjectAltNames are not allowed")
	case len(r.EmailAddresses) > 0:
		return errEmail()
	case len(r.IPAddresses) > 0:
		return errors.New("IP subjectAltNames are not allowed")
	case len(r.URIs) > 0:
		return errURI()
	case !namesNode(r):
		return errNoNode()
	}
	return checkUsages(usages, certificatesv1.UsageClientAuth)
}

func checkKubeletServing(r *x509.CertificateRequest, usages []certificatesv1.KeyUsage) error {
	switch {
	case !ofNodes(r):
		return errNotOfNodes()
	case len(r.DNSNames) == 0 && len(r.IPAddresses) == 0:
		return errors.New("DNS or IP subjectAltName is required")
	case len(r.EmailAddresses) > 0:
		return errEmail()
	case len(r.URIs) > 0:
		return errURI()
	}
	if err := checkUsages(usages, certificatesv1.UsageServerAuth); err != nil {
		return err
	}
	if !namesNode(r) {
		return errNoNode()
	}
	return nil
}

func ofNodes(r *x509.CertificateRequest) bool {
	return slices.Equal(r.Subject.Organization, []string{"system:nodes"})
}

func namesNode(r *x509.CertificateRequest) bool {
	return strings.HasPrefix(r.Subject.CommonName, "system:node:")
}

// The sentences end in the request's condition Failed, where learners compare them with kube-controller-manager's.
func errNotOfNodes() error { return errors.New("subject organization is not system:nodes") }
func errNoNode() error     { return errors.New("subject common name does not begin with system:node:") }
func errEmail() error      { return errors.New("Email subjectAltNames are not allowed") }
func errURI() error        { return errors.New("URI subjectAltNames are not allowed") }

// checkUsages wants exactly those of TLS; only RSA keys encipher others, so that this one may be missing.
func checkUsages(usages []certificatesv1.KeyUsage, role certificatesv1.KeyUsage) error {
	wanted := map[certificatesv1.KeyUsage]bool{certificatesv1.UsageDigitalSignature: true, certificatesv1.UsageKeyEncipherment: true, role: true}
	have := map[certificatesv1.KeyUsage]bool{certificatesv1.UsageKeyEncipherment: true}
	for _, u := range usages {
		have[u] = true
	}
	if !maps.Equal(have, wanted) {
		return fmt.Errorf("usages did not match %v", slices.Sorted(maps.Keys(wanted)))
	}
	return nil
}

func parse(request []byte) (*x509.CertificateRequest, error) {
	block, _ := pem.Decode(request)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, errors.New("PEM block type must be CERTIFICATE REQUEST")
	}
	return x509.ParseCertificateRequest(block.Bytes)
}
