package pki

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
)

// Pair is a certificate and its key.
type Pair struct {
	Cert *x509.Certificate
	Key  crypto.Signer
	rest []*x509.Certificate // intermediates that the file holds behind the certificate
}

// TLS is the pair as crypto/tls presents it.
func (p *Pair) TLS() tls.Certificate {
	t := tls.Certificate{Certificate: [][]byte{p.Cert.Raw}, PrivateKey: p.Key, Leaf: p.Cert}
	for _, c := range p.rest {
		t.Certificate = append(t.Certificate, c.Raw)
	}
	return t
}

// PEM encodes the pair.
func (p *Pair) PEM() (cert, key []byte, err error) {
	cert = encodeCertificates(append([]*x509.Certificate{p.Cert}, p.rest...))
	key, err = encodeKey(p.Key)
	return cert, key, err
}

func samePublicKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// next is added to the name of a key whose certificate is being written.
const next = ".next"

// writePair stores a pair so that a crash at any moment leaves the old pair, the new one, or a state that readPair
// completes: first the key under another name, then the certificate, then the key under its own name.
func (d *directory) writePair(name string, p *Pair) error {
	cert, key, err := p.PEM()
	if err != nil {
		return err
	}
	if err := d.write(name+".key"+next, key, secret); err != nil {
		return err
	}
	if err := d.write(name+".crt", cert, public); err != nil {
		return err
	}
	return d.rename(name+".key"+next, name+".key")
}

// readPair returns the pair of that name, having completed or undone what a crash interrupted. Either half may be nil:
// a certificate without a key, a key without a certificate.
func (d *directory) readPair(name string) (*Pair, error) {
	p := &Pair{}
	certs, err := readPEM(d, name+".crt", ParseCertificates)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		p.Cert, p.rest = certs[0], certs[1:]
	}
	pending, err := readPEM(d, name+".key"+next, ParseKey)
	if err == nil && p.Cert != nil && samePublicKey(pending.Public(), p.Cert.PublicKey) {
		if err := d.rename(name+".key"+next, name+".key"); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		if err := d.remove(name + ".key" + next); err != nil {
			return nil, err
		}
	}
	p.Key, err = readPEM(d, name+".key", ParseKey)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if p.Cert != nil && p.Key != nil && !samePublicKey(p.Key.Public(), p.Cert.PublicKey) {
		return nil, fmt.Errorf("%s does not belong to %s: put back the one that was replaced, or remove both to have new ones made", d.path(name+".key"), d.path(name+".crt"))
	}
	return p, nil
}

// peekPair returns the pair of that name as it is, and changes nothing: while somebody else is writing it, it may have
// half of it under another name.
func (d *directory) peekPair(name string) (*Pair, error) {
	p := &Pair{}
	certs, err := readPEM(d, name+".crt", ParseCertificates)
	if err != nil {
		return nil, err
	}
	p.Cert, p.rest = certs[0], certs[1:]
	for _, file := range []string{name + ".key", name + ".key" + next} {
		key, err := readPEM(d, file, ParseKey)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		if err == nil && samePublicKey(key.Public(), p.Cert.PublicKey) {
			p.Key = key
			return p, nil
		}
		if err == nil && file == name+".key" {
			err = fmt.Errorf("%s does not belong to %s", d.path(file), d.path(name+".crt"))
			if _, no := d.read(name + ".key" + next); no != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

// readPEM reads and parses one file. An error that is not fs.ErrNotExist is a sentence for people.
func readPEM[T any](d *directory, name string, parse func([]byte) (T, error)) (T, error) {
	var none T
	data, err := d.read(name)
	if err != nil {
		return none, err
	}
	v, err := parse(data)
	if err != nil {
		return none, fmt.Errorf("%s cannot be used: %w; restore it from a backup, or remove it to have a new one made", d.path(name), err)
	}
	return v, nil
}
