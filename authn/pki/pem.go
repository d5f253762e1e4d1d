package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// maxPEM bounds what is read as PEM, in bytes: bundles of a few hundred authorities are smaller.
const maxPEM = 1 << 20

func encodeCertificate(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func encodeCertificates(certs []*x509.Certificate) []byte {
	var data []byte
	for _, c := range certs {
		data = append(data, encodeCertificate(c)...)
	}
	return data
}

// encodeKey writes a key as kubeadm does: SEC 1 for ECDSA, PKCS #1 for RSA, PKCS #8 for all others.
func encodeKey(key crypto.Signer) ([]byte, error) {
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		der, err := x509.MarshalECPrivateKey(k)
		if err != nil {
			return nil, fmt.Errorf("encode a key: %w", err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
	case *rsa.PrivateKey:
		return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)}), nil
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

func encodePublicKey(key crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode a public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// ParseCertificates reads all certificates of a PEM file. Text and other blocks between them are skipped; a file with
// no certificate, or with one that is broken, is an error.
func ParseCertificates(data []byte) ([]*x509.Certificate, error) {
	if len(data) > maxPEM {
		return nil, errors.New("it is larger than 1 MiB")
	}
	var certs []*x509.Certificate
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" || len(block.Headers) != 0 {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d in it is broken: %w", len(certs)+1, err)
		}
		certs = append(certs, c)
	}
	if len(certs) == 0 {
		return nil, errors.New("there is no PEM certificate in it")
	}
	if rest := bytes.TrimSpace(data); bytes.Contains(rest, []byte("-----BEGIN")) {
		return nil, errors.New("it ends in the middle of a PEM block")
	}
	return certs, nil
}

// ParseKey reads the private key of a PEM file: SEC 1, PKCS #1 or PKCS #8.
func ParseKey(data []byte) (crypto.Signer, error) {
	if len(data) > maxPEM {
		return nil, errors.New("it is larger than 1 MiB")
	}
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return nil, errors.New("there is no PEM private key in it")
		}
		var key any
		var err error
		switch block.Type {
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return nil, errors.New("its key is encrypted with a passphrase, which is not supported")
		default:
			continue // such as EC PARAMETERS, which openssl writes first
		}
		if err != nil {
			return nil, fmt.Errorf("its %s is broken", block.Type) // err could quote the key
		}
		signer, ok := key.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("its key, a %T, cannot sign", key)
		}
		return signer, nil
	}
}

// ParsePublicKeys reads all public keys of a PEM file, those of private keys and certificates in it included, as
// kube-apiserver reads --service-account-key-file.
func ParsePublicKeys(data []byte) ([]crypto.PublicKey, error) {
	if len(data) > maxPEM {
		return nil, errors.New("it is larger than 1 MiB")
	}
	var keys []crypto.PublicKey
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		switch block.Type {
		case "PUBLIC KEY":
			key, err := x509.ParsePKIXPublicKey(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("public key %d in it is broken: %w", len(keys)+1, err)
			}
			keys = append(keys, key)
		case "RSA PUBLIC KEY":
			key, err := x509.ParsePKCS1PublicKey(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("public key %d in it is broken: %w", len(keys)+1, err)
			}
			keys = append(keys, key)
		case "CERTIFICATE":
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("certificate %d in it is broken: %w", len(keys)+1, err)
			}
			keys = append(keys, c.PublicKey)
		case "EC PRIVATE KEY", "RSA PRIVATE KEY", "PRIVATE KEY":
			key, err := ParseKey(pem.EncodeToMemory(block))
			if err != nil {
				return nil, err
			}
			keys = append(keys, key.Public())
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("there is no PEM public key in it")
	}
	return keys, nil
}
