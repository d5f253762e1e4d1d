package podcertificate

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// world is a node with one pod, and a signer, which the test is itself.
type world struct {
	*testing.T
	ctx     context.Context
	client  *fake.Clientset
	manager *Manager
	pod     *corev1.Pod
	wanted  *corev1.PodCertificateProjection
	events  []string
	told    int
	create  func(*certificatesv1.PodCertificateRequest) error // refuses requests, if it wants to
}

func inWorld(t *testing.T, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		w := &world{
			T: t, ctx: ctx,
			client: fake.NewClientset(
				&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", UID: "node-uid"}},
				&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "robot", UID: "account-uid"}},
			),
			pod: &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "web", UID: "pod-uid"},
				Spec:       corev1.PodSpec{ServiceAccountName: "robot", NodeName: "n1"},
			},
			wanted: &corev1.PodCertificateProjection{
				SignerName: "example.com/boats", KeyType: "ECDSAP256", MaxExpirationSeconds: new(int32(7200)),
				UserAnnotations: map[string]string{"example.com/san": "web"},
			},
		}
		number := 0
		w.client.PrependReactor("create", "podcertificaterequests", func(action clienttesting.Action) (bool, runtime.Object, error) {
			r := action.(clienttesting.CreateActionImpl).GetObject().(*certificatesv1.PodCertificateRequest)
			if w.create != nil {
				if err := w.create(r); err != nil {
					return true, nil, err
				}
			}
			number++
			r.Name, r.CreationTimestamp = r.GenerateName+string(rune('0'+number)), metav1.Now()
			return false, nil, nil
		})
		w.manager = New(Config{
			NodeName: "n1", Client: w.client, Now: time.Now, Log: slog.New(slog.DiscardHandler),
			Event: func(pod *corev1.Pod, kind, reason, message string) {
				w.events = append(w.events, kind+" "+reason+": "+message)
			},
			Notify: func(types.UID) { w.told++ },
		})
		defer w.manager.Wait()
		defer stop()
		test(w)
	})
}

// ask is what the pod's worker does when it sets up the volume.
func (w *world) ask() (Credential, time.Time, error) {
	defer synctest.Wait()
	return w.manager.PodCertificate(w.ctx, w.pod, "tls", 0, w.wanted)
}

// wantError asks, and is to be refused.
func (w *world) wantError(want string) {
	w.Helper()
	if _, _, err := w.ask(); err == nil || err.Error() != want {
		w.Errorf("error %v, want %s", err, want)
	}
}

// request is the one that was made last, or nil.
func (w *world) request() *certificatesv1.PodCertificateRequest {
	w.Helper()
	list, err := w.client.CertificatesV1().PodCertificateRequests("blue").List(w.ctx, metav1.ListOptions{})
	if err != nil {
		w.Fatal(err)
	}
	if len(list.Items) == 0 {
		return nil
	}
	return &list.Items[len(list.Items)-1]
}

// answer writes an end to the last request.
func (w *world) answer(kind string, change func(*certificatesv1.PodCertificateRequestStatus)) {
	w.Helper()
	r := w.request()
	r.Status.Conditions = []metav1.Condition{{Type: kind, Status: metav1.ConditionTrue, Reason: "BecauseISaySo", Message: "so there"}}
	if change != nil {
		change(&r.Status)
	}
	if _, err := w.client.CertificatesV1().PodCertificateRequests("blue").UpdateStatus(w.ctx, r, metav1.UpdateOptions{}); err != nil {
		w.Fatal(err)
	}
	synctest.Wait()
}

// issue signs the last request for two hours, with much that does not belong into a chain.
func (w *world) issue() (serial int64) {
	w.Helper()
	request, err := x509.ParseCertificateRequest(w.request().Spec.StubPKCS10Request)
	if err != nil || request.CheckSignature() != nil {
		w.Fatalf("no proof of the key: %v", err)
	}
	ca, err := generate("ED25519")
	if err != nil {
		w.Fatal(err)
	}
	serial = time.Now().UnixNano()
	parent := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "boats"}}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Now(), NotAfter: time.Now().Add(2 * time.Hour)}
	der, err := x509.CreateCertificate(nil, leaf, parent, request.PublicKey, ca)
	if err != nil {
		w.Fatal(err)
	}
	w.answer("Issued", func(s *certificatesv1.PodCertificateRequestStatus) {
		s.CertificateChain = "a comment\n" + string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Headers: map[string]string{"a": "b"}, Bytes: der}))
		s.NotBefore, s.BeginRefreshAt, s.NotAfter = new(metav1.Now()), new(metav1.NewTime(time.Now().Add(time.Hour))), new(metav1.NewTime(leaf.NotAfter))
	})
	return serial
}

// serial asks, and is that of the certificate which the pod has, with the key that belongs to it.
func (w *world) serial() int64 {
	w.Helper()
	c, _, err := w.ask()
	if err != nil {
		w.Fatal(err)
	}
	pair, err := tls.X509KeyPair(c.Chain, c.Key)
	if err != nil {
		w.Fatalf("%v\n%s%s", err, c.Key, c.Chain)
	}
	if block, rest := pem.Decode(c.Chain); len(block.Headers)+len(rest) != 0 || string(pem.EncodeToMemory(block)) != string(c.Chain) {
		w.Errorf("a chain with something else in it:\n%s", c.Chain)
	}
	return pair.Leaf.SerialNumber.Int64()
}

func TestPodCertificate_AsksInThePodsName(t *testing.T) {
	inWorld(t, func(w *world) {
		w.wantError("credential bundle is not issued yet")
		want := &certificatesv1.PodCertificateRequest{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: "blue", Name: "req-1", GenerateName: "req-", CreationTimestamp: metav1.Now(),
				OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: "web", UID: "pod-uid"}},
			},
			Spec: certificatesv1.PodCertificateRequestSpec{
				SignerName: "example.com/boats", PodName: "web", PodUID: "pod-uid", ServiceAccountName: "robot", ServiceAccountUID: "account-uid",
				NodeName: "n1", NodeUID: "node-uid", MaxExpirationSeconds: new(int32(7200)),
				UnverifiedUserAnnotations: map[string]string{"example.com/san": "web"},
			},
		}
		got := w.request()
		proof := got.Spec.StubPKCS10Request
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(certificatesv1.PodCertificateRequestSpec{}, "StubPKCS10Request"), cmpopts.IgnoreFields(metav1.ObjectMeta{}, "ManagedFields", "ResourceVersion"), cmpopts.IgnoreTypes(metav1.TypeMeta{})); diff != "" {
			t.Errorf("request (-want +got):\n%s", diff)
		}
		if stub, err := x509.ParseCertificateRequest(proof); err != nil || stub.CheckSignature() != nil || stub.Subject.String() != "" {
			t.Errorf("the proof: %v", err)
		}
		for _, action := range w.client.Actions() {
			if watch, ok := action.(clienttesting.WatchAction); ok && watch.GetWatchRestrictions().Fields.String() != "spec.nodeName=n1" {
				t.Errorf("watches %v: more than a node may", watch)
			}
		}
		w.wantError("credential bundle is not issued yet")
		serial := w.issue()
		if w.told != 1 {
			t.Errorf("told %d times", w.told)
		}
		if got := w.serial(); got != serial {
			t.Errorf("certificate %d, want %d", got, serial)
		}
		w.manager.Forget("pod-uid")
		w.wantError("credential bundle is not issued yet")
	})
}

func TestPodCertificate_Keys(t *testing.T) {
	for _, kind := range []string{"RSA3072", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"} {
		t.Run(kind, func(t *testing.T) {
			key, proof, err := keyAndProof(kind)
			if err != nil {
				t.Fatal(err)
			}
			request, err := x509.ParseCertificateRequest(proof)
			if err != nil {
				t.Fatal(err)
			}
			block, rest := pem.Decode(key)
			private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil || len(rest) != 0 {
				t.Fatalf("%v, and %d bytes more", err, len(rest))
			}
			public := private.(crypto.Signer).Public().(interface{ Equal(crypto.PublicKey) bool })
			if request.CheckSignature() != nil || !public.Equal(request.PublicKey) {
				t.Error("the request proves another key")
			}
		})
	}
	if _, _, err := keyAndProof("DSA"); err == nil || err.Error() != `unknown key type "DSA"` {
		t.Errorf("an unknown type: %v", err)
	}
}

func TestPodCertificate_IsReplacedInTime(t *testing.T) {
	inWorld(t, func(w *world) {
		w.wantError("credential bundle is not issued yet")
		begin := time.Now()
		first := w.issue()
		_, next, err := w.ask()
		if early, late := begin.Add(time.Hour), begin.Add(time.Hour+jitter+time.Millisecond); err != nil || next.Before(early) || next.After(late) {
			t.Fatalf("%v, next at %v, want between %v and %v", err, next, early, late)
		}
		time.Sleep(time.Until(next) - time.Second)
		w.ask()
		if name := w.request().Name; name != "req-1" {
			t.Errorf("asked too early: %s", name)
		}
		time.Sleep(time.Second)
		if got := w.serial(); got != first {
			t.Errorf("while the next is under way: %d, want %d", got, first)
		}
		if name := w.request().Name; name != "req-2" {
			t.Errorf("not asked in time: %s", name)
		}
		second := w.issue()
		if got := w.serial(); got != second {
			t.Errorf("afterwards: %d, want %d", got, second)
		}
		if len(w.events) != 0 {
			t.Errorf("events %q", w.events)
		}
	})
}

func TestPodCertificate_TellsOfTime(t *testing.T) {
	inWorld(t, func(w *world) {
		w.wantError("credential bundle is not issued yet")
		begin := time.Now()
		first := w.issue()
		at := map[string]time.Duration{}
		for seen := 0; time.Since(begin) < 3*time.Hour; {
			_, next, err := w.ask()
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range w.events[seen:] {
				at[e] = time.Since(begin)
			}
			seen = len(w.events)
			if next.IsZero() {
				break
			}
			time.Sleep(time.Until(next))
		}
		want := []string{"Warning CertificateOverdueForRefresh: PodCertificate refresh overdue", "Warning CertificateExpired: PodCertificate expired"}
		if diff := cmp.Diff(want, w.events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if after := at[want[0]]; after < time.Hour+overdueAfter || after > time.Hour+overdueAfter+jitter+time.Second {
			t.Errorf("overdue after %v", after)
		}
		if after := at[want[1]]; after < 2*time.Hour || after > 2*time.Hour+time.Second {
			t.Errorf("expired after %v", after)
		}
		if got := w.serial(); got != first {
			t.Errorf("the old one is all there is, and got %d", got)
		}
	})
}

func TestPodCertificate_RefusedForGood(t *testing.T) {
	for kind, want := range map[string]struct{ err, event string }{
		"Denied": {`PodCertificateRequest was permanently denied: reason="BecauseISaySo" message="so there"`,
			`Warning Denied: PodCertificateRequest blue/req-1 was denied, reason="BecauseISaySo", message="so there"`},
		"Failed": {`PodCertificateRequest was permanently failed: reason="BecauseISaySo" message="so there"`,
			`Warning Failed: PodCertificateRequest blue/req-1 failed, reason="BecauseISaySo", message="so there"`},
	} {
		t.Run(kind, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.wantError("credential bundle is not issued yet")
				w.answer(kind, nil)
				w.wantError(want.err)
				time.Sleep(time.Hour)
				w.wantError(want.err)
				if diff := cmp.Diff([]string{want.event}, w.events); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
				if name := w.request().Name; name != "req-1" {
					t.Errorf("asked again: %s", name)
				}
			})
		})
	}
}

// Somebody deletes a request that nobody has answered: after a while another is made, with another key.
func TestPodCertificate_LostRequest(t *testing.T) {
	inWorld(t, func(w *world) {
		w.wantError("credential bundle is not issued yet")
		first := w.request()
		if err := w.client.CertificatesV1().PodCertificateRequests("blue").Delete(w.ctx, first.Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(lostAfter - time.Second)
		w.wantError("credential bundle is not issued yet")
		if w.request() != nil {
			t.Error("asked again at once")
		}
		time.Sleep(jitter + 2*time.Second)
		w.wantError("credential bundle is not issued yet")
		second := w.request()
		if second == nil || slices.Equal(second.Spec.StubPKCS10Request, first.Spec.StubPKCS10Request) {
			t.Fatal("not asked again, or for the same key")
		}
		if serial := w.issue(); w.serial() != serial {
			t.Error("another certificate than the one issued")
		}
	})
}

func TestPodCertificate_ServerRefuses(t *testing.T) {
	inWorld(t, func(w *world) {
		var refuse atomic.Bool
		refuse.Store(true)
		w.create = func(*certificatesv1.PodCertificateRequest) error {
			if refuse.Load() {
				return errors.New("the server is busy")
			}
			return nil
		}
		w.wantError("credential bundle is not issued yet")
		refuse.Store(false)
		w.wantError("credential bundle is not issued yet")
		first := w.issue()
		if got := w.serial(); got != first {
			t.Errorf("certificate %d, want %d", got, first)
		}
		refuse.Store(true)
		time.Sleep(time.Hour + jitter)
		_, next, err := w.ask()
		if wait := time.Until(next); err != nil || wait != askAgain {
			t.Errorf("error %v, again after %v; want the old one, and %v", err, wait, askAgain)
		}
		refuse.Store(false)
		w.ask()
		if second := w.issue(); w.serial() != second {
			t.Error("not the second certificate")
		}
	})
}
