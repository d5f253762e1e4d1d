package certificate

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Dir is a node's directory: of its certificates, in pki, and of the kubeconfig that goes with them. What is in it is its
// owner's alone.
type Dir struct {
	root *os.Root
	path string
}

const (
	pkiDir = "pki/"
	suffix = "-current.pem"
	// maxFile bounds what is read of a file, in bytes.
	maxFile = 1 << 20
)

// OpenDir opens, or makes, nodes/NODE below the data directory.
func OpenDir(dataDir, node string) (*Dir, error) {
	if node == "" || node == "." || node == ".." || strings.ContainsAny(node, `/\`) {
		return nil, fmt.Errorf("%q is no name of a node", node)
	}
	path := filepath.Join(dataDir, "nodes", node)
	if err := os.MkdirAll(filepath.Join(path, pkiDir), 0o700); err != nil {
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
func (d *Dir) Path(name string) string { return filepath.Join(d.path, file(name)) }

// file is the file of the certificate of that name.
func file(name string) string { return pkiDir + name + suffix }

// stamp is what a look at a file's directory entry shows: another one is another file. A missing file's is zero.
type stamp struct {
	mod  time.Time
	size int64
}

func (d *Dir) stamp(name string) stamp {
	info, err := d.root.Stat(file(name))
	if err != nil {
		return stamp{}
	}
	return stamp{info.ModTime(), info.Size()}
}

// load reads a certificate and its key; nil when there is none. An error says why one cannot be used.
func (d *Dir) load(name string) (*tls.Certificate, error) {
	data, err := d.read(file(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(data, data)
	if err != nil {
		return nil, fmt.Errorf("%s holds no certificate with its key", d.Path(name)) // the error could quote the key
	}
	return &pair, nil
}

// read reads a file, unless everybody may: then the secret in it is none.
func (d *Dir) read(name string) ([]byte, error) {
	f, err := d.root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o007 != 0 && runtime.GOOS != "windows" {
		return nil, fmt.Errorf("%s holds a secret and everybody on this machine may read it (mode %04o): consider the key known", filepath.Join(d.path, name), info.Mode().Perm())
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// bundle puts a certificate, which may be a chain, and its key into one PEM text, and returns both as they are used. The
// certificate came from outside: one for another key is refused.
func bundle(certificate []byte, key *ecdsa.PrivateKey) (data []byte, pair tls.Certificate, err error) {
	text, err := encodeKey(key)
	if err != nil {
		return nil, pair, err
	}
	data = append(append(data, certificate...), text...)
	if pair, err = tls.X509KeyPair(data, data); err != nil {
		return nil, pair, fmt.Errorf("the certificate that was issued cannot be used: %w", err)
	}
	return data, pair, nil
}

const keyType = "EC PRIVATE KEY"

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode the key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: keyType, Bytes: der}), nil
}

// write replaces a file as a whole. What a crash left of it is overwritten the next time.
func (d *Dir) write(name string, data []byte) error {
	aside := name + ".new"
	if err := d.root.Remove(aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
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

const kubeconfigName = "kubelet.conf"

// SaveCluster keeps a kubeconfig that says which cluster the client's certificate of that name is for, as a kubelet does. Kubectl
// can use it, with the node's rights.
func (d *Dir) SaveCluster(server string, ca []byte, name string) error {
	config := clientcmdapi.NewConfig()
	config.Clusters["default-cluster"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: ca}
	config.AuthInfos["default-auth"] = &clientcmdapi.AuthInfo{ClientCertificate: d.Path(name), ClientKey: d.Path(name)}
	config.Contexts["default-context"] = &clientcmdapi.Context{Cluster: "default-cluster", AuthInfo: "default-auth", Namespace: "default"}
	config.CurrentContext = "default-context"
	data, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("encode %s: %w", kubeconfigName, err)
	}
	if old, err := d.read(kubeconfigName); err == nil && bytes.Equal(old, data) {
		return nil
	}
	return d.write(kubeconfigName, data)
}

// Cluster reads what SaveCluster kept; server is empty when there is nothing.
func (d *Dir) Cluster() (server string, ca []byte, err error) {
	data, err := d.read(kubeconfigName)
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
