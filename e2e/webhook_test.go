package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
)

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

// TestWebhooks_AreAudited reads what the audit log is told of webhooks.
func TestWebhooks_AreAudited(t *testing.T) {
	s := newServer(t)
	dir := t.TempDir()
	policy, path := filepath.Join(dir, "policy.yaml"), filepath.Join(dir, "audit.log")
	if err := os.WriteFile(policy, []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Request, resources: [{group: '', resources: [configmaps]}]}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.up("--nodes=0", "--audit-policy-file", policy, "--audit-log-path", path); err != nil {
		t.Fatal(err)
	}
	w := &webhooks{Clientset: kubernetes.NewForConfigOrDie(s.client(t))}
	w.namespace(t)
	patching := newHookServer(t, func(_ *admissionv1.AdmissionRequest, r *admissionv1.AdmissionResponse) {
		r.Patch, r.PatchType = []byte(`[{"op":"add","path":"/data/b","value":"2"}]`), new(admissionv1.PatchTypeJSONPatch)
		r.AuditAnnotations = map[string]string{"mood": "fine", "not a/key": "dropped"}
	})
	broken := newHookServer(t, func(_ *admissionv1.AdmissionRequest, r *admissionv1.AdmissionResponse) { r.UID = "other" })
	mayFail := func(h *admissionregistrationv1.MutatingWebhook) {
		h.FailurePolicy = new(admissionregistrationv1.Ignore)
	}
	w.mutating(t, broken.hook("broken.example.com", "/", w.ns, mayFail), patching.hook("patch.example.com", "/", w.ns))
	w.validating(t, broken.hook("broken.example.com", "/", w.ns, mayFail))
	if _, err := w.create(t, "audited", nil, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := s.down(); err != nil { // all is written then
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var event struct {
			Stage, Verb string
			ObjectRef   struct{ Name string }
			Annotations map[string]string
		}
		if err := json.Unmarshal([]byte(line), &event); err != nil || event.Verb != "create" || event.ObjectRef.Name != "audited" || event.Stage != "ResponseComplete" {
			continue
		}
		delete(event.Annotations, "authorization.k8s.io/decision")
		delete(event.Annotations, "authorization.k8s.io/reason")
		want := map[string]string{
			"failed-open.mutation.webhook.admission.k8s.io/round_0_index_0":   "broken.example.com",
			"failed-open.validating.webhook.admission.k8s.io/round_0_index_0": "broken.example.com",
			"mutation.webhook.admission.k8s.io/round_0_index_0":               `{"configuration":"m-` + w.ns + `","webhook":"broken.example.com","mutated":false}`,
			"mutation.webhook.admission.k8s.io/round_0_index_1":               `{"configuration":"m-` + w.ns + `","webhook":"patch.example.com","mutated":true}`,
			"patch.webhook.admission.k8s.io/round_0_index_1":                  `{"configuration":"m-` + w.ns + `","webhook":"patch.example.com","patch":[{"op":"add","path":"/data/b","value":"2"}],"patchType":"JSONPatch"}`,
			"patch.example.com/mood":                                          "fine",
		}
		if diff := cmp.Diff(want, event.Annotations); diff != "" {
			t.Error(diff)
		}
		return
	}
	t.Errorf("no event: %s", text)
}

// TestWebhooks_BehindPods reaches a pod through its node. Simulated pods speak HTTP, which is no way to talk to a webhook.
func TestWebhooks_BehindPods(t *testing.T) {
	s := newServer(t)
	if err := s.up("--nodes=1"); err != nil {
		t.Fatal(err)
	}
	w := &webhooks{Clientset: kubernetes.NewForConfigOrDie(s.client(t))}
	w.namespace(t)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "hook", Labels: map[string]string{"app": "hook"}}, Spec: corev1.PodSpec{
		Containers: []corev1.Container{{Name: "hook", Image: "hook", Ports: []corev1.ContainerPort{{ContainerPort: 8443}}}},
	}}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "hook"}, Spec: corev1.ServiceSpec{
		Selector: pod.Labels, Ports: []corev1.ServicePort{{Port: 443, TargetPort: intstr.FromInt32(8443)}},
	}}
	if _, err := w.CoreV1().Services(w.ns).Create(t.Context(), service, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.CoreV1().Pods(w.ns).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	h := newHookServer(t, nil)
	w.mutating(t, h.hook("pod.example.com", "", w.ns, func(h *admissionregistrationv1.MutatingWebhook) {
		h.ClientConfig.URL = nil
		h.ClientConfig.Service = &admissionregistrationv1.ServiceReference{Namespace: w.ns, Name: "hook"}
	}))
	const want = ".svc:443/?timeout=5s\": http: server gave HTTP response to HTTPS client"
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); ; <-tick.C {
		_, err := w.create(t, "never", nil, metav1.CreateOptions{})
		if err != nil && strings.HasSuffix(err.Error(), want) {
			return
		}
		if time.Since(begun) > patience {
			t.Fatalf("got %v, want ...%s", err, want)
		}
	}
}
