package pki

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// A node's certificates are each in one file with their key, and named as a kubelet names them.
const nodeFileSuffix = "-current.pem"

// NodeFileName is what such a file is called: node-1/kubelet-client, for nodes/node-1/pki/kubelet-client-current.pem.
func NodeFileName(path string) string {
	return filepath.Base(filepath.Dir(filepath.Dir(path))) + "/" + strings.TrimSuffix(filepath.Base(path), nodeFileSuffix)
}

// readNodeFile reads a certificate and its key.
func readNodeFile(path string) (*Pair, error) {
	d, err := openDirectory(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer d.close()
	name := filepath.Base(path)
	certs, err := readPEM(d, name, ParseCertificates)
	if err != nil {
		return nil, err
	}
	key, err := readPEM(d, name, ParseKey)
	if err != nil {
		return nil, err
	}
	if !samePublicKey(key.Public(), certs[0].PublicKey) {
		return nil, fmt.Errorf("%s has a key that does not belong to its certificate", path)
	}
	return &Pair{Cert: certs[0], Key: key, rest: certs[1:]}, nil
}

// nodeFile issues a node's certificate again for a new key, if it is one of this cluster and not from the authority that signs, or
// if renew says so.
func (t *turn) nodeFile(path string, renew bool) error {
	old, err := readNodeFile(path)
	if missing(err) {
		return nil // its node has gone
	}
	if err != nil && !renew {
		return nil // the node replaces it, for it is of no use to it either
	}
	if err != nil {
		return err
	}
	by := t.p.Authority()
	if !by.Signed(old.Cert) || !renew && old.Cert.CheckSignatureFrom(by.cert) == nil {
		return nil
	}
	return t.do(path, "a new key, and a certificate from "+by.cert.Subject.CommonName, func() error {
		pair, err := by.issuePair(t.like(old.Cert))
		if err != nil {
			return err
		}
		cert, key, err := pair.PEM()
		if err != nil {
			return err
		}
		d, err := openDirectory(filepath.Dir(path))
		if err != nil {
			return err
		}
		defer d.close()
		d.crash = t.crash
		if err := d.write(filepath.Base(path), append(cert, key...), secret); err != nil {
			return err
		}
		return d.sync()
	})
}

// nodeFileItem is the row of a node's certificate.
func nodeFileItem(path string, by *Authority, now time.Time) Item {
	item := Item{Name: NodeFileName(path), File: path}
	item.Presented, item.Without = roles(item.Name)
	pair, err := readNodeFile(path)
	if err != nil {
		item.Problem = err.Error()
		return item
	}
	item.describe(pair.Cert, now)
	item.judge(by, pair)
	return item
}
