package cluster

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/kubernetes"

	"coracle/apiserver"
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
	controllerManager *credential
	scheduler         *credential
}

// writeKubeconfigs writes a kubeconfig per identity, as kubeadm does.
func writeKubeconfigs(config Config, parts *credentials) (identities, error) {
	dir := filepath.Join(config.DataDir, "kubeconfigs")
	var ids identities
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return ids, fmt.Errorf("the directory %s cannot be made: %w", dir, unwrapPath(err))
	}
	ids.adminPath = filepath.Join(dir, "admin.conf")
	for _, k := range []struct {
		path string
		id   pki.Identity
		into **credential
	}{
		{"super-admin.conf", pki.SuperAdmin(), nil},
		{"controller-manager.conf", pki.ControllerManager(), &ids.controllerManager},
		{"scheduler.conf", pki.Scheduler(), &ids.scheduler},
		{"admin.conf", pki.Admin(), nil},
	} {
		certificate, err := parts.kubeconfig(filepath.Join(dir, k.path), k.id)
		if err != nil {
			return ids, err
		}
		if k.into != nil {
			*k.into = certificate
		}
	}
	return ids, nil
}

// ownClient is the server's own, which may do everything: kube-apiserver has one as well.
func (c *Cluster) ownClient(clients clientFactory, parts *credentials) (kubernetes.Interface, error) {
	certificate, err := parts.memory(pki.Identity{User: "system:apiserver", Groups: []string{user.SystemPrivilegedGroup}})
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(clients.as("kube-apiserver", certificate.chain))
}

// tokens issues service-account tokens for the server and for the token controller.
type tokens struct {
	issuer      *token.Issuer
	audiences   []string
	minLifetime time.Duration
	maxLifetime time.Duration
	extended    bool
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

func (t *tokens) MinLifetime() time.Duration { return t.minLifetime }
func (t *tokens) MaxLifetime() time.Duration { return t.maxLifetime }
func (t *tokens) Extended() bool             { return t.extended }
