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
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
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
		if err != nil {
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
		if err != nil {
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

func TestWebhooks(t *testing.T) {
	s := newServer(t)
	if err := s.up("--nodes=0"); err != nil {
		t.Fatal(err)
	}
	config := s.client(t)
	config.QPS = -1
	seen := &warned{}
	config.WarningHandler = seen
	w := &webhooks{Clientset: kubernetes.NewForConfigOrDie(config), config: config, warnings: seen}
	for _, test := range []struct {
		name string
		run  func(*testing.T, *webhooks)
	}{
		{"what is asked, and what a denial says", hooksAreAsked},
		{"a patch changes the object, and a second hook sees it", hooksPatch},
		{"a hook that fails", hooksFail},
		{"which requests match", hooksMatch},
		{"other versions of the same object", hooksEquivalent},
		{"subresources, and what is connected to", hooksSubresources},
		{"reviews and configurations are not shown", hooksExempt},
		{"warnings, dry runs, and decisions", hooksTell},
		{"a hook that came late wants to see it again", hooksReinvoked},
		{"attackers", hooksAttack},
		{"permissions that a hook adds are the writer's to give", hooksEscalate},
		{"services lead to webhooks", hooksService},
	} {
		t.Run(test.name, func(t *testing.T) {
			w.namespace(t)
			seen.all()
			test.run(t, w)
		})
	}
}

func hooksAreAsked(t *testing.T, w *webhooks) {
	h := newHookServer(t, func(q *admissionv1.AdmissionRequest, r *admissionv1.AdmissionResponse) {
		switch q.Name {
		case "silent":
			r.Allowed = false
		case "reasoned":
			r.Allowed, r.Result = false, &metav1.Status{Reason: "Because"}
		case "teapot":
			r.Allowed, r.Result = false, &metav1.Status{Message: "no coffee here", Code: 418, Reason: "Teapot"}
		case "absurd":
			r.Allowed, r.Result = false, &metav1.Status{Message: "what", Code: 12345}
		}
	})
	// What controllers do meanwhile is not asked about.
	w.validating(t, h.hook("asked.example.com", "/", w.ns, condition(`request.userInfo.username == "kubernetes-admin"`)))
	cm, err := w.create(t, "fine", nil, metav1.CreateOptions{FieldManager: "me"})
	if err != nil {
		t.Fatal(err)
	}
	cm.Data["b"] = "2"
	if _, err = w.CoreV1().ConfigMaps(w.ns).Update(t.Context(), cm, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err = w.CoreV1().ConfigMaps(w.ns).Patch(t.Context(), "fine", types.MergePatchType, []byte(`{"data":{"b":"3"}}`), metav1.PatchOptions{FieldManager: "patcher"}); err != nil {
		t.Fatal(err)
	}
	if err := w.CoreV1().ConfigMaps(w.ns).DeleteCollection(t.Context(), metav1.DeleteOptions{}, metav1.ListOptions{FieldSelector: "metadata.name=fine"}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, q := range h.requests() {
		obj, old := &corev1.ConfigMap{}, &corev1.ConfigMap{}
		json.Unmarshal(q.Object.Raw, obj)
		json.Unmarshal(q.OldObject.Raw, old)
		var options metav1.TypeMeta
		json.Unmarshal(q.Options.Raw, &options)
		got = append(got, fmt.Sprintf("%s %s %s/%s %s.%s %v->%v %s %s by %s", q.Operation, q.Resource.Resource, q.Namespace, q.Name,
			obj.Kind, old.Kind, old.Data, obj.Data, options.APIVersion, options.Kind, q.UserInfo.Username))
		if obj.Kind != "" && (obj.UID == "" || len(obj.ManagedFields) == 0) {
			t.Errorf("%s: the object is not as it is about to be stored: %s", q.Operation, q.Object.Raw)
		}
	}
	ns := w.ns
	want := []string{
		"CREATE configmaps " + ns + "/fine ConfigMap. map[]->map[a:1] meta.k8s.io/v1 CreateOptions by kubernetes-admin",
		"UPDATE configmaps " + ns + "/fine ConfigMap.ConfigMap map[a:1]->map[a:1 b:2] meta.k8s.io/v1 UpdateOptions by kubernetes-admin",
		"UPDATE configmaps " + ns + "/fine ConfigMap.ConfigMap map[a:1 b:2]->map[a:1 b:3] meta.k8s.io/v1 UpdateOptions by kubernetes-admin",
		"DELETE configmaps " + ns + "/ .ConfigMap map[a:1 b:3]->map[] meta.k8s.io/v1 DeleteOptions by kubernetes-admin",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("asked:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	_, err = w.create(t, "silent", nil, metav1.CreateOptions{})
	wantError(t, err, `admission webhook "asked.example.com" denied the request without explanation`)
	_, err = w.create(t, "reasoned", nil, metav1.CreateOptions{})
	wantError(t, err, `admission webhook "asked.example.com" denied the request: Because`)
	_, err = w.create(t, "teapot", nil, metav1.CreateOptions{})
	wantError(t, err, `admission webhook "asked.example.com" denied the request: no coffee here`)
	if status := apierrors.APIStatus(nil); err != nil {
		status = err.(apierrors.APIStatus)
		if status.Status().Code != 418 || status.Status().Reason != "Teapot" {
			t.Errorf("the webhook's status is lost: %+v", status.Status())
		}
	}
	_, err = w.create(t, "absurd", nil, metav1.CreateOptions{})
	wantError(t, err, `admission webhook "asked.example.com" denied the request: what`)

	// A name is made after the mutating webhooks and before the validating ones.
	h.requests()
	made, err := w.CoreV1().ConfigMaps(ns).Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "g-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if q := h.requests(); len(q) != 1 || q[0].Name != made.Name {
		t.Errorf("a generated name is not shown: %+v", q)
	}
}

func hooksPatch(t *testing.T, w *webhooks) {
	first := newHookServer(t, patchOf(t, `[{"op":"add","path":"/data/first","value":"yes"},{"op":"add","path":"/metadata/labels","value":{"by":"first"}}]`))
	second := newHookServer(t, func(q *admissionv1.AdmissionRequest, r *admissionv1.AdmissionResponse) {
		if !strings.Contains(string(q.Object.Raw), `"first":"yes"`) {
			r.Allowed = false
		}
		r.Patch, r.PatchType = []byte(`[{"op":"add","path":"/data/second","value":"too"}]`), new(admissionv1.PatchTypeJSONPatch)
	})
	old := newHookServer(t, func(_ *admissionv1.AdmissionRequest, r *admissionv1.AdmissionResponse) {
		r.UID, r.Patch = "", []byte(`[{"op":"add","path":"/data/beta","value":"1"}]`)
	})
	w.mutating(t, first.hook("first.example.com", "/", w.ns), second.hook("second.example.com", "/", w.ns, func(h *admissionregistrationv1.MutatingWebhook) {
		h.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"by": "first"}}
	}), old.hook("old.example.com", "/", w.ns, func(h *admissionregistrationv1.MutatingWebhook) {
		h.AdmissionReviewVersions = []string{"v2", "v1beta1"}
	}))
	cm, err := w.create(t, "one", nil, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(cm.Data); got != "map[a:1 beta:1 first:yes second:too]" {
		t.Errorf("the object has %s", got)
	}
	for _, m := range cm.ManagedFields {
		if strings.Contains(string(m.FieldsV1.Raw), "f:first") {
			t.Errorf("what a webhook set belongs to %s", m.Manager)
		}
	}
	err = w.CoreV1().ConfigMaps(w.ns).Delete(t.Context(), "one", metav1.DeleteOptions{})
	wantError(t, err, `Internal error occurred: admission webhook "first.example.com" attempted to modify the object, which is not supported for this operation`)
}

func hooksFail(t *testing.T, w *webhooks) {
	broken := newHookServer(t, nil)
	broken.Server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/500":
			http.Error(rw, "boom", 500)
		case "/garbage":
			io.WriteString(rw, "<html>")
		case "/none":
			io.WriteString(rw, `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}`)
		case "/slow":
			select {
			case <-r.Context().Done():
			case <-time.After(patience):
			}
		}
	})
	url := broken.URL
	for path, want := range map[string]string{
		"/500":     `failed to call webhook: an error on the server ("boom") has prevented the request from succeeding`,
		"/garbage": `failed to call webhook: couldn't get version/kind; json parse error: json: cannot unmarshal string into Go value of type struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }`,
		"/none":    `received invalid webhook response: webhook response was absent`,
		"/slow":    `failed to call webhook: Post "` + url + `/slow?timeout=1s": context deadline exceeded`,
		"/empty":   `failed to call webhook: 0-length response with status code: 200 and content type: application/json`,
	} {
		t.Run(path[1:], func(t *testing.T) {
			w.validating(t, broken.hook("broken.example.com", path, w.ns, func(h *admissionregistrationv1.MutatingWebhook) { h.TimeoutSeconds = new(int32(1)) }))
			_, err := w.create(t, "never", nil, metav1.CreateOptions{})
			wantError(t, err, `Internal error occurred: failed calling webhook "broken.example.com": `+want)
		})
	}
	t.Run("ignored", func(t *testing.T) {
		w.mutating(t, broken.hook("broken.example.com", "/500", w.ns, func(h *admissionregistrationv1.MutatingWebhook) {
			h.FailurePolicy = new(admissionregistrationv1.Ignore)
		}))
		w.validating(t, broken.hook("broken.example.com", "/garbage", w.ns, func(h *admissionregistrationv1.MutatingWebhook) {
			h.FailurePolicy = new(admissionregistrationv1.Ignore)
		}))
		if _, err := w.create(t, "anyway", nil, metav1.CreateOptions{}); err != nil {
			t.Error(err)
		}
	})
	t.Run("not there", func(t *testing.T) {
		gone := newHookServer(t, nil)
		gone.Close()
		w.validating(t, gone.hook("gone.example.com", "", w.ns))
		_, err := w.create(t, "never", nil, metav1.CreateOptions{})
		address := strings.TrimPrefix(gone.URL, "https://")
		wantError(t, err, `Internal error occurred: failed calling webhook "gone.example.com": failed to call webhook: Post "`+gone.URL+`/?timeout=5s": dial tcp `+address+`: connect: connection refused`)
	})
	t.Run("a stranger", func(t *testing.T) {
		stranger := newHookServer(t, nil)
		w.validating(t, stranger.hook("stranger.example.com", "/", w.ns, func(h *admissionregistrationv1.MutatingWebhook) { h.ClientConfig.CABundle = nil }))
		_, err := w.create(t, "never", nil, metav1.CreateOptions{})
		if err == nil || !strings.Contains(err.Error(), "tls: failed to verify certificate: x509: certificate signed by unknown authority") {
			t.Error(err)
		}
		if len(stranger.requests()) > 0 {
			t.Error("an object was sent to a stranger")
		}
	})
}

func hooksMatch(t *testing.T, w *webhooks) {
	for name, tc := range map[string]struct {
		change func(*admissionregistrationv1.MutatingWebhook)
		labels map[string]string
		asked  int
		err    string
	}{
		"everything of every group":            {change: about("*", "*", "*/*", "*"), asked: 1},
		"another version":                      {change: about("", "v2", "configmaps", "*")},
		"another operation":                    {change: about("", "v1", "configmaps", "UPDATE")},
		"subresources alone":                   {change: about("", "v1", "configmaps/*", "*"), asked: 1},
		"a subresource":                        {change: about("", "v1", "configmaps/status", "*")},
		"what is in no namespace":              {change: scoped(admissionregistrationv1.ClusterScope)},
		"what is in a namespace":               {change: scoped(admissionregistrationv1.NamespacedScope), asked: 1},
		"a label that it has":                  {change: labelled("app", "web"), labels: map[string]string{"app": "web"}, asked: 1},
		"a label that it has not":              {change: labelled("app", "web")},
		"a condition that holds":               {change: condition(`object.data.a == "1" && request.operation == "CREATE"`), asked: 1},
		"a condition that does not":            {change: condition(`object.data.a == "2"`)},
		"a condition that asks the authorizer": {change: condition(`authorizer.group("").resource("secrets").namespace("default").check("get").allowed()`), asked: 1},
		"a condition that fails": {
			change: condition(`object.data.missing == "2"`),
			err:    `configmaps "a-condition-that-fails" is forbidden: expression 'object.data.missing == "2"' resulted in error: no such key: missing`,
		},
		"a condition that fails and may": {change: func(h *admissionregistrationv1.MutatingWebhook) {
			condition(`object.data.missing == "2"`)(h)
			h.FailurePolicy = new(admissionregistrationv1.Ignore)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHookServer(t, nil)
			w.mutating(t, h.hook("match.example.com", "/", w.ns, tc.change))
			_, err := w.create(t, strings.ReplaceAll(name, " ", "-"), tc.labels, metav1.CreateOptions{})
			if tc.err != "" {
				wantError(t, err, tc.err)
			} else if err != nil {
				t.Error(err)
			}
			if n := len(h.requests()); n != tc.asked {
				t.Errorf("asked %d times, want %d", n, tc.asked)
			}
		})
	}
	t.Run("a label that it had", func(t *testing.T) {
		if _, err := w.create(t, "had", map[string]string{"app": "web"}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		h := newHookServer(t, nil)
		w.mutating(t, h.hook("match.example.com", "/", w.ns, labelled("app", "web")))
		if _, err := w.CoreV1().ConfigMaps(w.ns).Patch(t.Context(), "had", types.JSONPatchType, []byte(`[{"op":"remove","path":"/metadata/labels"}]`), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		if n := len(h.requests()); n != 1 {
			t.Errorf("asked %d times: whoever takes off a label would get out of sight", n)
		}
	})
	t.Run("namespaces themselves", func(t *testing.T) {
		h := newHookServer(t, nil)
		w.mutating(t, h.hook("match.example.com", "/", "", about("", "v1", "namespaces", "*"), func(h *admissionregistrationv1.MutatingWebhook) {
			h.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": w.ns}}
		}))
		for _, labels := range []map[string]string{{"team": w.ns}, nil} {
			if _, err := w.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "of-", Labels: labels}}, metav1.CreateOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(h.requests()); n != 1 {
			t.Errorf("asked %d times, want 1", n)
		}
	})
}

func scoped(scope admissionregistrationv1.ScopeType) func(*admissionregistrationv1.MutatingWebhook) {
	return func(h *admissionregistrationv1.MutatingWebhook) { h.Rules[0].Scope = &scope }
}

func labelled(key, value string) func(*admissionregistrationv1.MutatingWebhook) {
	return func(h *admissionregistrationv1.MutatingWebhook) {
		h.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{key: value}}
	}
}

func condition(expression string) func(*admissionregistrationv1.MutatingWebhook) {
	return func(h *admissionregistrationv1.MutatingWebhook) {
		h.MatchConditions = []admissionregistrationv1.MatchCondition{{Name: "it", Expression: expression}}
	}
}

func hooksEquivalent(t *testing.T, w *webhooks) {
	h := newHookServer(t, func(q *admissionv1.AdmissionRequest, r *admissionv1.AdmissionResponse) {
		// In v1 it is a field of its own.
		r.Patch, r.PatchType = []byte(`[{"op":"replace","path":"/spec/targetCPUUtilizationPercentage","value":55}]`), new(admissionv1.PatchTypeJSONPatch)
	})
	exact := newHookServer(t, nil)
	w.mutating(t, h.hook("v1.example.com", "/", w.ns, about("autoscaling", "v1", "horizontalpodautoscalers", "CREATE")),
		exact.hook("exact.example.com", "/", w.ns, about("autoscaling", "v1", "horizontalpodautoscalers", "CREATE"), func(h *admissionregistrationv1.MutatingWebhook) {
			h.MatchPolicy = new(admissionregistrationv1.Exact)
		}))
	made, err := w.AutoscalingV2().HorizontalPodAutoscalers(w.ns).Create(t.Context(), &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Name: "web"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}, MaxReplicas: 3,
			Metrics: []autoscalingv2.MetricSpec{{Type: "Resource", Resource: &autoscalingv2.ResourceMetricSource{
				Name: "cpu", Target: autoscalingv2.MetricTarget{Type: "Utilization", AverageUtilization: new(int32(80))},
			}}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if n := *made.Spec.Metrics[0].Resource.Target.AverageUtilization; n != 55 {
		t.Errorf("the target is %d, want what the webhook set in another version", n)
	}
	q := h.requests()
	if len(q) != 1 || q[0].Kind.Version != "v1" || q[0].Resource.Version != "v1" || q[0].RequestKind.Version != "v2" || q[0].RequestResource.Version != "v2" {
		t.Fatalf("asked %+v", q)
	}
	var shown autoscalingv1.HorizontalPodAutoscaler
	if err := json.Unmarshal(q[0].Object.Raw, &shown); err != nil || shown.APIVersion != "autoscaling/v1" || *shown.Spec.TargetCPUUtilizationPercentage != 80 {
		t.Errorf("shown as %s", q[0].Object.Raw)
	}
	if n := len(exact.requests()); n != 0 {
		t.Errorf("a webhook that wants one version alone was asked %d times", n)
	}
}

func hooksSubresources(t *testing.T, w *webhooks) {
	h := newHookServer(t, func(q *admissionv1.AdmissionRequest, r *admissionv1.AdmissionResponse) {
		switch q.SubResource {
		case "scale":
			r.Patch, r.PatchType = []byte(`[{"op":"replace","path":"/spec/replicas","value":2}]`), new(admissionv1.PatchTypeJSONPatch)
		case "exec":
			r.Allowed, r.Result = false, &metav1.Status{Message: "nobody gets in", Code: 403}
		}
	})
	client := w.CoreV1()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}}}
	if _, err := client.Pods(w.ns).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	rc := &corev1.ReplicationController{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Spec: corev1.ReplicationControllerSpec{
		Replicas: new(int32(0)), Selector: map[string]string{"app": "none"},
		Template: &corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "none"}}, Spec: pod.Spec},
	}}
	if _, err := client.ReplicationControllers(w.ns).Create(t.Context(), rc, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.mutating(t, h.hook("sub.example.com", "/", w.ns, about("", "v1", "*/*", "*"), func(h *admissionregistrationv1.MutatingWebhook) {
		h.Rules[0].Resources = []string{"pods/exec", "pods/binding", "pods/eviction", "serviceaccounts/token", "replicationcontrollers/scale", "pods", "pods/status"}
		// What controllers do meanwhile is not asked about.
		h.MatchConditions = []admissionregistrationv1.MatchCondition{{Name: "mine", Expression: `request.userInfo.username == "kubernetes-admin"`}}
	}))
	scale, err := client.ReplicationControllers(w.ns).UpdateScale(t.Context(), "web", &autoscalingv1.Scale{
		ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: w.ns}, Spec: autoscalingv1.ScaleSpec{Replicas: 5},
	}, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if scale.Spec.Replicas != 2 {
		t.Errorf("scaled to %d, want the webhook's 2", scale.Spec.Replicas)
	}
	if _, err := client.ServiceAccounts(w.ns).CreateToken(t.Context(), "default", &authenticationv1.TokenRequest{}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := client.Pods(w.ns).Bind(t.Context(), &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: "web"}, Target: corev1.ObjectReference{Name: "node-9"}}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	err = client.RESTClient().Post().Namespace(w.ns).Resource("pods").Name("web").SubResource("exec").
		Param("command", "sh").Param("container", "web").Param("stdin", "true").Do(t.Context()).Error()
	wantError(t, err, `admission webhook "sub.example.com" denied the request: nobody gets in`)
	if err := client.RESTClient().Post().Namespace(w.ns).Resource("pods").Name("web").SubResource("eviction").
		Body([]byte(`{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"web"}}`)).SetHeader("Content-Type", "application/json").Do(t.Context()).Error(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, q := range h.requests() {
		var obj metav1.TypeMeta
		json.Unmarshal(q.Object.Raw, &obj)
		got = append(got, fmt.Sprintf("%s %s/%s %s %s/%s %s", q.Operation, q.Resource.Resource, q.SubResource, q.Name, q.Kind.Group, q.Kind.Kind, obj.Kind))
		if q.SubResource == "exec" {
			var o corev1.PodExecOptions
			if err := json.Unmarshal(q.Object.Raw, &o); err != nil || !o.Stdin || o.TTY || o.Container != "web" || fmt.Sprint(o.Command) != "[sh]" {
				t.Errorf("exec is shown as %s", q.Object.Raw)
			}
		}
	}
	want := []string{
		"UPDATE replicationcontrollers/scale web autoscaling/Scale Scale",
		"CREATE serviceaccounts/token default authentication.k8s.io/TokenRequest TokenRequest",
		"CREATE pods/binding web /Binding Binding",
		"CONNECT pods/exec web /PodExecOptions PodExecOptions",
		"CREATE pods/eviction web policy/Eviction Eviction",
	}
	got = slices.Compact(got) // an update that somebody else's comes before is admitted again
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("asked:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func hooksExempt(t *testing.T, w *webhooks) {
	h := newHookServer(t, func(_ *admissionv1.AdmissionRequest, r *admissionv1.AdmissionResponse) { r.Allowed = false })
	all := h.hook("all.example.com", "/", "", about("*", "*", "*/*", "*"), condition(`request.userInfo.username == "kubernetes-admin"`))
	w.mutating(t, all)
	w.validating(t, all)
	if _, err := w.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := w.AuthenticationV1().TokenReviews().Create(t.Context(), &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: "x"}}, metav1.CreateOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := w.create(t, "never", nil, metav1.CreateOptions{}); err == nil {
		t.Error("all is denied, and this is not")
	}
	c := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "another"}}
	if _, err := w.AdmissionregistrationV1().MutatingWebhookConfigurations().Create(t.Context(), c, metav1.CreateOptions{}); err != nil {
		t.Error(err)
	}
	if err := w.AdmissionregistrationV1().MutatingWebhookConfigurations().Delete(t.Context(), c.Name, metav1.DeleteOptions{}); err != nil {
		t.Error("a webhook that denies everything could not be removed:", err)
	}
}

func hooksTell(t *testing.T, w *webhooks) {
	h := newHookServer(t, func(q *admissionv1.AdmissionRequest, r *admissionv1.AdmissionResponse) {
		r.Warnings = []string{"mind the gap"}
		r.Patch, r.PatchType = []byte(`[{"op":"add","path":"/data/password","value":"hunter2"}]`), new(admissionv1.PatchTypeJSONPatch)
	})
	w.mutating(t, h.hook("tell.example.com", "/", w.ns, func(h *admissionregistrationv1.MutatingWebhook) {
		h.SideEffects = new(admissionregistrationv1.SideEffectClassNoneOnDryRun)
	}))
	cm, err := w.create(t, "dry", nil, metav1.CreateOptions{DryRun: []string{"All"}})
	if err != nil || cm.Data["password"] == "" {
		t.Errorf("%v, %v", cm, err)
	}
	if q := h.requests(); len(q) != 1 || !*q[0].DryRun {
		t.Errorf("a dry run is told of as %+v", q)
	}
	if got := w.warnings.all(); got != "mind the gap" {
		t.Errorf("warnings: %q", got)
	}
	var decisions struct {
		Items []struct {
			Request   struct{ Resource, Namespace string }
			Admission []struct {
				Plugin string
				Called []struct {
					Configuration, Webhook, Took, Said string
					Changed                            []string
				}
			}
		}
	}
	text, err := w.CoreV1().RESTClient().Get().AbsPath("/apis/coracle.dev/v1alpha1/decisions").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "hunter2") {
		t.Error("a decision holds a value that a webhook set")
	}
	if err := json.Unmarshal(text, &decisions); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, d := range decisions.Items {
		if d.Request.Resource != "configmaps" || d.Request.Namespace != w.ns {
			continue
		}
		for _, a := range d.Admission {
			for _, c := range a.Called {
				found = true
				if a.Plugin != "MutatingAdmissionWebhook" || c.Configuration != "m-"+w.ns || c.Webhook != "tell.example.com" || c.Said != "allowed" || c.Took == "" || fmt.Sprint(c.Changed) != "[add /data/password]" {
					t.Errorf("%+v", a)
				}
			}
		}
	}
	if !found {
		t.Errorf("no decision tells of the webhook: %s", text)
	}
	metrics, err := w.CoreV1().RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := `apiserver_admission_webhook_request_total{code="200",name="tell.example.com",operation="CREATE",rejected="false",type="admit"} 1`; !strings.Contains(string(metrics), want) {
		t.Errorf("no %s in the metrics", want)
	}
}

func hooksReinvoked(t *testing.T, w *webhooks) {
	count := func(key string) answerFunc {
		return func(q *admissionv1.AdmissionRequest, r *admissionv1.AdmissionResponse) {
			var cm corev1.ConfigMap
			json.Unmarshal(q.Object.Raw, &cm)
			r.Patch = fmt.Appendf(nil, `[{"op":"add","path":"/data/%s","value":%q}]`, key, cm.Data[key]+"x")
			r.PatchType = new(admissionv1.PatchTypeJSONPatch)
		}
	}
	again := func(h *admissionregistrationv1.MutatingWebhook) {
		h.ReinvocationPolicy = new(admissionregistrationv1.IfNeededReinvocationPolicy)
	}
	a, b, c := newHookServer(t, count("first")), newHookServer(t, count("second")), newHookServer(t, count("third"))
	w.mutating(t, a.hook("a.example.com", "/", w.ns, again), b.hook("b.example.com", "/", w.ns), c.hook("c.example.com", "/", w.ns, again))
	cm, err := w.create(t, "counted", nil, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// Each changes the object whenever it is asked, and would be asked for ever.
	if got := fmt.Sprint(cm.Data); got != "map[a:1 first:xx second:x third:xx]" {
		t.Errorf("the object has %s", got)
	}
}

func hooksAttack(t *testing.T, w *webhooks) {
	elsewhere := newHookServer(t, nil)
	evil := newHookServer(t, nil)
	evil.Server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(rw, r, elsewhere.URL, http.StatusTemporaryRedirect)
		case "/endless":
			rw.Header().Set("Content-Type", "application/json")
			io.WriteString(rw, `{"kind":"`)
			chunk := []byte(strings.Repeat("A", 1<<20))
			for range 1 << 10 {
				if _, err := rw.Write(chunk); err != nil {
					return
				}
			}
		case "/drip":
			for {
				if _, err := io.WriteString(rw, " "); err != nil {
					return
				}
				http.NewResponseController(rw).Flush()
				select {
				case <-r.Context().Done():
					return
				case <-time.After(50 * time.Millisecond):
				}
			}
		case "/deep":
			io.WriteString(rw, `{"response":`+strings.Repeat(`{"a":`, 100000))
		}
	})
	patched := func(text string) *hookServer { return newHookServer(t, patchOf(t, text)) }
	namespace, uid := patched(`[{"op":"add","path":"/metadata/namespace","value":"kube-system"}]`), patched(`[{"op":"add","path":"/metadata/uid","value":"mine"}]`)
	kind := patched(`[{"op":"replace","path":"/kind","value":"Secret"}]`)
	owners := patched(`[{"op":"add","path":"/metadata/managedFields","value":[{"manager":"x","operation":"Nonsense"}]}]`)
	many := patched(`[` + strings.Repeat(`{"op":"add","path":"/data/x","value":"1"},`, 10000) + `{"op":"remove","path":"/data/x"}]`)
	copies := patched(`[` +
		`{"op":"add","path":"/metadata/a","value":{"b":"` + strings.Repeat("x", 100000) + `"}}` + doubling("/metadata/a") + `]`)
	other := newHookServer(t, func(_ *admissionv1.AdmissionRequest, r *admissionv1.AdmissionResponse) { r.UID = "another" })
	looks := newHookServer(t, patchOf(t, `[{"op":"add","path":"/data/x","value":"1"}]`))
	for name, tc := range map[string]struct {
		hook *hookServer
		path string
		look bool
		want string // that the error contains; "" for none
	}{
		"redirects":                    {hook: evil, path: "/redirect", want: "the webhook redirects, which is not followed"},
		"answers without end":          {hook: evil, path: "/endless", want: "the answer is larger than 8388608 bytes"},
		"answers a byte at a time":     {hook: evil, path: "/drip", want: "context deadline exceeded"},
		"answers deeply nested":        {hook: evil, path: "/deep", want: "failed to call webhook: couldn't get version/kind; json parse error: invalid character '{' exceeded max depth"},
		"answers another question":     {hook: other, want: `got "another"`},
		"changes the namespace":        {hook: namespace, want: "the namespace of the provided object does not match the namespace sent on the request"},
		"changes the kind":             {hook: kind, want: "the patch made a /v1, Kind=Secret of a /v1, Kind=ConfigMap"},
		"patches too much":             {hook: many, want: "the allowed maximum operations in a JSON patch is 10000, got 10001"},
		"copies what it has copied":    {hook: copies, want: "Unable to complete the copy"},
		"may only look, and changes":   {hook: looks, look: true, want: "validating webhook may not return response.patch"},
		"changes the UID":              {hook: uid},
		"writes nonsense about owners": {hook: owners},
	} {
		t.Run(name, func(t *testing.T) {
			install := w.mutating
			if tc.look {
				install = w.validating
			}
			install(t, tc.hook.hook("evil.example.com", tc.path, w.ns, func(h *admissionregistrationv1.MutatingWebhook) { h.TimeoutSeconds = new(int32(2)) }))
			cm, err := w.create(t, strings.ReplaceAll(strings.ToLower(strings.ReplaceAll(name, ",", "")), " ", "-"), nil, metav1.CreateOptions{})
			switch {
			case tc.want == "" && err != nil:
				t.Error(err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got %v, want %s", err, tc.want)
			case tc.want == "" && (cm.UID == "mine" || len(cm.ManagedFields) != 1 || cm.ManagedFields[0].Operation == "Nonsense"):
				t.Errorf("%+v", cm.ObjectMeta)
			}
		})
	}
	if len(elsewhere.requests()) > 0 {
		t.Error("a redirection was followed")
	}
	t.Run("changes the UID of what is there", func(t *testing.T) {
		if _, err := w.create(t, "there", nil, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		w.mutating(t, uid.hook("evil.example.com", "/", w.ns))
		_, err := w.CoreV1().ConfigMaps(w.ns).Patch(t.Context(), "there", types.MergePatchType, []byte(`{"data":{"b":"3"}}`), metav1.PatchOptions{})
		wantError(t, err, `ConfigMap "there" is invalid: metadata.uid: Invalid value: "mine": field is immutable`)
	})
}

// A webhook that adds rules to a role must not let its writer give away what they do not have.
func hooksEscalate(t *testing.T, w *webhooks) {
	h := newHookServer(t, patchOf(t, `[{"op":"add","path":"/rules/-","value":{"apiGroups":["*"],"resources":["*"],"verbs":["*"]}}]`))
	w.mutating(t, h.hook("roles.example.com", "/", w.ns, about("rbac.authorization.k8s.io", "v1", "roles", "*")))
	if _, err := w.RbacV1().RoleBindings(w.ns).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "alice"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "admin"},
		Subjects: []rbacv1.Subject{{Kind: "User", APIGroup: rbacv1.GroupName, Name: "alice"}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	as := rest.CopyConfig(w.config)
	as.Impersonate.UserName = "alice"
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "reader"}, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get"}}}}
	_, err := kubernetes.NewForConfigOrDie(as).RbacV1().Roles(w.ns).Create(t.Context(), role, metav1.CreateOptions{})
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "attempting to grant RBAC permissions not currently held") {
		t.Errorf("got %v", err)
	}
}

func hooksService(t *testing.T, w *webhooks) {
	h := newHookServer(t, nil)
	behind := func(name string) func(*admissionregistrationv1.MutatingWebhook) {
		return func(h *admissionregistrationv1.MutatingWebhook) {
			h.ClientConfig.URL = nil
			h.ClientConfig.Service = &admissionregistrationv1.ServiceReference{Namespace: w.ns, Name: name, Path: new("/mutate"), Port: new(int32(8443))}
		}
	}
	if _, err := w.CoreV1().Services(w.ns).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "empty"}, Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 8443}}},
	}, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"missing": `service "missing" not found`,
		"empty":   `no endpoints available for service "empty"`,
	} {
		t.Run(name, func(t *testing.T) {
			w.mutating(t, h.hook("service.example.com", "", w.ns, behind(name)))
			_, err := w.create(t, "never", nil, metav1.CreateOptions{})
			wantError(t, err, `Internal error occurred: failed calling webhook "service.example.com": failed to call webhook: Post "https://`+name+`.`+w.ns+`.svc:8443/mutate?timeout=5s": `+want)
		})
	}
	t.Run("outside", func(t *testing.T) {
		h := serviceServer(t, "outside."+w.ns+".svc")
		_, port, err := net.SplitHostPort(h.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		number, err := strconv.ParseInt(port, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.CoreV1().Services(w.ns).Create(t.Context(), &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: "outside"}, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"},
		}, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		w.mutating(t, h.hook("service.example.com", "", w.ns, behind("outside"), func(h *admissionregistrationv1.MutatingWebhook) {
			h.ClientConfig.Service.Port = new(int32(number))
		}))
		cm, err := w.create(t, "outside", nil, metav1.CreateOptions{})
		if err != nil || cm.Data["by"] != "service" {
			t.Errorf("%v, %v", cm, err)
		}
	})
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
