package catalog

import (
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"
)

// signedBy is a request by an RSA key of so many bits, with a signature that is as long, and is none.
func signedBy(t *testing.T, bits uint) []byte {
	t.Helper()
	modulus := new(big.Int).Lsh(big.NewInt(1), bits-1)
	modulus.SetBit(modulus, 0, 1)
	must := func(v any) []byte {
		b, err := asn1.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	text := func(b []byte) asn1.BitString { return asn1.BitString{Bytes: b, BitLength: len(b) * 8} }
	null := asn1.RawValue{Tag: asn1.TagNull}
	type key struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	type body struct {
		Version int
		Subject asn1.RawValue
		Key     key
		More    asn1.RawValue
	}
	der := must(struct {
		Body      body
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{
		body{
			Subject: asn1.RawValue{FullBytes: must(pkix.Name{CommonName: "eve"}.ToRDNSequence())},
			Key: key{pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, Parameters: null}, text(must(struct {
				N *big.Int
				E int
			}{modulus, 65537}))},
			More: asn1.RawValue{Class: asn1.ClassContextSpecific, IsCompound: true},
		},
		pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, Parameters: null},
		text(bytes.Repeat([]byte{0x55}, int(bits/8))),
	})
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

// The time that a signature takes grows with the square of the key: a request of two megabytes would be worked on for hours.
func TestAttack_SigningRequestOfALongKey(t *testing.T) {
	if err := checkRequest(signedBy(t, longestKey)); err == nil || err.Error() != "crypto/rsa: verification error" {
		t.Errorf("a key that is checked: %v", err)
	}
	begun := time.Now()
	err := checkRequest(signedBy(t, 1<<22))
	if took := time.Since(begun); took > 5*time.Second || err == nil || !strings.Contains(err.Error(), "an RSA key of 4194304 bits is too long") {
		t.Errorf("a long key: %v after %s", err, took)
	}
}
