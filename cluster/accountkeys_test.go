package cluster

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"coracle/authn/pki"
	"coracle/authn/token"
)

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func private(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
}

func public(t *testing.T, keys ...crypto.Signer) []byte {
	t.Helper()
	var out bytes.Buffer
	for _, key := range keys {
		der, err := x509.MarshalPKIXPublicKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		pem.Encode(&out, &pem.Block{Type: "PUBLIC KEY", Bytes: der})
	}
	return out.Bytes()
}

// write replaces a file as editors and mounted Secrets do: by another one.
func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// The keys go from the cluster's own to one of a file, and on to a third, and nobody is logged out on the way.
func TestAccountKeys_Rotate(t *testing.T) {
	dir := t.TempDir()
	own, err := pki.Open(filepath.Join(dir, "pki"), pki.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	signingFile, furtherFile := filepath.Join(dir, "signing.key"), filepath.Join(dir, "further.pub")
	second, third := newKey(t), newKey(t)
	write(t, signingFile, private(t, second))
	write(t, furtherFile, public(t, second))
	a := &authentication{}
	keys, err := a.accountKeys(Config{Authentication: Authentication{
		ServiceAccountSigningKeyFile: signingFile, ServiceAccountKeyFiles: []string{furtherFile},
	}}, own)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(k *token.Keys) string {
		t.Helper()
		raw, err := (&token.Issuer{URL: "us", Keys: k}).Bound(token.Request{Account: &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "robot"}}})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	reload := func() (errs []string) {
		for _, f := range a.files {
			if _, err := f.Reload(t.Context()); err != nil {
				errs = append(errs, err.Error())
			}
		}
		return errs
	}
	check := func(when string, want map[string]bool, tokens map[string]string) {
		t.Helper()
		for name, raw := range tokens {
			if _, err := keys.Current().Verify(raw); (err == nil) != want[name] {
				t.Errorf("%s, the token of the %s key: %v", when, name, err)
			}
		}
	}
	ownKeys, err := token.NewKeys(own.ServiceAccountKey())
	if err != nil {
		t.Fatal(err)
	}
	tokens := map[string]string{"own": sign(ownKeys), "second": sign(keys)}
	check("in the beginning", map[string]bool{"own": true, "second": true}, tokens)

	write(t, furtherFile, public(t, second, third)) // relying parties learn of the third,
	reload()
	if n := len(keys.Current().Keys()); n != 3 {
		t.Errorf("%d keys are published, want 3", n)
	}
	write(t, signingFile, private(t, third)) // it signs,
	reload()
	tokens["third"] = sign(keys)
	check("with the third key", map[string]bool{"own": true, "second": true, "third": true}, tokens)

	write(t, signingFile, []byte("no key")) // a mistake changes nothing,
	if errs := reload(); len(errs) != 1 || !strings.Contains(errs[0], "there is no PEM private key in it") {
		t.Errorf("%q", errs)
	}
	check("after a mistake", map[string]bool{"own": true, "second": true, "third": true}, tokens)

	write(t, signingFile, private(t, third))
	write(t, furtherFile, public(t, third)) // and the second goes when its tokens are over.
	reload()
	check("without the second", map[string]bool{"own": true, "second": false, "third": true}, tokens)
}
