package apiserver

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"coracle/apiserver/admission"
)

// BenchmarkWrite takes writes of a pod of 2 KB through the whole of the server, but for TLS and fsync.
func BenchmarkWrite(b *testing.B) {
	h := serve(b, admission.DefaultTolerationSeconds{}, admission.NodeTaint{}, admission.StorageProtection{})
	do := func(b *testing.B, method, path, body, contentType string) string {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("User-Agent", "benchmark/v1")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code >= http.StatusMultipleChoices {
			b.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		return w.Body.String()
	}
	const pods = "/api/v1/namespaces/blue/pods"
	n := 0
	next := func() string { n++; return fmt.Sprintf("p-%06d", n) }
	do(b, "POST", pods, benchPod("it"), "application/json")
	whole := strings.Replace(do(b, "GET", pods+"/it", "", ""), `"resourceVersion":"2",`, "", 1)
	for _, c := range []struct {
		name string
		do   func(*testing.B)
	}{
		{"get", func(b *testing.B) { do(b, "GET", pods+"/it", "", "") }},
		{"create", func(b *testing.B) { do(b, "POST", pods, benchPod(next()), "application/json") }},
		{"update", func(b *testing.B) {
			do(b, "PUT", pods+"/it", strings.Replace(whole, "image:1.2.3", "image:"+next(), 1), "application/json")
		}},
		{"patch", func(b *testing.B) {
			do(b, "PATCH", pods+"/it", `{"metadata":{"labels":{"patched":"`+next()+`"}}}`, "application/strategic-merge-patch+json")
		}},
		{"status", func(b *testing.B) {
			do(b, "PATCH", pods+"/it/status", `{"status":{"message":"`+next()+`"}}`, "application/strategic-merge-patch+json")
		}},
		{"apply", func(b *testing.B) {
			do(b, "PATCH", pods+"/it?fieldManager=me", `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"it","labels":{"applied":"`+next()+`"}}}`, "application/apply-patch+yaml")
		}},
		{"apply all", func(b *testing.B) {
			do(b, "PATCH", pods+"/it?fieldManager=me&force=true", strings.Replace(benchPod("it"), "image:1.2.3", "image:"+next(), 1), "application/apply-patch+yaml")
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c.do(b)
			}
		})
	}
}

func benchPod(name string) string {
	env := make([]string, 18)
	for i := range env {
		env[i] = fmt.Sprintf(`{"name":"SETTING_%02d","value":"a value of common length, number %02d"}`, i, i)
	}
	return fmt.Sprintf(`{"apiVersion":"v1","kind":"Pod","metadata":{"name":%q,"labels":{"app":"speed","tier":"front"},"annotations":{"note":"for measuring"}},
"spec":{"schedulerName":"nobody","serviceAccountName":"default","automountServiceAccountToken":false,"terminationGracePeriodSeconds":0,"containers":[{"name":"main","image":"example/image:1.2.3","command":["/bin/run","--fast"],
"ports":[{"containerPort":8080,"name":"http"}],"env":[%s],"resources":{"requests":{"cpu":"100m","memory":"64Mi"},"limits":{"cpu":"1","memory":"128Mi"}},
"volumeMounts":[{"name":"data","mountPath":"/data"}],"readinessProbe":{"httpGet":{"path":"/ready","port":8080}}}],"volumes":[{"name":"data","emptyDir":{}}]}}`, name, strings.Join(env, ","))
}
