package pki

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Kubeconfig writes a kubeconfig for the identity, readable by its owner alone: the server's URL, the authority to trust,
// a client certificate and its key, all in one file. If the file is there, its certificate is kept while it is good,
// and so is all that somebody added with `kubectl config`.
//
// It returns the certificate, for parts of this process that act under the identity.
func (p *PKI) Kubeconfig(path, server string, id Identity) (tls.Certificate, error) {
	dir, err := openDirectory(filepath.Dir(path))
	if err != nil {
		return tls.Certificate{}, err
	}
	defer dir.close()
	name := filepath.Base(path)
	old, err := dir.read(name)
	config := clientcmdapi.NewConfig()
	if err == nil {
		config, err = clientcmd.Load(old)
		if err != nil {
			return tls.Certificate{}, fmt.Errorf("%s is not a kubeconfig: remove it to have a new one made", path)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return tls.Certificate{}, err
	}
	pair, good := p.embedded(config, id)
	if !good {
		issued, err := p.Authority().issuePair(id.profile())
		switch {
		case err == nil:
			pair = issued
		case !errors.Is(err, ErrNoKey) || pair == nil || p.options.Now().After(pair.Cert.NotAfter):
			return tls.Certificate{}, fmt.Errorf("%s needs a certificate: %w; have one issued where the key is, and put it in", path, err)
		}
	}
	if err := p.describe(config, server, id.User, pair); err != nil {
		return tls.Certificate{}, err
	}
	data, err := clientcmd.Write(*config)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("encode %s: %w", path, err)
	}
	if !bytes.Equal(old, data) {
		if err := dir.write(name, data, secret); err != nil {
			return tls.Certificate{}, err
		}
	}
	return pair.TLS(), dir.sync()
}

// clusterName is the cluster's name in kubeconfigs, as kubeadm has it.
const clusterName = "kubernetes"

// describe sets what kubeadm's kubeconfigs have: one cluster, one user, one context user@cluster.
func (p *PKI) describe(config *clientcmdapi.Config, server, user string, pair *Pair) error {
	cert, key, err := pair.PEM()
	if err != nil {
		return err
	}
	context := user + "@" + clusterName
	config.Clusters[clusterName] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: p.CABundle()}
	config.AuthInfos[user] = &clientcmdapi.AuthInfo{ClientCertificateData: cert, ClientKeyData: key}
	if config.Contexts[context] == nil {
		config.Contexts[context] = &clientcmdapi.Context{Cluster: clusterName, AuthInfo: user}
	}
	if config.CurrentContext == "" {
		config.CurrentContext = context
	}
	return nil
}

// embedded is the pair that a kubeconfig holds for the identity: nil unless it is whole, signed by the cluster's
// authority, and of these groups. Good tells whether it is so for a while.
func (p *PKI) embedded(config *clientcmdapi.Config, id Identity) (pair *Pair, good bool) {
	info := config.AuthInfos[id.User]
	if info == nil {
		return nil, false
	}
	certs, err := ParseCertificates(info.ClientCertificateData)
	if err != nil {
		return nil, false
	}
	key, err := ParseKey(info.ClientKeyData)
	if err != nil {
		return nil, false
	}
	c := certs[0]
	if !samePublicKey(key.Public(), c.PublicKey) || !p.Authority().Signed(c) || !certifies(c, id) {
		return nil, false
	}
	return &Pair{Cert: c, Key: key}, id.profile().stale(c, p.options.Now()) == ""
}

// KubeconfigCertificate is the client certificate that a kubeconfig holds for the identity.
func KubeconfigCertificate(data []byte, id Identity) (*x509.Certificate, error) {
	config, err := clientcmd.Load(data)
	if err != nil {
		return nil, errors.New("it is not a kubeconfig")
	}
	info := config.AuthInfos[id.User]
	if info == nil {
		return nil, fmt.Errorf("it has no user %s", id.User)
	}
	certs, err := ParseCertificates(info.ClientCertificateData)
	if err != nil {
		return nil, fmt.Errorf("the client certificate of %s: %w", id.User, err)
	}
	if !certifies(certs[0], id) {
		return nil, fmt.Errorf("the client certificate of %s is somebody else's, or not for clients", id.User)
	}
	return certs[0], nil
}

func certifies(c *x509.Certificate, id Identity) bool {
	return c.Subject.CommonName == id.User &&
		slices.Equal(slices.Sorted(slices.Values(c.Subject.Organization)), slices.Sorted(slices.Values(id.Groups))) &&
		slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
}
