package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"

	"coracle/apiserver"
	"coracle/apiserver/registry"
	"coracle/authn"
	"coracle/authn/pki"
	"coracle/authn/token"
)

// serverNames are the names beyond the usual ones that the server's certificate is to hold.
func (c *Config) serverNames() (names []string, ips []net.IP) {
	for _, n := range append([]string{c.BindAddress}, c.Advertise...) {
		if ip := net.ParseIP(n); ip == nil {
			names = append(names, n)
		} else if !ip.IsUnspecified() {
			ips = append(ips, ip)
		}
	}
	return names, ips
}

// identities are the certificates of the parts that run in this process.
type identities struct {
	adminPath         string
	controllerManager tls.Certificate
	scheduler         tls.Certificate
}

// writeKubeconfigs writes a kubeconfig per identity, as kubeadm does.
func writeKubeconfigs(config Config, keys *pki.PKI, url string) (identities, error) {
	dir := filepath.Join(config.DataDir, "kubeconfigs")
	var ids identities
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return ids, fmt.Errorf("the directory %s cannot be made: %w", dir, unwrapPath(err))
	}
	ids.adminPath = filepath.Join(dir, "admin.conf")
	for _, k := range []struct {
		path string
		id   pki.Identity
		into *tls.Certificate
	}{
		{"super-admin.conf", pki.SuperAdmin(), nil},
		{"controller-manager.conf", pki.ControllerManager(), &ids.controllerManager},
		{"scheduler.conf", pki.Scheduler(), &ids.scheduler},
		{"admin.conf", pki.Admin(), nil},
	} {
		certificate, err := keys.Kubeconfig(filepath.Join(dir, k.path), url, k.id)
		if err != nil {
			return ids, err
		}
		if k.into != nil {
			*k.into = certificate
		}
	}
	return ids, nil
}

// authenticators are the strategies in the order in which they are asked, and what issues their tokens.
func authenticators(config Config, keys *pki.PKI, objects *registry.Registry) (*authn.Chain, *tokens, error) {
	clientCAs, err := clientAuthorities(config, keys)
	if err != nil {
		return nil, nil, err
	}
	accountKeys, err := token.NewKeys(keys.ServiceAccountKey())
	if err != nil {
		return nil, nil, err
	}
	s := authn.Strategies{
		Requests:  []authn.Authenticator{authn.NewX509(clientCAs, config.Now)},
		Audiences: config.APIAudiences,
	}
	if config.TokenAuthFile != "" {
		file, err := authn.NewTokenFile(config.TokenAuthFile)
		if err != nil {
			return nil, nil, fmt.Errorf("--token-auth-file: %w", err)
		}
		for _, text := range file.Warnings() {
			config.Log.Warn(text)
		}
		s.Tokens = append(s.Tokens, file)
	}
	s.Tokens = append(s.Tokens, authn.NewServiceAccount(authn.ServiceAccountOptions{
		Keys:      accountKeys,
		Issuers:   []string{config.ServiceAccountIssuer},
		Audiences: config.APIAudiences,
		Lookup:    objects,
		Now:       config.Now,
	}))
	if config.AnonymousAuth {
		s.Anonymous = authn.NewAnonymous()
	}
	issuer := &token.Issuer{
		URL: config.ServiceAccountIssuer, Keys: accountKeys,
		JWKSURI: config.ServiceAccountIssuer + "/openid/v1/jwks",
	}
	return authn.NewChain(s), &tokens{issuer: issuer, audiences: config.APIAudiences}, nil
}

// clientAuthorities are those whose client certificates are trusted: the cluster's own, and those of --client-ca-file.
func clientAuthorities(config Config, keys *pki.PKI) (func() *x509.CertPool, error) {
	pool := keys.Authority().Pool()
	if config.ClientCAFile != "" {
		data, err := os.ReadFile(config.ClientCAFile)
		if err != nil {
			return nil, fmt.Errorf("--client-ca-file cannot be read: %w", unwrapPath(err))
		}
		certificates, err := pki.ParseCertificates(data)
		if err != nil {
			return nil, fmt.Errorf("--client-ca-file %s: %w", config.ClientCAFile, err)
		}
		pool = pool.Clone()
		for _, c := range certificates {
			pool.AddCert(c)
		}
	}
	return func() *x509.CertPool { return pool }, nil
}

// tokens issues service-account tokens for the server and for the token controller.
type tokens struct {
	issuer    *token.Issuer
	audiences []string
}

func (t *tokens) Bound(r apiserver.TokenRequest) (string, error) {
	return t.issuer.Bound(token.Request(r))
}

func (t *tokens) Mint(account *corev1.ServiceAccount, secret *corev1.Secret) (string, error) {
	return t.issuer.Legacy(account, secret)
}

func (t *tokens) Audiences() []string     { return t.audiences }
func (t *tokens) Issuer() ([]byte, error) { return t.issuer.Discovery() }
func (t *tokens) JWKS() ([]byte, error)   { return t.issuer.JWKS() }
