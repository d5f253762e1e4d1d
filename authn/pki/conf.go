package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// conf is a kubeconfig, as its current context uses it.
type conf struct {
	path    string
	context string
	user    *clientcmdapi.AuthInfo
	cluster *clientcmdapi.Cluster
}

// readKubeconfig reads a kubeconfig of anybody's.
func readKubeconfig(path string) (*conf, error) {
	data, err := readBounded(path)
	if err != nil {
		return nil, cannot("read", path, err)
	}
	return parseKubeconfig(path, data)
}

func parseKubeconfig(path string, data []byte) (*conf, error) {
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
	c := &conf{path: path, context: config.CurrentContext, user: config.AuthInfos[context.AuthInfo], cluster: config.Clusters[context.Cluster]}
	if c.user == nil {
		return nil, fmt.Errorf("it has no user %s", context.AuthInfo)
	}
	if c.cluster == nil {
		return nil, fmt.Errorf("it has no cluster %s", context.Cluster)
	}
	return c, nil
}

// resolve is a path as the kubeconfig means it: relative to the folder that it is in.
func (c *conf) resolve(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(c.path), path)
}

// content is what is written in the kubeconfig, which wins, or in the file that it names; nil for neither.
func (c *conf) content(data []byte, path string) (_ []byte, file string, err error) {
	if len(data) > 0 || path == "" {
		return data, "", nil
	}
	file = c.resolve(path)
	if data, err = readBounded(file); err != nil {
		err = cannot("read", file, err)
	}
	return data, file, err
}

// chain is the client's certificate, nil for none, and the file that it is in if that is another one.
func (c *conf) chain() (certs []*x509.Certificate, file string, err error) {
	data, file, err := c.content(c.user.ClientCertificateData, c.user.ClientCertificate)
	if err != nil || data == nil {
		return nil, file, err
	}
	if certs, err = ParseCertificates(data); err != nil {
		return nil, file, fmt.Errorf("the client certificate%s: %w", in(file), err)
	}
	return certs, file, nil
}

func in(file string) string {
	if file == "" {
		return ""
	}
	return " in " + file
}

// JudgeFile judges what is in a file: certificates, or a kubeconfig with all that it names. It returns the chain as well, nil where
// there is none to be judged.
func JudgeFile(path string, q Question) (Judgement, []*x509.Certificate, error) {
	data, err := readBounded(path)
	if err != nil {
		return Judgement{}, nil, err
	}
	certs, fault := ParseCertificates(data)
	if fault == nil {
		return Judge(certs, q), certs, nil
	}
	c, err := parseKubeconfig(path, data)
	if err != nil {
		return Judgement{}, nil, fault
	}
	return c.judge(q)
}

func (c *conf) judge(q Question) (j Judgement, chain []*x509.Certificate, err error) {
	if chain, _, err = c.chain(); err != nil {
		return j, nil, err
	}
	if chain != nil {
		q.Usage = x509.ExtKeyUsageClientAuth
		j = Judge(chain, q)
		j.Findings = append(j.Findings, c.judgeKey(chain[0]))
	}
	j.Findings = append(append(j.Findings, c.judgeServer(q)), c.judgeUser(chain != nil)...)
	return j, chain, nil
}

// judgeKey tells whether the key is there, belongs to the certificate, and is its owner's alone.
func (c *conf) judgeKey(cert *x509.Certificate) Finding {
	wrong := func(format string, args ...any) Finding {
		return Finding{Check: "key", Says: fmt.Sprintf(format, args...)}
	}
	data, file, err := c.content(c.user.ClientKeyData, c.user.ClientKey)
	if err != nil {
		return wrong("%v", err)
	}
	if data == nil {
		return wrong("there is none, and without it the certificate is of no use")
	}
	key, err := ParseKey(data)
	if err != nil {
		return wrong("the key%s: %v", in(file), err)
	}
	if !samePublicKey(key.Public(), cert.PublicKey) {
		return wrong("the key%s does not belong to the certificate", in(file))
	}
	if file == "" {
		file = c.path
	}
	if info, err := os.Stat(file); err == nil {
		if err := Exposed(file, info); err != nil {
			return wrong("%v", err)
		}
	}
	return Finding{Check: "key", Good: true, Says: "it belongs to the certificate"}
}

// judgeServer tells whether the server of this cluster would be recognised.
func (c *conf) judgeServer(q Question) Finding {
	f := Finding{Check: "server"}
	data, file, err := c.content(c.cluster.CertificateAuthorityData, c.cluster.CertificateAuthority)
	switch {
	case err != nil:
		f.Says = err.Error()
	case c.cluster.InsecureSkipTLSVerify:
		f.Says = "whoever answers at " + c.cluster.Server + " is believed (insecure-skip-tls-verify), and is told the credential"
	case !strings.HasPrefix(c.cluster.Server, "https://"):
		f.Unknown, f.Says = true, c.cluster.Server+" is not spoken to by TLS"
	case data == nil:
		f.Unknown, f.Says = true, "it is believed when one of this machine's authorities has signed it"
	default:
		trusted, err := ParseCertificates(data)
		ours := q.Authorities[clusterCA]
		switch {
		case err != nil:
			f.Says = fmt.Sprintf("the authorities%s: %v", in(file), err)
		case len(q.Authorities) == 0:
			f.Good, f.Says = true, fmt.Sprintf("%s is believed when %s has signed it", c.cluster.Server, trusted[0].Subject)
		case len(ours) == 0 || slices.ContainsFunc(trusted, ours[0].Equal):
			f.Good, f.Says = true, c.cluster.Server+" is believed when "+clusterCA+" has signed it"
		default:
			f.Says = "the authority that it trusts is not this cluster's: to it the server is a stranger"
		}
	}
	return f
}

// judgeUser tells what the user goes by beside a certificate: it cannot be judged by looking.
func (c *conf) judgeUser(certified bool) []Finding {
	var all []Finding
	add := func(format string, args ...any) {
		all = append(all, Finding{Check: "user", Unknown: true, Says: fmt.Sprintf(format, args...)})
	}
	u := c.user
	switch {
	case u.Token != "":
		add("it shows a token that is written here; whether that is good the server alone can tell: kubectl auth whoami")
	case u.TokenFile != "":
		file := c.resolve(u.TokenFile)
		if _, err := os.Stat(file); err != nil {
			all = append(all, Finding{Check: "user", Says: fmt.Sprint(cannot("read", file, err))})
			break
		}
		add("it shows the token in %s; whether that is good the server alone can tell: kubectl auth whoami", file)
	}
	if u.Username != "" {
		add("it shows a password, which Kubernetes takes no more since 1.19")
	}
	if u.Exec != nil {
		add("it runs %s to get a credential, which is not done here: kubectl auth whoami does", u.Exec.Command)
	}
	if u.AuthProvider != nil {
		add("it gets a credential from the plugin %s, which kubectl has no more since 1.26", u.AuthProvider.Name)
	}
	if !certified && len(all) == 0 {
		add("it shows no credential: the server takes it for system:anonymous")
	}
	if u.Impersonate != "" {
		add("it then acts as %s, if the server lets it", u.Impersonate)
	}
	return all
}

// readBounded reads a file, of which no more counts than maxPEM.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("it is a directory")}
	}
	return io.ReadAll(io.LimitReader(f, maxPEM+1))
}
