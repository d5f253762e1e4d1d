package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
)

// Authorities are what a cluster's directory trusts, by the authorities' names.
func Authorities(dir string) (map[string][]*x509.Certificate, error) {
	d, err := existingDirectory(dir)
	if err != nil {
		return nil, err
	}
	defer d.close()
	known := map[string][]*x509.Certificate{}
	for _, row := range authorities {
		certs, err := readPEM(d, row.name+".crt", ParseCertificates)
		if missing(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		known[row.name] = certs
	}
	return known, nil
}

// ParseChain reads the certificates of a PEM file, or the client's of a kubeconfig.
func ParseChain(data []byte) ([]*x509.Certificate, error) {
	certs, err := ParseCertificates(data)
	if err == nil {
		return certs, nil
	}
	if found, no := kubeconfigCertificates(data); no == nil {
		return found, nil
	}
	return nil, err
}

// kubeconfigCertificates are the client's of the current context.
func kubeconfigCertificates(data []byte) ([]*x509.Certificate, error) {
	if len(data) > maxPEM {
		return nil, errors.New("it is larger than 1 MiB")
	}
	config, err := clientcmd.Load(data)
	if err != nil {
		return nil, errors.New("it is not a kubeconfig")
	}
	context := config.Contexts[config.CurrentContext]
	if context == nil {
		return nil, errors.New("it has no current context")
	}
	info := config.AuthInfos[context.AuthInfo]
	if info == nil {
		return nil, fmt.Errorf("it has no user %s", context.AuthInfo)
	}
	certs, err := ParseCertificates(info.ClientCertificateData)
	if err != nil {
		return nil, fmt.Errorf("the client certificate of %s: %w", context.AuthInfo, err)
	}
	return certs, nil
}

// accountKeyHeld are the keys of tokens alone.
func (p *PKI) accountKeyHeld() (*held, error) {
	h := &held{}
	var err error
	if h.accountKey, err = readPEM(p.dir, "sa.key", ParseKey); err != nil {
		return nil, err
	}
	if h.accountKeys, err = readPEM(p.dir, "sa.pub", ParsePublicKeys); err != nil && !missing(err) {
		return nil, err
	}
	return h, nil
}

// FileOf is the file of what is called name in the cluster's directories, "" for none.
func FileOf(dir string, kubeconfigs []string, name string) string {
	for _, row := range authorities {
		if row.name == name {
			return filepath.Join(dir, filepath.FromSlash(name)+".crt")
		}
	}
	for _, row := range leaves(nil, nil) {
		if row.name == name {
			return filepath.Join(dir, filepath.FromSlash(name)+".crt")
		}
	}
	for _, path := range kubeconfigs {
		if KubeconfigName(path) == name {
			return path
		}
	}
	return ""
}
