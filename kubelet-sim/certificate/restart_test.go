package certificate

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// running runs a manager until the returned func is called.
func running(t *testing.T, m *Manager) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	synctest.Wait()
	return func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestRestart(t *testing.T) {
	t.Run("a node that was ended while it waited finds its request, and what was approved meanwhile", func(t *testing.T) {
		dir := openDir(t)
		synctest.Test(t, func(t *testing.T) {
			s := newSigner(t)
			running(t, s.manager(dir, Client("worker")))()
			before := s.request()
			if !strings.HasPrefix(before.Name, "node-csr-") || len(before.Name) != len("node-csr-")+43 {
				t.Errorf("the request is called %s, want a digest", before.Name)
			}
			s.sign(time.Hour, nil)
			m := s.manager(dir, Client("worker"))
			defer running(t, m)()
			if after := s.request(); m.Current() == nil || after.Name != before.Name {
				t.Errorf("it asks for %s, and asked for %s before", after.Name, before.Name)
			}
			if _, err := dir.root.Stat("pki/kubelet-client.key.tmp"); !os.IsNotExist(err) {
				t.Errorf("the key stays beside the certificate: %v", err)
			}
		})
	})
	t.Run("who was denied asks for another key", func(t *testing.T) {
		dir := openDir(t)
		synctest.Test(t, func(t *testing.T) {
			s := newSigner(t)
			stop := running(t, s.manager(dir, Client("worker")))
			csr := s.request()
			csr.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateDenied}}
			s.update(csr)
			stop()
			defer running(t, s.manager(dir, Client("worker")))()
			list, err := s.client.CertificatesV1().CertificateSigningRequests().List(t.Context(), metav1.ListOptions{})
			if err != nil || len(list.Items) != 2 {
				t.Errorf("%d requests, want a second one: %v", len(list.Items), err)
			}
		})
	})
	t.Run("a request that is deleted is made again", func(t *testing.T) {
		dir := openDir(t)
		synctest.Test(t, func(t *testing.T) {
			s := newSigner(t)
			m := s.manager(dir, Client("worker"))
			defer running(t, m)()
			if err := s.client.CertificatesV1().CertificateSigningRequests().Delete(t.Context(), s.request().Name, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(firstRetry + time.Second)
			if s.sign(time.Hour, nil); m.Current() == nil {
				t.Error("there is no certificate")
			}
		})
	})
}

func TestIntroduce(t *testing.T) {
	dir := openDir(t)
	synctest.Test(t, func(t *testing.T) {
		s := newSigner(t)
		var introduced, over atomic.Int32
		m := NewManager(Config{
			Name: "kubelet-client", Template: Client("worker"), Dir: dir, Client: s.client, Now: time.Now, Log: slog.New(slog.DiscardHandler),
			Introduce: func(context.Context) (kubernetes.Interface, func(), error) {
				introduced.Add(1)
				return s.client, func() { over.Add(1) }, nil
			},
		})
		stop := running(t, m)
		s.sign(10*time.Hour, nil)
		if m.Wait(t.Context()) != nil || introduced.Load() != 1 || over.Load() != 1 {
			t.Errorf("introduced %d times, and done %d times, want once", introduced.Load(), over.Load())
		}
		time.Sleep(9*time.Hour + 2*time.Second) // its own successor is asked for by the node itself
		if renewed := s.request().Name; introduced.Load() != 1 || !strings.HasPrefix(renewed, "csr-") {
			t.Errorf("introduced %d times for %s, want once, for the first", introduced.Load(), renewed)
		}
		stop()
		time.Sleep(time.Hour) // who has slept past the end comes in anew
		defer running(t, m)()
		time.Sleep(firstRetry)
		synctest.Wait()
		if introduced.Load() != 2 {
			t.Errorf("introduced %d times, want again when the certificate is over", introduced.Load())
		}
	})
}

func TestReplacedFile(t *testing.T) {
	dir, other := openDir(t), openDir(t)
	synctest.Test(t, func(t *testing.T) {
		s := newSigner(t)
		m, elsewhere := s.manager(dir, Client("worker")), s.manager(other, Client("worker"))
		defer running(t, m)()
		s.sign(time.Hour, nil)
		first := m.Current()
		stop := running(t, elsewhere)
		s.sign(2*time.Hour, nil)
		stop()
		data, err := os.ReadFile(other.Path("kubelet-client"))
		if err != nil {
			t.Fatal(err)
		}
		put := func(data []byte) {
			t.Helper()
			if err := dir.write(file("kubelet-client"), data); err != nil {
				t.Fatal(err)
			}
			time.Sleep(lookEvery + time.Millisecond)
			synctest.Wait()
		}
		put([]byte("half of a certi"))
		if m.Current() != first {
			t.Error("what is no certificate replaces one")
		}
		if put(data); !m.Current().Leaf.Equal(elsewhere.Current().Leaf) {
			t.Error("the certificate that somebody put in place is not used")
		}
	})
}

func TestOpenPermissions(t *testing.T) {
	dir := openDir(t)
	synctest.Test(t, func(t *testing.T) {
		s := newSigner(t)
		stop := running(t, s.manager(dir, Client("worker")))
		s.sign(time.Hour, nil)
		stop()
		if err := os.Chmod(dir.Path("kubelet-client"), 0o644); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		m := NewManager(Config{Name: "kubelet-client", Template: Client("worker"), Dir: dir, Now: time.Now, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if m.Current() != nil || !strings.Contains(log.String(), "everybody on this machine may read it (mode 0644)") {
			t.Errorf("a key that everybody may read is used, or nobody hears of it:\n%s", log.String())
		}
	})
}

func TestIssue(t *testing.T) {
	for name, dir := range map[string]*Dir{"on disk": openDir(t), "in memory alone": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, issued := newSigner(t), 0
				m := NewManager(Config{
					Name: "kubelet-server", Template: Serving("worker"), Dir: dir, Now: time.Now, Log: slog.New(slog.DiscardHandler),
					Issue: func() (tls.Certificate, error) {
						issued++
						return s.issue(time.Hour, &x509.Certificate{Subject: Serving("worker").subject(), DNSNames: []string{"worker"}})
					},
				})
				defer running(t, m)()
				time.Sleep(time.Hour + time.Minute)
				synctest.Wait()
				if issued != 2 || s.asked.Load() != 0 || m.Kept() != (dir != nil) {
					t.Errorf("issued %d times and asked for %d times, want 2 and 0", issued, s.asked.Load())
				}
				if left := time.Until(m.Current().Leaf.NotAfter); left < 30*time.Minute {
					t.Errorf("it ends in %s", left)
				}
			})
		})
	}
}

// TestBackdated has certificates of a minute that begin five minutes ago, as a signer of short ones makes them.
func TestBackdated(t *testing.T) {
	dir := openDir(t)
	synctest.Test(t, func(t *testing.T) {
		s := newSigner(t)
		m := s.manager(dir, Client("worker"))
		defer running(t, m)()
		for range 3 {
			s.sign(time.Minute, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(-5 * time.Minute) })
			asked := s.asked.Load()
			if time.Sleep(40 * time.Second); s.asked.Load() != asked {
				t.Errorf("asked %d times in 40 s of a minute", s.asked.Load()-asked)
			}
			if time.Sleep(16 * time.Second); s.asked.Load() != asked+1 {
				t.Errorf("asked %d times in 56 s of a minute, want once", s.asked.Load()-asked)
			}
		}
	})
}
