package bootstraptoken

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// authority is a CA that signs servers.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	return issue(t, nil, &x509.Certificate{
		Subject: pkix.Name{CommonName: "kubernetes"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	})
}

func issue(t *testing.T, by *authority, template *x509.Certificate) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	a := &authority{template, key}
	if by == nil {
		by = a
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

// serve answers as an API server whose certificate the authority signed.
func (a *authority) serve(t *testing.T, handler http.HandlerFunc) (endpoint string) {
	t.Helper()
	leaf := issue(t, a, &x509.Certificate{
		Subject: pkix.Name{CommonName: "kube-apiserver"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.cert.Raw}, PrivateKey: leaf.key}}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// kubeconfig is what a cluster says of itself.
func kubeconfig(t *testing.T, server string, ca []byte) string {
	t.Helper()
	data, err := clientcmd.Write(clientcmdapi.Config{Clusters: map[string]*clientcmdapi.Cluster{"": {Server: server, CertificateAuthorityData: ca}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func says(data map[string]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/v1/namespaces/kube-public/configmaps/cluster-info" || r.Header.Get("Authorization") != "" {
			http.Error(w, "it asks for something else, or shows a credential", http.StatusForbidden)
			return
		}
		json.NewEncoder(w).Encode(corev1.ConfigMap{Data: data})
	}
}

func TestDiscover(t *testing.T) {
	token := Token{"07401b", "f395accd246ae52d"}
	ours, theirs := newAuthority(t), newAuthority(t)
	const url = "https://192.0.2.1:6443"
	good := kubeconfig(t, url, ours.pem())
	signed := func(content string) map[string]string {
		return map[string]string{"kubeconfig": content, "jws-kubeconfig-07401b": Sign(content, token)}
	}
	pinned := Pins{Pin(ours.cert)}
	for name, test := range map[string]struct {
		by      *authority // of the server
		answer  http.HandlerFunc
		pins    Pins
		wantErr string
	}{
		"the cluster is recognised":                        {by: ours, answer: says(signed(good)), pins: pinned},
		"without pins whoever knows the token is believed": {by: theirs, answer: says(signed(good))},
		"a signature by another secret is forged": {by: ours, pins: pinned,
			answer:  says(map[string]string{"kubeconfig": good, "jws-kubeconfig-07401b": Sign(good, Token{"07401b", "0000000000000000"})}),
			wantErr: "failed to verify JWS signature of received cluster info object, can't trust this API Server"},
		"a signature of something else is forged": {by: ours, pins: pinned,
			answer:  says(map[string]string{"kubeconfig": good, "jws-kubeconfig-07401b": Sign(kubeconfig(t, "https://evil:6443", theirs.pem()), token)}),
			wantErr: "failed to verify JWS signature of received cluster info object, can't trust this API Server"},
		"a signature that asks for no algorithm is forged": {by: ours, pins: pinned,
			answer:  says(map[string]string{"kubeconfig": good, "jws-kubeconfig-07401b": "eyJhbGciOiJub25lIiwia2lkIjoiMDc0MDFiIn0.."}),
			wantErr: "failed to verify JWS signature of received cluster info object, can't trust this API Server"},
		"an authority that is not pinned is refused, though somebody who knows the token says so": {by: theirs, pins: pinned,
			answer:  says(signed(kubeconfig(t, url, theirs.pem()))),
			wantErr: "cluster CA found in cluster-info ConfigMap is invalid: none of the public keys \"" + Pin(theirs.cert) + "\" are pinned"},
		"somebody between who passes on what the cluster says is found out": {by: theirs, pins: pinned, answer: says(signed(good)),
			wantErr: "certificate signed by unknown authority"},
		"an authority slipped in beside the pinned one is no help to who did": {by: theirs, pins: pinned,
			answer:  says(signed(kubeconfig(t, url, append(ours.pem(), theirs.pem()...)))),
			wantErr: "certificate signed by unknown authority"},
		"no signature by the token":   {by: ours, pins: pinned, answer: says(map[string]string{"kubeconfig": good}), wantErr: `token id "07401b" is invalid for this cluster or it has expired`},
		"no kubeconfig":               {by: ours, pins: pinned, answer: says(map[string]string{"jws-kubeconfig-07401b": "x"}), wantErr: "there is no kubeconfig key in the cluster-info ConfigMap"},
		"a kubeconfig that is none":   {by: ours, pins: pinned, answer: says(signed("{")), wantErr: "couldn't parse the kubeconfig file in the cluster-info ConfigMap"},
		"a server without TLS":        {by: ours, pins: pinned, answer: says(signed(kubeconfig(t, "http://192.0.2.1:6443", ours.pem()))), wantErr: `"http://192.0.2.1:6443" is no https URL`},
		"a file as the authority":     {by: ours, pins: pinned, answer: says(signed("apiVersion: v1\nkind: Config\nclusters: [{name: '', cluster: {server: 'https://a', certificate-authority: /etc/passwd}}]")), wantErr: "failed to parse cluster CA from the cluster-info ConfigMap"},
		"two clusters":                {by: ours, pins: pinned, answer: says(signed("apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: 'https://a'}}, {name: b, cluster: {server: 'https://b'}}]")), wantErr: "it has 2 clusters"},
		"an answer without end":       {by: ours, pins: pinned, answer: func(w http.ResponseWriter, _ *http.Request) { io.Copy(w, io.LimitReader(zeros{}, 4<<20)) }, wantErr: "is larger than 1048576 bytes"},
		"a redirection elsewhere":     {by: ours, pins: pinned, answer: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "https://evil/", http.StatusFound) }, wantErr: "302 Found"},
		"a refusal is told as it was": {by: ours, pins: pinned, answer: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, `{"message":"no"}`, http.StatusForbidden) }, wantErr: "failed to request the cluster-info ConfigMap: no"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			if test.wantErr == "" {
				ctx = t.Context()
			}
			found, err := Discovery{Endpoint: test.by.serve(t, test.answer), Token: token, Pins: test.pins}.Discover(ctx)
			if test.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), test.wantErr) || strings.Contains(err.Error(), token.Secret) {
					t.Errorf("%v, want %s", err, test.wantErr)
				}
				return
			}
			if err != nil || found.Server != url || string(found.CA) != string(ours.pem()) {
				t.Errorf("%+v, %v", found, err)
			}
		})
	}
	t.Run("what differs over the verified connection is refused", func(t *testing.T) {
		answers := []http.HandlerFunc{says(signed(good)), says(signed(kubeconfig(t, "https://192.0.2.2:6443", ours.pem())))}
		endpoint := ours.serve(t, func(w http.ResponseWriter, r *http.Request) {
			answers[0](w, r)
			answers = answers[1:]
		})
		_, err := Discovery{Endpoint: endpoint, Token: token, Pins: pinned}.Discover(t.Context())
		if err == nil || !strings.Contains(err.Error(), "was different from the first") {
			t.Error(err)
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestSign_IsUpstreams(t *testing.T) { // k8s.io/cluster-bootstrap/token/jws has the same example
	got := Sign("Hello from the other side. I must have called a thousand times.", Token{"joshua", "my voice is my passcode"})
	if want := "eyJhbGciOiJIUzI1NiIsImtpZCI6Impvc2h1YSJ9..VShe2taLd-YTrmWuRkcL_8QTNDHYxQIEBsAYYiIj1_8"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestParsePins(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	for name, test := range map[string]struct{ text, want string }{
		"lower case":      {"sha256:" + hash, ""},
		"upper case":      {"SHA256:" + strings.ToUpper(hash), ""},
		"no format":       {hash, `invalid hash, expected "format:hex-value". Known format(s) are: sha256`},
		"another format":  {"md5:" + hash, `unknown hash format "md5". Known format(s) are: sha256`},
		"too short":       {"sha256:abcd", `invalid hash "sha256:abcd", expected a 32 byte SHA-256 hash, found 2 bytes`},
		"no hexadecimals": {"sha256:xyz", `invalid hash "sha256:xyz", could not decode SHA-256 from hex: encoding/hex: invalid byte: U+0078 'x'`},
	} {
		t.Run(name, func(t *testing.T) {
			pins, err := ParsePins([]string{test.text})
			if test.want == "" && (err != nil || len(pins) != 1 || pins[0] != "sha256:"+hash) {
				t.Errorf("%v, %v", pins, err)
			}
			if test.want != "" && (err == nil || err.Error() != test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

func FuzzReadInfo(f *testing.F) {
	f.Add("apiVersion: v1\nkind: Config\nclusters: [{name: '', cluster: {server: 'https://a'}}]")
	f.Fuzz(func(t *testing.T, content string) {
		if found, authorities, err := readInfo(content); err == nil && (len(authorities) == 0 || !strings.HasPrefix(found.Server, "https://")) {
			t.Errorf("%q is believed", content)
		}
	})
}
