package e2e

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// attack is one request that ought not to get what it is after.
type attack struct {
	certificates []*tls.Certificate // presented as one chain, the first with its key
	header       http.Header
	method, path string // default: GET /api/v1/namespaces/kube-system/secrets
	body         string
	want         int    // the answer's status code; 0 if the connection does not come about
	says         string // part of the answer
	why          string // part of the decision, which only those may read who run the cluster
}

const secrets = "/api/v1/namespaces/kube-system/secrets"

// victim is a cluster that is attacked.
type victim struct {
	*server
	t      *testing.T
	client *kubernetes.Clientset
	admin  *http.Client
}

func newVictim(t *testing.T, flags ...string) *victim {
	s := newServer(t)
	if err := s.up(flags...); err != nil {
		t.Fatal(err)
	}
	config := s.client(t)
	return &victim{server: s, t: t, client: kubernetes.NewForConfigOrDie(config), admin: httpClient(t, config)}
}

// run makes the attack, and tells what came of it.
func (v *victim) run(t *testing.T, a attack) {
	t.Helper()
	var chain *tls.Certificate
	for _, c := range a.certificates {
		if chain == nil {
			chain = &tls.Certificate{PrivateKey: c.PrivateKey}
		}
		chain.Certificate = append(chain.Certificate, c.Certificate...)
	}
	settings := &tls.Config{InsecureSkipVerify: true} // it is the server that is tested
	if chain != nil {
		settings.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return chain, nil }
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: settings, ForceAttemptHTTP2: true, DisableKeepAlives: true}, Timeout: patience}
	method, path := a.method, a.path
	if method == "" {
		method = http.MethodGet
	}
	if path == "" {
		path = secrets
	}
	r, err := http.NewRequestWithContext(t.Context(), method, v.url+path, strings.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = a.header.Clone()
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if a.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	answer, err := client.Do(r)
	if err != nil {
		if a.want != 0 {
			t.Fatal(err)
		}
		return
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != a.want || !strings.Contains(string(body), a.says) {
		t.Errorf("answered %d: %.600s\nwant %d, and in it: %s", answer.StatusCode, body, a.want, a.says)
	}
	if a.why == "" {
		return
	}
	if decision := v.decision(t, answer.Header.Get("Audit-Id")); !strings.Contains(decision, a.why) {
		t.Errorf("the decision does not say: %s\n%s", a.why, decision)
	}
}

// decision is what was noted of a request, as JSON without escapes of HTML.
func (v *victim) decision(t *testing.T, id string) string {
	t.Helper()
	answer, err := v.admin.Get(v.url + "/apis/coracle.dev/v1alpha1/decisions/" + id)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var any map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&any); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(any); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(b.String(), `\"`, `"`)
}

// authority is one that the cluster made, by its file's name.
func (v *victim) authority(name string) *tls.Certificate {
	v.t.Helper()
	c, err := tls.LoadX509KeyPair(filepath.Join(v.dir, "pki", name+".crt"), filepath.Join(v.dir, "pki", name+".key"))
	if err != nil {
		v.t.Fatal(err)
	}
	return &c
}

// forge issues a certificate for a client called alice, changed as said, by an authority: nil for its own.
func forge(t *testing.T, by *tls.Certificate, change ...func(*x509.Certificate)) *tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "alice", Organization: []string{"system:masters"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, c := range change {
		c(template)
	}
	c, err := issue(template, by)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func asAuthority(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.Subject, c.IsCA, c.BasicConstraintsValid = pkix.Name{CommonName: name}, true, true
		c.KeyUsage, c.ExtKeyUsage = x509.KeyUsageCertSign, nil
	}
}

// Whoever may present any certificate gets in by none but a good one.
func TestAttack_Certificates(t *testing.T) {
	v := newVictim(t)
	ca := v.authority("ca")
	double := forge(t, nil, asAuthority("kubernetes"))
	narrow := forge(t, ca, asAuthority("narrow"), func(c *x509.Certificate) {
		c.PermittedDNSDomainsCritical, c.PermittedDNSDomains = true, []string{"example.com"}
	})
	leaf := forge(t, ca, func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign })
	outside := func(c *x509.Certificate) { c.DNSNames = []string{"kubernetes.default.svc"} }
	deep := []*tls.Certificate{forge(t, ca, asAuthority("link 0"))}
	for n := range 20 {
		deep = append([]*tls.Certificate{forge(t, deep[0], asAuthority(fmt.Sprint("link ", n+1)))}, deep...)
	}
	huge := []*tls.Certificate{forge(t, ca)}
	for range 2000 {
		huge = append(huge, narrow)
	}
	for name, a := range map[string]attack{
		"the wrong authority with the right name": {certificates: []*tls.Certificate{forge(t, double)}, want: 401, why: `was issued by "kubernetes", which is not a trusted authority, or only has its name`},
		"the wrong authority, brought along":      {certificates: []*tls.Certificate{forge(t, double), double}, want: 401, why: `which is not a trusted authority`},
		"signed by itself":                        {certificates: []*tls.Certificate{forge(t, nil)}, want: 401, why: `the certificate of "alice" was issued by "alice", which is not a trusted authority`},
		"expired": {certificates: []*tls.Certificate{forge(t, ca, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-3 * time.Minute) })},
			want: 401, why: `the certificate of "alice" expired 3 minutes ago`},
		"not yet valid": {certificates: []*tls.Certificate{forge(t, ca, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(30 * time.Minute) })},
			want: 401, why: `the certificate of "alice" is not valid for another`},
		"a server's certificate for a client": {certificates: []*tls.Certificate{v.authority("apiserver")}, want: 401, why: `is for servers, not for clients (extended key usage)`},
		"an authority of other names":         {certificates: []*tls.Certificate{forge(t, narrow, outside), narrow}, want: 401, why: `is not permitted by any constraint`},
		"a leaf that plays the authority":     {certificates: []*tls.Certificate{forge(t, leaf), leaf}, want: 401, why: `was issued by "alice", which is not a trusted authority`},
		"a long chain":                        {certificates: append([]*tls.Certificate{forge(t, deep[0])}, deep...), want: 401, why: "the client presented more than 10 certificates"},
		"a huge chain":                        {certificates: huge, want: 0},
		"the proxy's authority for a client":  {certificates: []*tls.Certificate{forge(t, v.authority("front-proxy-ca"))}, want: 401, why: `which is not a trusted authority`},
		"the store's authority for a client":  {certificates: []*tls.Certificate{forge(t, v.authority("etcd/ca"))}, want: 401, why: `which is not a trusted authority`},
		"a name with odd bytes": {certificates: []*tls.Certificate{forge(t, ca, func(c *x509.Certificate) {
			c.Subject = pkix.Name{CommonName: "kubernetes-admin\x00,O=system:masters\n"}
		})}, want: 403, says: `User \"kubernetes-admin\\x00,O=system:masters\\n\" cannot list resource \"secrets\"`},
		"a name that looks alike": {certificates: []*tls.Certificate{forge(t, ca, func(c *x509.Certificate) {
			c.Subject = pkix.Name{CommonName: "kubernetes-аdmin"} // a Cyrillic а
		})}, want: 403},
	} {
		t.Run(name, func(t *testing.T) { v.run(t, a) })
	}
	t.Run("and a good one is let in", func(t *testing.T) { v.run(t, attack{certificates: []*tls.Certificate{forge(t, ca)}, want: 200}) })
}

// A client's certificate does not make a server: who stands where the server should be is not believed.
func TestAttack_ServersThatAreNone(t *testing.T) {
	v := newVictim(t)
	ca := v.authority("ca")
	server := func(by *tls.Certificate, change ...func(*x509.Certificate)) *tls.Certificate {
		return forge(t, by, append([]func(*x509.Certificate){func(c *x509.Certificate) {
			c.ExtKeyUsage, c.DNSNames = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, []string{"localhost"}
		}}, change...)...)
	}
	for name, test := range map[string]struct {
		presents *tls.Certificate
		says     string
	}{
		"a client's certificate": {server(ca, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }), "certificate specifies an incompatible key usage"},
		"another name":           {server(ca, func(c *x509.Certificate) { c.DNSNames = []string{"elsewhere"} }), "certificate is valid for elsewhere, not localhost"},
		"another authority":      {server(forge(t, nil, asAuthority("kubernetes"))), "certificate signed by unknown authority"},
		"expired":                {server(ca, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), "certificate has expired or is not yet valid"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{*test.presents}})
			if err != nil {
				t.Fatal(err)
			}
			impostor := &http.Server{Handler: http.NotFoundHandler()}
			go impostor.Serve(l)
			defer impostor.Close()
			config := v.server.client(t)
			config.Host = strings.Replace("https://"+l.Addr().String(), "127.0.0.1", "localhost", 1)
			answer, err := httpClient(t, config).Get(config.Host + "/api")
			if err == nil {
				answer.Body.Close()
				t.Fatal("the client spoke to an impostor")
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v; want: %s", err, test.says)
			}
		})
	}
}

// The cluster signs nothing that would make its bearer more than it is.
func TestAttack_SigningRequests(t *testing.T) {
	v := newVictim(t)
	asNode := []*tls.Certificate{forge(t, v.authority("ca"), func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: "system:node:node-1", Organization: []string{"system:nodes"}}
	})}
	const requests = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
	request := func(name, signer, subject string, groups []string, usages ...string) string {
		return signingRequest(t, name, signer, pkix.Name{CommonName: subject, Organization: groups}, usages...)
	}
	t.Run("system:masters", func(t *testing.T) {
		v.run(t, attack{certificates: asNode, method: "POST", path: requests, want: 403,
			body: request("masters", "kubernetes.io/kube-apiserver-client", "alice", []string{"system:masters"}, "client auth"),
			says: "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed"})
	})
	t.Run("another node's name", func(t *testing.T) {
		v.run(t, attack{certificates: asNode, method: "POST", path: requests, want: 403,
			body: request("other-node", "kubernetes.io/kube-apiserver-client-kubelet", "system:node:node-2", []string{"system:nodes"}, "digital signature", "client auth"),
			says: "can only create a node CSR with CN=system:node:node-1"})
	})
	t.Run("a node's request for an administrator", func(t *testing.T) {
		v.run(t, attack{certificates: asNode, method: "POST", path: requests, want: 201,
			body: request("admin", "kubernetes.io/kube-apiserver-client", "kubernetes-admin", []string{"kubeadm:cluster-admins"}, "client auth")})
		v.never(t, "admin")
	})
	t.Run("a certificate for a node's own API, for a key that the node did not make", func(t *testing.T) {
		v.run(t, attack{certificates: asNode, method: "POST", path: requests, want: 201,
			body: request("serving", "kubernetes.io/kubelet-serving", "system:node:node-1", []string{"system:nodes"}, "digital signature", "server auth")})
		v.never(t, "serving") // up runs node-1, and approves what that sent
	})
	t.Run("approving one's own", func(t *testing.T) {
		v.run(t, attack{certificates: asNode, method: "PUT", path: requests + "/admin/approval", want: 403, body: request("admin", "kubernetes.io/kube-apiserver-client", "kubernetes-admin", nil, "client auth")})
	})
	t.Run("changed after its approval", func(t *testing.T) {
		v.changedAfterApproval(t, request("approved", "example.com/mine", "bob", nil, "client auth"), request("approved", "example.com/mine", "kubernetes-admin", []string{"system:masters"}, "client auth"))
	})
}

// signingRequest is a CertificateSigningRequest as JSON.
func signingRequest(t *testing.T, name, signer string, subject pkix.Name, usages ...string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: subject}, key)
	if err != nil {
		t.Fatal(err)
	}
	r := &certificatesv1.CertificateSigningRequest{
		TypeMeta:   metav1.TypeMeta{Kind: "CertificateSigningRequest", APIVersion: "certificates.k8s.io/v1"},
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), SignerName: signer,
		},
	}
	for _, u := range usages {
		r.Spec.Usages = append(r.Spec.Usages, certificatesv1.KeyUsage(u))
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// never makes sure that a request of which nobody approves is not signed. A later one that is approved shows that there was
// time to.
func (v *victim) never(t *testing.T, name string) {
	t.Helper()
	api := v.client.CertificatesV1().CertificateSigningRequests()
	after := &certificatesv1.CertificateSigningRequest{}
	body := signingRequest(t, "after-"+name, "kubernetes.io/kube-apiserver-client", pkix.Name{CommonName: "somebody"}, "client auth")
	if err := json.Unmarshal([]byte(body), after); err != nil {
		t.Fatal(err)
	}
	after, err := api.Create(t.Context(), after, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	after.Status.Conditions = append(after.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "Test"})
	if _, err := api.UpdateApproval(t.Context(), after.Name, after, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); len(after.Status.Certificate) == 0; time.Sleep(20 * time.Millisecond) {
		if time.Since(begun) > patience {
			t.Fatal("nothing is signed at all")
		}
		if after, err = api.Get(t.Context(), after.Name, metav1.GetOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := api.Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Status.Certificate) > 0 {
		t.Errorf("%s was signed: %+v", name, got.Status.Conditions)
	}
	for _, c := range got.Status.Conditions {
		if c.Type == certificatesv1.CertificateApproved {
			t.Errorf("%s was approved: %s", name, c.Message)
		}
	}
}

// changedAfterApproval has an approved request replaced by another: what was approved stays.
func (v *victim) changedAfterApproval(t *testing.T, innocent, other string) {
	t.Helper()
	api := v.client.CertificatesV1().CertificateSigningRequests()
	var first, second certificatesv1.CertificateSigningRequest
	for body, into := range map[string]*certificatesv1.CertificateSigningRequest{innocent: &first, other: &second} {
		if err := json.Unmarshal([]byte(body), into); err != nil {
			t.Fatal(err)
		}
	}
	made, err := api.Create(t.Context(), &first, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	made.Status.Conditions = append(made.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "Test"})
	if made, err = api.UpdateApproval(t.Context(), made.Name, made, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	changed := made.DeepCopy()
	changed.Spec = second.Spec
	for what, update := range map[string]func() error{
		"the object": func() error { _, err := api.Update(t.Context(), changed, metav1.UpdateOptions{}); return err },
		"its approval": func() error {
			_, err := api.UpdateApproval(t.Context(), made.Name, changed, metav1.UpdateOptions{})
			return err
		},
		"its status": func() error { _, err := api.UpdateStatus(t.Context(), changed, metav1.UpdateOptions{}); return err },
	} {
		err := update()
		got, gerr := api.Get(t.Context(), made.Name, metav1.GetOptions{})
		if gerr != nil {
			t.Fatal(gerr)
		}
		if !bytes.Equal(got.Spec.Request, first.Spec.Request) {
			t.Errorf("the request was changed through %s (%v)", what, err)
		}
	}
}

func httpClient(t *testing.T, config *rest.Config) *http.Client {
	t.Helper()
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	client.Timeout = patience
	return client
}
