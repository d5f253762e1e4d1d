package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
)

// request is one that is about to be sent.
type request struct {
	name     string // "": the server chooses one
	key      *ecdsa.PrivateKey
	text     []byte // PEM
	answered func() // call it when the request is decided: its key is of no more use to another request
}

// newRequest is for a new key.
func (m *Manager) newRequest() (*request, error) {
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	text, err := m.config.Template.request(key)
	return &request{key: key, text: text, answered: func() {}}, err
}

// firstRequest is for a key that is kept on disk until there is an answer, and is named after it: a node that was ended while
// it waited finds its request again, and what somebody approved meanwhile.
// Source: k8s.io/kubernetes/pkg/kubelet/certificate/bootstrap.
func (m *Manager) firstRequest() (*request, error) {
	if m.config.Dir == nil {
		return m.newRequest()
	}
	file := pkiDir + m.config.Name + ".key.tmp"
	key, err := m.config.Dir.keyIn(file)
	if err != nil {
		return nil, err
	}
	name, err := m.config.Template.digestedName(key)
	if err != nil {
		return nil, err
	}
	text, err := m.config.Template.request(key)
	return &request{name: name, key: key, text: text, answered: func() { m.config.Dir.root.Remove(file) }}, err
}

func newKey() (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return key, nil
}

// keyIn reads a key, or makes one where there is none that is its owner's alone.
func (d *Dir) keyIn(file string) (*ecdsa.PrivateKey, error) {
	data, err := d.read(file)
	if err == nil {
		if block, _ := pem.Decode(data); block != nil && block.Type == keyType {
			if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
				return key, nil
			}
		}
	}
	if err := d.root.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	if data, err = encodeKey(key); err != nil {
		return nil, err
	}
	return key, d.write(file, data)
}

// digestedName is a name that follows from all that is asked for, as a kubelet names its first request.
func (t Template) digestedName(key *ecdsa.PrivateKey) (string, error) {
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return "", fmt.Errorf("encode a public key: %w", err)
	}
	sum, subject := sha512.New512_256(), t.subject()
	write := func(part []byte) {
		sum.Write(append([]byte(base64.RawURLEncoding.EncodeToString(part)), '|')) // parts do not run into each other
	}
	write(public)
	write([]byte(subject.CommonName))
	for _, group := range subject.Organization {
		write([]byte(group))
	}
	for _, usage := range t.Usages {
		write([]byte(usage))
	}
	return "node-csr-" + base64.RawURLEncoding.EncodeToString(sum.Sum(nil)), nil
}
