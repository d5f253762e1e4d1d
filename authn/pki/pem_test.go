package pki

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"strings"
	"testing"
)

func TestParseKey_Kinds(t *testing.T) {
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	e, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(e)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := encodeKey(e)
	if err != nil {
		t.Fatal(err)
	}
	rsaPEM, err := encodeKey(r)
	if err != nil {
		t.Fatal(err)
	}
	params := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8, 42, 134, 72, 206, 61, 3, 1, 7}})
	for name, data := range map[string][]byte{
		"SEC 1":               ec,
		"PKCS #1":             rsaPEM,
		"PKCS #8":             pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
		"parameters before":   slices.Concat(params, ec),
		"words before, after": slices.Concat([]byte("a key:\n"), ec, []byte("\nthat was it")),
	} {
		if key, err := ParseKey(data); err != nil || key == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, data := range map[string]string{
		"encrypted": string(pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")})),
		"broken":    string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte("hunter2")})),
		"huge":      strings.Repeat("x", maxPEM+1),
		"public":    string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")})),
	} {
		_, err := ParseKey([]byte(data))
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	key, err := newKey()
	if err != nil {
		f.Fatal(err)
	}
	cert, err := selfSign("x", key, epoch, authorityLifetime)
	if err != nil {
		f.Fatal(err)
	}
	k, _ := encodeKey(key)
	p, _ := encodePublicKey(key.Public())
	f.Add(k)
	f.Add(p)
	f.Add(encodeCertificate(cert))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if certs, err := ParseCertificates(data); err == nil && len(certs) == 0 {
			t.Error("no certificates and no error")
		}
		if key, err := ParseKey(data); err == nil && key == nil {
			t.Error("no key and no error")
		}
		if keys, err := ParsePublicKeys(data); err == nil && len(keys) == 0 {
			t.Error("no public keys and no error")
		}
	})
}
