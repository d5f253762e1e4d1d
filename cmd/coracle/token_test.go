package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// decode runs `coracle token decode` where there is no cluster to ask.
func decode(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	t.Setenv("KUBECONFIG", filepath.Join(t.TempDir(), "none"))
	var out bytes.Buffer
	cmd := root("1.2.3", "coracle")
	cmd.SetIn(strings.NewReader(stdin))
	cmd.SetOut(&out)
	cmd.SetArgs(append([]string{"token", "decode"}, args...))
	err := cmd.Execute()
	return out.String(), err
}

// signed makes a token, and a data directory whose key signed it.
func signed(t *testing.T, claims jwt.MapClaims) (raw, dataDir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	dataDir = t.TempDir()
	if err := os.Mkdir(filepath.Join(dataDir, "pki"), 0o700); err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	if err := os.WriteFile(filepath.Join(dataDir, "pki", "sa.pub"), public, 0o600); err != nil {
		t.Fatal(err)
	}
	raw, err = jwt.NewWithClaims(jwt.SigningMethodES256, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return raw, dataDir
}

func TestTokenDecode_WithoutACluster(t *testing.T) {
	bound := jwt.MapClaims{
		"iss": "https://kubernetes.default.svc.cluster.local", "sub": "system:serviceaccount:blue:robot", "aud": []string{"vault"},
		"exp": time.Now().Add(90 * time.Minute).Unix(), "kubernetes.io": map[string]any{
			"namespace": "blue", "serviceaccount": map[string]string{"name": "robot", "uid": "u-1"}, "pod": map[string]string{"name": "web", "uid": "u-2"},
		},
	}
	for _, c := range []struct {
		name   string
		claims jwt.MapClaims
		spoil  func(string) string
		want   []string
	}{
		{"its own key's token", bound, nil, []string{"robot (uid u-1)", "web (uid u-2)", "deleting this pod ends the token", ", in 1 hour", "signed by the key in "}},
		{"an expired one", jwt.MapClaims{"iss": "a", "exp": 1500000000}, nil, []string{"2017-07-14T02:40:00Z", "and expired"}},
		{"a changed one", bound, func(raw string) string { return raw[:strings.LastIndexByte(raw, '.')] + "." + strings.Repeat("A", 86) },
			[]string{"not valid: the key in ", "it is of another cluster, or was changed"}},
		{"an unsigned one", bound, func(raw string) string { return "eyJhbGciOiJub25lIn0" + raw[strings.IndexByte(raw, '.'):] },
			[]string{"not signed at all: a forgery", "not valid"}},
		{"a legacy one", jwt.MapClaims{"iss": "kubernetes/serviceaccount", "kubernetes.io/serviceaccount/secret.name": "robot-token"}, nil,
			[]string{"it never expires", "the Secret that it is kept in", "until what it depends on is deleted"}},
		{"one that writes on the terminal", jwt.MapClaims{"sub": "a\x1b[2Jb\n\nHere\n  valid"}, nil, []string{`"a\x1b[2Jb\n\nHere\n  valid"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw, dir := signed(t, c.claims)
			if c.spoil != nil {
				raw = c.spoil(raw)
			}
			got, err := decode(t, raw+"\n", "-", "--data-dir", dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range c.want {
				if !strings.Contains(got, w) {
					t.Errorf("the text lacks %q:\n%s", w, got)
				}
			}
			if strings.Contains(got, raw[strings.LastIndexByte(raw, '.')+1:]) {
				t.Errorf("the text shows the signature:\n%s", got)
			}
		})
	}
}

func TestTokenDecode_Refusals(t *testing.T) {
	file := filepath.Join(t.TempDir(), "huge")
	if err := os.WriteFile(file, bytes.Repeat([]byte("a"), maxTokenFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, stdin string
		args        []string
		want        string
	}{
		{"nothing", "", nil, "standard input is empty, and should hold a token"},
		{"a word that is no file is not repeated, for it may be a secret", "", []string{"hunter2"}, "the argument is neither a JSON Web Token, which has three parts with dots between them, nor a file"},
		{"too much", "", []string{file}, file + " holds more than 64 KiB, which no token has"},
		{"a bootstrap token", "07401b.f395accd246ae52d", nil, "this is a bootstrap token, ID.SECRET: what it means is in the Secret kube-system/bootstrap-token-07401b"},
		{"a header that is no base64", "e*.e30.x", nil, "the token's header cannot be decoded: it is not base64url; was it cut off, or copied with a line break in it?"},
		{"claims that are a list", "e30.W10.x", nil, "the token's claims cannot be decoded: it is not a JSON object"},
		{"claims that are null", "e30.bnVsbA.x", nil, "the token's claims cannot be decoded: it is not a JSON object"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := decode(t, c.stdin, c.args...)
			if err == nil || err.Error() != c.want {
				t.Errorf("error %q, want %q", err, c.want)
			}
		})
	}
}

func FuzzDecodeToken(f *testing.F) {
	f.Add("e30.e30.x")
	f.Add("eyJhbGciOiJub25lIn0.eyJleHAiOjFlOTksImF1ZCI6W251bGxdLCJrdWJlcm5ldGVzLmlvIjp7InBvZCI6e319fQ.x")
	f.Fuzz(func(t *testing.T, raw string) {
		d, err := decodeToken(raw)
		if err != nil {
			return
		}
		var out bytes.Buffer
		tellToken(&out, d, time.Unix(0, 0))
		if strings.ContainsAny(out.String(), "\x00\x1b\r") {
			t.Errorf("control characters reach the terminal: %q", out.String())
		}
	})
}
