package e2e

import (
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

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

// TestWebhooks_CannotKeepTheServerDown: whoever is to remove a webhook that denies everything needs a server.
func TestWebhooks_CannotKeepTheServerDown(t *testing.T) {
	s := newServer(t)
	if err := s.up("--nodes=0"); err != nil {
		t.Fatal(err)
	}
	client := kubernetes.NewForConfigOrDie(s.client(t))
	// A start makes it again.
	const role = "system:discovery"
	if err := client.RbacV1().ClusterRoles().Delete(t.Context(), role, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	gone := newHookServer(t, nil)
	gone.Close()
	all := gone.hook("all.example.com", "", "", about("*", "*", "*/*", "*"))
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "all"}, Webhooks: []admissionregistrationv1.MutatingWebhook{all}}
	if _, err := client.AdmissionregistrationV1().MutatingWebhookConfigurations().Create(t.Context(), configuration, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := s.down(); err != nil {
		t.Fatal(err)
	}
	if err := s.up("--nodes=0"); err != nil {
		t.Fatal(err)
	}
	if _, err := client.RbacV1().ClusterRoles().Get(t.Context(), role, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the webhook was not asked about %s: %v", role, err)
	}
	if err := client.AdmissionregistrationV1().MutatingWebhookConfigurations().Delete(t.Context(), "all", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for begun := time.Now(); ; <-tick.C {
		_, err := client.RbacV1().ClusterRoles().Get(t.Context(), role, metav1.GetOptions{})
		if err == nil {
			return
		}
		if time.Since(begun) > patience {
			t.Fatalf("%s is not made again: %v", role, err)
		}
	}
}
