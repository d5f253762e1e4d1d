package pki

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// kubeconfig writes which authorities are trusted into a kubeconfig of this cluster and, if the certificate in it is
// not of the one that signs, or renew says so, issues it again for a new key.
func (t *turn) kubeconfig(path string, renew bool) error {
	dir, err := openDirectory(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.close()
	name := filepath.Base(path)
	old, err := dir.read(name)
	if err != nil {
		return err
	}
	config, err := clientcmd.Load(old)
	if err != nil {
		return fmt.Errorf("%s is not a kubeconfig", path)
	}
	by := t.p.Authority()
	what := ""
	for _, cluster := range config.Clusters {
		if by.among(cluster.CertificateAuthorityData) && !bytes.Equal(cluster.CertificateAuthorityData, by.PEM()) {
			cluster.CertificateAuthorityData = by.PEM()
			what = "what is trusted"
		}
	}
	for _, user := range slices.Sorted(maps.Keys(config.AuthInfos)) {
		info := config.AuthInfos[user]
		certs, err := ParseCertificates(info.ClientCertificateData)
		if err != nil || !by.Signed(certs[0]) {
			continue // somebody else's
		}
		if !renew && certs[0].CheckSignatureFrom(by.cert) == nil {
			continue
		}
		what = "a new key, and a certificate from " + by.cert.Subject.CommonName
		if t.DryRun {
			continue
		}
		if err := t.embed(info, by); err != nil {
			return err
		}
	}
	if what == "" {
		return nil
	}
	data, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("encode %s: %w", path, err)
	}
	return t.do(path, what, func() error {
		if err := dir.write(name, data, secret); err != nil {
			return err
		}
		return dir.sync()
	})
}

// among tells whether PEM of authorities has one that is trusted: then they are this cluster's.
func (a *Authority) among(data []byte) bool {
	certs, err := ParseCertificates(data)
	return err == nil && slices.ContainsFunc(certs, func(c *x509.Certificate) bool { return slices.ContainsFunc(a.Trusted(), c.Equal) })
}

// embed issues a certificate like the one that a user of a kubeconfig has.
func (t *turn) embed(info *clientcmdapi.AuthInfo, by *Authority) error {
	certs, err := ParseCertificates(info.ClientCertificateData)
	if err != nil {
		return err
	}
	pair, err := by.issuePair(t.like(certs[0]))
	if err != nil {
		return err
	}
	info.ClientCertificateData, info.ClientKeyData, err = pair.PEM()
	return err
}
