package webhook

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/apiserver/admission"
	"coracle/apiserver/catalog"
	"coracle/apiserver/decision"
	"coracle/storage/cache"
)

// nothing is a cluster without configurations.
type nothing struct{}

func (nothing) Subscribe(schema.GroupResource, func(*cache.Event)) {}
func (nothing) Namespace(string) *corev1.Namespace                 { return nil }

func plugins(t testing.TB) (*Mutating, *Validating, *catalog.Kind) {
	kinds := catalog.New(catalog.Builtin())
	m, v := New(Config{Catalog: kinds, Objects: nothing{}, Now: time.Now, Metrics: NewMetrics(prometheus.NewRegistry()), Log: slog.New(slog.DiscardHandler)})
	return m, v, kinds.ByKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
}

func creation(k *catalog.Kind) *admission.Attributes {
	return &admission.Attributes{
		Operation: admission.Create, Kind: k, Namespace: "blue", Name: "a", User: &user.DefaultInfo{Name: "alice"},
		Object:  &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "a", Namespace: "blue"}, Data: map[string]string{"a": "1"}},
		Options: &metav1.CreateOptions{}, Warn: func(string) {},
	}
}

// answering are n webhooks at one server, each of which answers what is given.
func answering(t *testing.T, n int, answer func(name string, r *admissionv1.AdmissionResponse)) []admissionregistrationv1.MutatingWebhook {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var review admissionv1.AdmissionReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			t.Error(err)
			return
		}
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
		answer(r.URL.Path[1:], review.Response)
		json.NewEncoder(w).Encode(review)
	}))
	t.Cleanup(s.Close)
	hooks := make([]admissionregistrationv1.MutatingWebhook, n)
	for i := range hooks {
		hooks[i] = admissionregistrationv1.MutatingWebhook{
			Name: fmt.Sprintf("%d.example.com", i), AdmissionReviewVersions: []string{"v1"},
			NamespaceSelector: &metav1.LabelSelector{}, ObjectSelector: &metav1.LabelSelector{},
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL: new(fmt.Sprintf("%s/%d", s.URL, i)), CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}),
			},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{"*"},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{"*"}, APIVersions: []string{"*"}, Resources: []string{"*"}},
			}},
		}
	}
	return hooks
}

func (a *asker) configure(h *hooks, name string, configured []admissionregistrationv1.MutatingWebhook) {
	made := make([]*hook, len(configured))
	for i := range configured {
		made[i] = a.newHook(name, i, &configured[i])
	}
	h.set(name, made)
}

func TestValidating_AsksAllAtOnceAndTellsOfEach(t *testing.T) {
	_, v, k := plugins(t)
	v.configure(&v.hooks, "all", answering(t, 8, func(name string, r *admissionv1.AdmissionResponse) {
		r.Warnings = []string{"this is " + name}
		if name == "3" || name == "5" {
			r.Allowed, r.Result = false, &metav1.Status{Message: "not with " + name}
		}
	}))
	a := creation(k)
	warned := 0
	a.Warn = func(string) { warned++ }
	rec := &decision.Record{}
	err := admission.Chain{v}.Validate(decision.With(t.Context(), rec), a)
	if want := `admission webhook "3.example.com" denied the request: not with 3`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if len(rec.Admission) != 1 || len(rec.Admission[0].Called) != 8 || warned != 8 {
		t.Fatalf("recorded %+v, %d warnings", rec.Admission, warned)
	}
	for i, c := range rec.Admission[0].Called {
		want := allowed
		if i == 3 || i == 5 {
			want = denied
		}
		if c.Webhook != fmt.Sprintf("%d.example.com", i) || c.Said != want || c.Took <= 0 {
			t.Errorf("call %d: %+v", i, c)
		}
	}
}

func TestHooks_AreInTheOrderOfTheirConfigurations(t *testing.T) {
	m, _, k := plugins(t)
	hooks := answering(t, 1, func(_ string, r *admissionv1.AdmissionResponse) {
		r.Patch, r.PatchType = []byte(`[{"op":"add","path":"/data/a","value":"2"}]`), new(admissionv1.PatchTypeJSONPatch)
	})
	for _, name := range []string{"b", "c", "a"} {
		m.configure(&m.hooks, name, hooks)
	}
	m.hooks.set("c", nil)
	rec := &decision.Record{}
	a := creation(k)
	if err := (admission.Chain{m}).Mutate(decision.With(t.Context(), rec), a); err != nil {
		t.Fatal(err)
	}
	var order string
	for _, s := range rec.Admission {
		for _, c := range s.Called {
			order += c.Configuration
		}
	}
	if order != "ab" {
		t.Errorf("asked in the order %q, want ab", order)
	}
	if got := a.Object.(*corev1.ConfigMap).Data["a"]; got != "2" {
		t.Errorf("the object has %q", got)
	}
}

// BenchmarkNoWebhooks is what a creation pays for webhooks while there are none.
func BenchmarkNoWebhooks(b *testing.B) {
	m, v, k := plugins(b)
	a, ctx := creation(k), b.Context()
	b.ReportAllocs()
	for b.Loop() {
		if m.Mutate(ctx, a) != nil || v.Validate(ctx, a) != nil {
			b.Fatal("refused")
		}
	}
}
