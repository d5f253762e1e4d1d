package apiserver

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// As Kubernetes counts: most kinds take an empty list for none, some do not, and one begins with nothing.
func TestWhatTheGenerationCounts(t *testing.T) {
	const policies, budgets, drivers = "/apis/networking.k8s.io/v1/namespaces/blue/networkpolicies", "/apis/policy/v1/namespaces/blue/poddisruptionbudgets", "/apis/storage.k8s.io/v1/csidrivers"
	h := serve(t)
	generation := func(request, body string) any {
		t.Helper()
		w, got := ask(t, h, request, body)
		if w.Code >= 300 {
			t.Fatalf("%s: %d: %s", request, w.Code, w.Body)
		}
		return got["metadata"].(map[string]any)["generation"]
	}
	ask(t, h, "POST /api/v1/namespaces", namespace)
	got := map[string][]any{
		"a network policy": {
			generation("POST "+policies, `{"apiVersion":"networking.k8s.io/v1","kind":"NetworkPolicy","metadata":{"name":"a"},"spec":{"podSelector":{}}}`),
			generation("PATCH+merge "+policies+"/a", `{"spec":{"egress":[]}}`),
			generation("PATCH+merge "+policies+"/a", `{"spec":{"egress":[]}}`),
			generation("PATCH+merge "+policies+"/a", `{"spec":{"podSelector":{"matchLabels":{}}}}`),
			generation("PATCH+merge "+policies+"/a", `{"spec":{"podSelector":{"matchLabels":null}}}`),
		},
		"a budget": {
			generation("POST "+budgets, `{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"a"},"spec":{"minAvailable":1}}`),
			generation("PATCH+merge "+budgets+"/a", `{"spec":{"selector":{}}}`),
			generation("PATCH+merge "+budgets+"/a", `{"spec":{"selector":{"matchLabels":{}}}}`),
		},
		"a driver": {
			generation("POST "+drivers, `{"apiVersion":"storage.k8s.io/v1","kind":"CSIDriver","metadata":{"name":"a"}}`),
			generation("PATCH+merge "+drivers+"/a", `{"spec":{"tokenRequests":[]}}`),
			generation("PATCH+merge "+drivers+"/a", `{"spec":{"podInfoOnMount":true}}`),
		},
	}
	want := map[string][]any{"a network policy": {1., 2., 3., 4., 4.}, "a budget": {1., 2., 2.}, "a driver": {nil, nil, 1.}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("generations (-want +got):\n%s", d)
	}
}

// What Kubernetes keeps in protobuf comes back without empty lists, which shows where a member is always written.
func TestAnEmptyListIsStoredAsNone(t *testing.T) {
	h := serve(t)
	ask(t, h, "POST /api/v1/namespaces", namespace)
	for name, test := range map[string]struct{ resource, body, spec, member string }{
		"a limit range": {"/api/v1/namespaces/blue/limitranges", `{"apiVersion":"v1","kind":"LimitRange","metadata":{"name":"a"},"spec":{"limits":[]}}`, "spec", "limits"},
		"a CSI node":    {"/apis/storage.k8s.io/v1/csinodes", `{"apiVersion":"storage.k8s.io/v1","kind":"CSINode","metadata":{"name":"a"},"spec":{"drivers":[]}}`, "spec", "drivers"},
	} {
		for _, query := range []string{"?dryRun=All", ""} {
			w, got := ask(t, h, "POST "+test.resource+query, test.body)
			if list, there := got[test.spec].(map[string]any)[test.member]; w.Code != 201 || !there || list != nil {
				t.Errorf("%s%s: %d %s, want no %s", name, query, w.Code, w.Body, test.member)
			}
		}
	}
}
