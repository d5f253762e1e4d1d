package apiserver

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
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
	template, err := os.ReadFile("../e2e/testdata/pod-of-2k.json")
	if err != nil {
		b.Fatal(err)
	}
	pod := func(name string) string { return strings.Replace(string(template), "NAME", name, 1) }
	n := 0
	next := func() string { n++; return fmt.Sprintf("p-%06d", n) }
	do(b, "POST", pods, pod("it"), "application/json")
	whole := strings.Replace(do(b, "GET", pods+"/it", "", ""), `"resourceVersion":"2",`, "", 1)
	for _, c := range []struct {
		name string
		do   func(*testing.B)
	}{
		{"get", func(b *testing.B) { do(b, "GET", pods+"/it", "", "") }},
		{"create", func(b *testing.B) { do(b, "POST", pods, pod(next()), "application/json") }},
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
			do(b, "PATCH", pods+"/it?fieldManager=me&force=true", strings.Replace(pod("it"), "image:1.2.3", "image:"+next(), 1), "application/apply-patch+yaml")
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
