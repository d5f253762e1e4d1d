package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

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
			object := strings.ReplaceAll(name, " ", "-")
			_, err := w.create(t, object, tc.labels, metav1.CreateOptions{})
			if tc.err != "" {
				wantError(t, err, tc.err)
			} else if err != nil {
				t.Error(err)
			}
			asked := 0
			for _, q := range h.requests() { // controllers write in a new namespace as well
				if q.Name == object {
					asked++
				}
			}
			if asked != tc.asked {
				t.Errorf("asked %d times, want %d", asked, tc.asked)
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
