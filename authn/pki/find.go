package pki

import (
	"crypto/x509"
	"path/filepath"
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
func (r Rotation) FileOf(name string) string {
	for _, row := range authorities {
		if row.name == name {
			return filepath.Join(r.Dir, filepath.FromSlash(name)+".crt")
		}
	}
	for _, row := range leaves(Options{}) {
		if row.name == name {
			return filepath.Join(r.Dir, filepath.FromSlash(name)+".crt")
		}
	}
	for _, path := range r.Kubeconfigs {
		if KubeconfigName(path) == name {
			return path
		}
	}
	for _, path := range r.NodeFiles {
		if NodeFileName(path) == name {
			return path
		}
	}
	return ""
}
