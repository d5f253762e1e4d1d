package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// hookServer answers AdmissionReviews.
type hookServer struct {
	*httptest.Server
	ca []byte

	mu    sync.Mutex
	asked []*admissionv1.AdmissionRequest
}

// answerFunc answers one review, allowed beforehand.
type answerFunc func(*admissionv1.AdmissionRequest, *admissionv1.AdmissionResponse)

func newHookServer(t testing.TB, answer answerFunc) *hookServer {
	h := &hookServer{}
	h.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			t.Errorf("what came is no AdmissionReview: %v", err)
			return
		}
		h.mu.Lock()
		h.asked = append(h.asked, review.Request)
		h.mu.Unlock()
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
		if answer != nil {
			answer(review.Request, review.Response)
		}
		review.Request = nil
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(review)
	}))
	h.Config.ErrorLog = log.New(io.Discard, "", 0)
	h.StartTLS()
	h.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw})
	t.Cleanup(h.Close)
	return h
}

// requests are those that the hook was asked about since the last look.
func (h *hookServer) requests() []*admissionv1.AdmissionRequest {
	h.mu.Lock()
	defer h.mu.Unlock()
	asked := h.asked
	h.asked = nil
	return asked
}

// hook is a webhook at a path of the server, for everything that is created, updated or deleted in one namespace.
func (h *hookServer) hook(name, path, namespace string, change ...func(*admissionregistrationv1.MutatingWebhook)) admissionregistrationv1.MutatingWebhook {
	w := admissionregistrationv1.MutatingWebhook{
		Name:         name,
		ClientConfig: admissionregistrationv1.WebhookClientConfig{URL: new(h.URL + path), CABundle: h.ca},
		Rules: []admissionregistrationv1.RuleWithOperations{{
			Operations: []admissionregistrationv1.OperationType{"CREATE", "UPDATE", "DELETE"},
			Rule:       admissionregistrationv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"configmaps"}},
		}},
		SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
		AdmissionReviewVersions: []string{"v1"},
		TimeoutSeconds:          new(int32(5)),
	}
	if namespace != "" {
		w.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": namespace}}
	}
	for _, f := range change {
		f(&w)
	}
	return w
}

// about makes a hook match other resources.
func about(group, version, resource string, operations ...admissionregistrationv1.OperationType) func(*admissionregistrationv1.MutatingWebhook) {
	return func(w *admissionregistrationv1.MutatingWebhook) {
		w.Rules = []admissionregistrationv1.RuleWithOperations{{
			Operations: operations, Rule: admissionregistrationv1.Rule{APIGroups: []string{group}, APIVersions: []string{version}, Resources: []string{resource}},
		}}
	}
}

func patchOf(t testing.TB, text string) answerFunc {
	return func(_ *admissionv1.AdmissionRequest, r *admissionv1.AdmissionResponse) {
		r.Patch, r.PatchType = []byte(text), new(admissionv1.PatchTypeJSONPatch)
	}
}

// webhooks is a server with a namespace of its own for each test.
type webhooks struct {
	*kubernetes.Clientset
	config   *rest.Config
	ns       string
	warnings *warned
}

type warned struct {
	mu    sync.Mutex
	texts []string
}

func (w *warned) HandleWarningHeader(_ int, _, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.texts = append(w.texts, text)
}

func (w *warned) all() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	texts := w.texts
	w.texts = nil
	return strings.Join(texts, "; ")
}

func (w *webhooks) namespace(t *testing.T) {
	t.Helper()
	ns, err := w.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "hooks-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w.ns = ns.Name
}

func (w *webhooks) mutating(t *testing.T, hooks ...admissionregistrationv1.MutatingWebhook) {
	t.Helper()
	c := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "m-" + w.ns}, Webhooks: hooks}
	if _, err := w.AdmissionregistrationV1().MutatingWebhookConfigurations().Create(t.Context(), c, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := w.AdmissionregistrationV1().MutatingWebhookConfigurations().Delete(context.Background(), c.Name, metav1.DeleteOptions{})
		if err != nil && !utilnet.IsConnectionRefused(err) {
			t.Error(err)
		}
	})
}

func (w *webhooks) validating(t *testing.T, hooks ...admissionregistrationv1.MutatingWebhook) {
	t.Helper()
	c := &admissionregistrationv1.ValidatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "v-" + w.ns}}
	for _, h := range hooks {
		c.Webhooks = append(c.Webhooks, admissionregistrationv1.ValidatingWebhook{
			Name: h.Name, ClientConfig: h.ClientConfig, Rules: h.Rules, FailurePolicy: h.FailurePolicy, MatchPolicy: h.MatchPolicy,
			NamespaceSelector: h.NamespaceSelector, ObjectSelector: h.ObjectSelector, SideEffects: h.SideEffects,
			TimeoutSeconds: h.TimeoutSeconds, AdmissionReviewVersions: h.AdmissionReviewVersions, MatchConditions: h.MatchConditions,
		})
	}
	if _, err := w.AdmissionregistrationV1().ValidatingWebhookConfigurations().Create(t.Context(), c, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := w.AdmissionregistrationV1().ValidatingWebhookConfigurations().Delete(context.Background(), c.Name, metav1.DeleteOptions{})
		if err != nil && !utilnet.IsConnectionRefused(err) {
			t.Error(err)
		}
	})
}

func (w *webhooks) create(t *testing.T, name string, labels map[string]string, opts metav1.CreateOptions) (*corev1.ConfigMap, error) {
	t.Helper()
	return w.CoreV1().ConfigMaps(w.ns).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Data: map[string]string{"a": "1"}}, opts)
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// serviceServer is a hook with a certificate for a service.
func serviceServer(t *testing.T, name string) *hookServer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	h := newHookServer(t, patchOf(t, `[{"op":"add","path":"/data/by","value":"service"}]`))
	own := httptest.NewUnstartedServer(h.Config.Handler)
	own.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	own.StartTLS()
	t.Cleanup(own.Close)
	h.Server, h.ca = own, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return h
}
