package certificate

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"

	certificatesv1 "k8s.io/api/certificates/v1"
)

// Template is what a certificate is to say.
type Template struct {
	// Signer is who is asked.
	Signer string
	// Usages are those that the signer allows for an ECDSA key.
	Usages []certificatesv1.KeyUsage
	// Node is the node's name; the certificate says system:node:NODE, of the group system:nodes.
	Node string
	// Names and IPs are what a server is called by.
	Names []string
	IPs   []net.IP
}

// Client is the template of the certificate with which a kubelet speaks to the API server.
func Client(node string) Template {
	return Template{
		Signer: certificatesv1.KubeAPIServerClientKubeletSignerName, Node: node,
		Usages: []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageClientAuth},
	}
}

// Serving is the template of the certificate that a kubelet's own API has.
func Serving(node string, ips ...net.IP) Template {
	return Template{
		Signer: certificatesv1.KubeletServingSignerName, Node: node, Names: []string{node}, IPs: ips,
		Usages: []certificatesv1.KeyUsage{certificatesv1.UsageDigitalSignature, certificatesv1.UsageServerAuth},
	}
}

// request makes a certificate request for a key, PEM.
func (t Template) request(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: t.subject(), DNSNames: t.Names, IPAddresses: t.IPs,
	}, key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate request: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}

func (t Template) subject() pkix.Name {
	return pkix.Name{CommonName: "system:node:" + t.Node, Organization: []string{"system:nodes"}}
}
