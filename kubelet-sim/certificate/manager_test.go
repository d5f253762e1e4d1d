package certificate

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// signer is the other side: what was asked, and an authority to sign it.
type signer struct {
	t      *testing.T
	client *fake.Clientset
	key    *ecdsa.PrivateKey
	asked  atomic.Int32
}

func newSigner(t *testing.T) *signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &signer{t: t, client: fake.NewClientset(), key: key}
	s.client.PrependReactor("create", "certificatesigningrequests", func(a clienttesting.Action) (bool, runtime.Object, error) {
		csr := a.(clienttesting.CreateAction).GetObject().(*certificatesv1.CertificateSigningRequest)
		n := s.asked.Add(1)
		csr.CreationTimestamp = metav1.NewTime(time.Unix(int64(n), 0))
		if csr.UID = types.UID(fmt.Sprint(n)); csr.Name == "" {
			csr.Name = fmt.Sprintf("%s%d", csr.GenerateName, n)
		}
		return false, nil, nil
	})
	return s
}

// request is the newest.
func (s *signer) request() *certificatesv1.CertificateSigningRequest {
	s.t.Helper()
	synctest.Wait()
	list, err := s.client.CertificatesV1().CertificateSigningRequests().List(s.t.Context(), metav1.ListOptions{})
	if err != nil || len(list.Items) == 0 {
		s.t.Fatalf("there are %d requests (%v), want one", len(list.Items), err)
	}
	newest := slices.MaxFunc(list.Items, func(a, b certificatesv1.CertificateSigningRequest) int {
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
	return &newest
}

// sign issues what was asked for, unless change says otherwise.
func (s *signer) sign(life time.Duration, change func(*x509.Certificate)) {
	s.t.Helper()
	csr := s.request()
	block, _ := pem.Decode(csr.Spec.Request)
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		s.t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: request.Subject, DNSNames: request.DNSNames, IPAddresses: request.IPAddresses,
		PublicKey: request.PublicKey, NotBefore: time.Now(), NotAfter: time.Now().Add(life),
	}
	if change != nil {
		change(c)
	}
	der, err := s.certify(c)
	if err != nil {
		s.t.Fatal(err)
	}
	csr.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateApproved}}
	csr.Status.Certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.update(csr)
}

func (s *signer) certify(c *x509.Certificate) ([]byte, error) {
	return x509.CreateCertificate(rand.Reader, c, &x509.Certificate{Subject: pkix.Name{CommonName: "kubernetes"}}, c.PublicKey, s.key)
}

// issue makes a certificate for a new key.
func (s *signer) issue(life time.Duration, c *x509.Certificate) (tls.Certificate, error) {
	key, err := newKey()
	if err != nil {
		return tls.Certificate{}, err
	}
	c.SerialNumber, c.PublicKey, c.NotBefore, c.NotAfter = big.NewInt(1), key.Public(), time.Now(), time.Now().Add(life)
	der, err := s.certify(c)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

func (s *signer) update(csr *certificatesv1.CertificateSigningRequest) {
	s.t.Helper()
	if _, err := s.client.CertificatesV1().CertificateSigningRequests().Update(s.t.Context(), csr, metav1.UpdateOptions{}); err != nil {
		s.t.Fatal(err)
	}
	synctest.Wait()
}

func (s *signer) manager(dir *Dir, t Template) *Manager {
	return NewManager(Config{Name: "kubelet-client", Template: t, Dir: dir, Client: s.client, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
}

func openDir(t *testing.T) *Dir {
	t.Helper()
	dir, err := OpenDir(t.TempDir(), "worker")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	return dir
}

func TestObtain(t *testing.T) {
	for name, test := range map[string]struct {
		template Template
		do       func(*signer)
		wantErr  string
	}{
		"a client's certificate": {template: Client("worker"), do: func(s *signer) { s.sign(time.Hour, nil) }},
		"a server's certificate": {template: Serving("worker", net.IPv4(192, 0, 2, 1)), do: func(s *signer) { s.sign(time.Hour, nil) }},
		"a request that is denied": {template: Client("worker"), wantErr: "certificate signing request is denied, reason: No, message: who are you", do: func(s *signer) {
			csr := s.request()
			csr.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateDenied, Reason: "No", Message: "who are you"}}
			s.update(csr)
		}},
		"a request that cannot be signed": {template: Client("worker"), wantErr: "certificate signing request failed, reason: No, message: no key", do: func(s *signer) {
			csr := s.request()
			csr.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateFailed, Reason: "No", Message: "no key"}}
			s.update(csr)
		}},
		"a request that is deleted": {template: Client("worker"), wantErr: "certificate signing request NAME was deleted", do: func(s *signer) {
			s.client.CertificatesV1().CertificateSigningRequests().Delete(s.t.Context(), s.request().Name, metav1.DeleteOptions{})
		}},
		"a certificate that nobody approved": {template: Client("worker"), wantErr: "certificate signing request NAME was not signed in time: context deadline exceeded", do: func(s *signer) {
			csr := s.request()
			csr.Status.Certificate = []byte("x")
			s.update(csr)
		}},
		"a certificate that is none": {template: Client("worker"), wantErr: "the certificate that was issued cannot be used: tls: failed to find any PEM data in certificate input", do: func(s *signer) {
			csr := s.request()
			csr.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateApproved}}
			csr.Status.Certificate = []byte("x")
			s.update(csr)
		}},
		"a certificate for another key": {template: Client("worker"), wantErr: "the certificate that was issued cannot be used: tls: private key does not match public key", do: func(s *signer) {
			s.sign(time.Hour, func(c *x509.Certificate) { c.PublicKey = s.key.Public() })
		}},
		"a certificate for another node": {template: Client("worker"), wantErr: "the certificate that was issued for NAME is not what was asked for, or not in force now", do: func(s *signer) {
			s.sign(time.Hour, func(c *x509.Certificate) { c.Subject.CommonName = "system:node:other" })
		}},
		"a certificate without the server's address": {template: Serving("worker", net.IPv4(192, 0, 2, 1)), wantErr: "the certificate that was issued for NAME is not what was asked for, or not in force now", do: func(s *signer) {
			s.sign(time.Hour, func(c *x509.Certificate) { c.IPAddresses = nil })
		}},
		"a certificate that is over": {template: Client("worker"), wantErr: "the certificate that was issued for NAME is not what was asked for, or not in force now", do: func(s *signer) {
			s.sign(time.Hour, func(c *x509.Certificate) { c.NotAfter = time.Now() })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := openDir(t)
			synctest.Test(t, func(t *testing.T) {
				s := newSigner(t)
				m := s.manager(dir, test.template)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				done := make(chan error, 1)
				go func() { done <- m.Obtain(ctx) }()
				asked := s.request().Name
				test.do(s)
				err := <-done
				if test.wantErr != "" {
					want := strings.ReplaceAll(test.wantErr, "NAME", asked)
					if err == nil || err.Error() != want || m.Current() != nil || dir.stamp("kubelet-client") != (stamp{}) {
						t.Errorf("%v, want %s, and nothing kept", err, want)
					}
					return
				}
				if err != nil || m.Current() == nil {
					t.Fatalf("%v", err)
				}
				info, err := os.Stat(dir.Path("kubelet-client"))
				if err != nil || info.Mode() != 0o600 {
					t.Errorf("%v, %v: want a file of the owner's alone", info.Mode(), err)
				}
				again := s.manager(dir, test.template)
				if again.Current() == nil || !again.Current().Leaf.Equal(m.Current().Leaf) {
					t.Error("a restart does not find it")
				}
				if other := s.manager(dir, Client("other")); other.Current() != nil {
					t.Error("another node takes it for its own")
				}
				time.Sleep(time.Hour) // the bubble's
				if late := s.manager(dir, test.template); late.Current() != nil {
					t.Error("one that is over is taken for good")
				}
			})
		})
	}
}

func TestTemplate_IsWhatTheSignerAllows(t *testing.T) {
	for name, test := range map[string]struct {
		template Template
		signer   string
		usages   []certificatesv1.KeyUsage
		names    []string
	}{
		"client":  {Client("worker"), "kubernetes.io/kube-apiserver-client-kubelet", []certificatesv1.KeyUsage{"digital signature", "client auth"}, nil},
		"serving": {Serving("worker", net.IPv4(192, 0, 2, 1)), "kubernetes.io/kubelet-serving", []certificatesv1.KeyUsage{"digital signature", "server auth"}, []string{"worker"}},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := newKey()
			if err != nil {
				t.Fatal(err)
			}
			data, err := test.template.request(key)
			if err != nil {
				t.Fatal(err)
			}
			block, _ := pem.Decode(data)
			request, err := x509.ParseCertificateRequest(block.Bytes)
			if err != nil {
				t.Fatal(err)
			}
			if got := request.Subject.String(); got != "CN=system:node:worker,O=system:nodes" {
				t.Error(got)
			}
			if diff := cmp.Diff(test.names, request.DNSNames); diff != "" || len(request.IPAddresses) != len(test.names) {
				t.Errorf("%v (-want +got):\n%s", request.IPAddresses, diff)
			}
			if diff := cmp.Diff(test.usages, test.template.Usages); diff != "" || test.template.Signer != test.signer {
				t.Errorf("%s (-want +got):\n%s", test.template.Signer, diff)
			}
		})
	}
}

func TestRun(t *testing.T) {
	t.Run("a certificate is replaced before its end, and stays in use until then", func(t *testing.T) {
		dir := openDir(t)
		synctest.Test(t, func(t *testing.T) {
			s := newSigner(t)
			m := s.manager(dir, Client("worker"))
			closed := 0
			m.changed = func() { closed++ }
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- m.Run(ctx) }()
			s.sign(10*time.Hour, nil)
			first := m.Current()
			time.Sleep(7*time.Hour - time.Second)
			synctest.Wait()
			if s.asked.Load() != 1 || m.Current() != first {
				t.Errorf("%d requests before its time, want 1", s.asked.Load())
			}
			for range 2*60 + 1 {
				if s.asked.Load() == 2 {
					break
				}
				time.Sleep(time.Minute)
				synctest.Wait()
			}
			if s.asked.Load() != 2 || m.Current() != first {
				t.Errorf("%d requests after nine tenths of its life, want a second, and the first certificate in use", s.asked.Load())
			}
			s.sign(10*time.Hour, nil)
			if m.Current() == first || m.Current() == nil || closed != 2 {
				t.Errorf("the new one is not in use, or connections of the old one are kept (closed %d times)", closed)
			}
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("who is denied does not ask again at once", func(t *testing.T) {
		dir := openDir(t)
		synctest.Test(t, func(t *testing.T) {
			s := newSigner(t)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- s.manager(dir, Client("worker")).Run(ctx) }()
			csr := s.request()
			csr.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateDenied}}
			s.update(csr)
			time.Sleep(lastRetry - time.Second)
			synctest.Wait()
			if s.asked.Load() != 1 {
				t.Errorf("asked %d times", s.asked.Load())
			}
			time.Sleep(2 * time.Second)
			synctest.Wait()
			if s.asked.Load() != 2 {
				t.Errorf("asked %d times, want a second time", s.asked.Load())
			}
			cancel()
			<-done
		})
	})
	t.Run("a server that is away is waited for", func(t *testing.T) {
		dir := openDir(t)
		synctest.Test(t, func(t *testing.T) {
			s := newSigner(t)
			var away atomic.Bool
			away.Store(true)
			s.client.PrependReactor("create", "certificatesigningrequests", func(clienttesting.Action) (bool, runtime.Object, error) {
				return away.Load(), nil, errors.New("connection refused")
			})
			m := s.manager(dir, Client("worker"))
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- m.Run(ctx) }()
			time.Sleep(time.Minute)
			synctest.Wait()
			away.Store(false)
			time.Sleep(time.Minute)
			s.sign(time.Hour, nil)
			if m.Current() == nil {
				t.Error("there is no certificate")
			}
			cancel()
			<-done
		})
	})
}

func TestDir(t *testing.T) {
	t.Run("a name that leads elsewhere is none", func(t *testing.T) {
		for _, name := range []string{"", ".", "..", "../x", "a/b", `a\b`} {
			if dir, err := OpenDir(t.TempDir(), name); err == nil {
				dir.Close()
				t.Errorf("%q is taken", name)
			}
		}
	})
	t.Run("the cluster is remembered", func(t *testing.T) {
		dir := openDir(t)
		if server, _, err := dir.Cluster(); server != "" || err != nil {
			t.Errorf("%s, %v before anything was kept", server, err)
		}
		if err := dir.SaveCluster("https://192.0.2.1:6443", []byte("CA"), "kubelet-client"); err != nil {
			t.Fatal(err)
		}
		server, ca, err := dir.Cluster()
		if server != "https://192.0.2.1:6443" || string(ca) != "CA" || err != nil {
			t.Errorf("%s, %s, %v", server, ca, err)
		}
	})
	t.Run("what is no kubeconfig is told", func(t *testing.T) {
		dir := openDir(t)
		for _, text := range []string{"{", "kind: Config"} {
			if err := dir.write(kubeconfigName, []byte(text)); err != nil {
				t.Fatal(err)
			}
			if _, _, err := dir.Cluster(); err == nil {
				t.Errorf("%q is taken for one", text)
			}
		}
	})
}
