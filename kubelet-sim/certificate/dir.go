package certificate

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Dir is a node's directory of certificates. What is in it is its owner's alone.
type Dir struct {
	root *os.Root
	path string
}

const suffix = "-current.pem"

// OpenDir opens, or makes, nodes/NODE/pki below the data directory.
func OpenDir(dataDir, node string) (*Dir, error) {
	if node == "" || node == "." || node == ".." || strings.ContainsAny(node, `/\`) {
		return nil, fmt.Errorf("%q is no name of a node", node)
	}
	path := filepath.Join(dataDir, "nodes", node, "pki")
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &Dir{root, path}, nil
}

// Close gives up the directory; nothing is removed.
func (d *Dir) Close() error { return d.root.Close() }

// Path is the path of the certificate of that name.
func (d *Dir) Path(name string) string { return filepath.Join(d.path, name+suffix) }

// load reads a certificate and its key. There is none, or none that can be used, when it returns nil.
func (d *Dir) load(name string) *tls.Certificate {
	data, err := d.root.ReadFile(name + suffix)
	if err != nil {
		return nil
	}
	pair, err := tls.X509KeyPair(data, data)
	if err != nil {
		return nil
	}
	return &pair
}

// bundle puts a certificate, which may be a chain, and its key into one PEM text, and returns both as they are used. The
// certificate came from outside: one for another key is refused.
func bundle(certificate []byte, key *ecdsa.PrivateKey) (data []byte, pair tls.Certificate, err error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, pair, fmt.Errorf("encode the key: %w", err)
	}
	data = append(data, certificate...)
	data = append(data, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})...)
	if pair, err = tls.X509KeyPair(data, data); err != nil {
		return nil, pair, fmt.Errorf("the certificate that was issued cannot be used: %w", err)
	}
	return data, pair, nil
}

// write replaces a file as a whole.
func (d *Dir) write(name string, data []byte) error {
	aside := name + ".tmp-" + randomName()
	f, err := d.root.OpenFile(aside, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = d.root.Rename(aside, name)
	}
	if err != nil {
		return errors.Join(err, d.root.Remove(aside))
	}
	return nil
}

func randomName() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

const kubeconfigName = "kubelet.conf"

// SaveCluster keeps a kubeconfig that says which cluster the client's certificate of that name is for, as kubeadm does. Kubectl
// can use it, with the node's rights.
func (d *Dir) SaveCluster(server string, ca []byte, name string) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["default-cluster"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca}
	config.AuthInfos["default-auth"] = &clientcmdapi.AuthInfo{ClientCertificate: d.Path(name), ClientKey: d.Path(name)}
	config.Contexts["default-context"] = &clientcmdapi.Context{Cluster: "default-cluster", AuthInfo: "default-auth"}
	config.CurrentContext = "default-context"
	data, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("encode %s: %w", kubeconfigName, err)
	}
	return d.write(kubeconfigName, data)
}

// Cluster reads what SaveCluster kept; server is empty when there is nothing.
func (d *Dir) Cluster() (server string, ca []byte, err error) {
	data, err := d.root.ReadFile(kubeconfigName)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	config, err := clientcmd.Load(data)
	if err != nil {
		return "", nil, fmt.Errorf("%s is no kubeconfig: remove it to join anew", filepath.Join(d.path, kubeconfigName))
	}
	c := config.Clusters["default-cluster"]
	if c == nil || c.Server == "" || len(c.CertificateAuthorityData) == 0 {
		return "", nil, fmt.Errorf("%s names no cluster: remove it to join anew", filepath.Join(d.path, kubeconfigName))
	}
	return c.Server, c.CertificateAuthorityData, nil
}
