package apiserver

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"coracle/apiserver/admission"
)

// TestEviction: how an Eviction may be written. The sentences are those of kube-apiserver 1.37.
func TestEviction(t *testing.T) {
	const pod = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","finalizers":["example.com/hold"]},"spec":{"containers":[{"name":"c","image":"i"}]}}`
	const pods, eviction = "/api/v1/namespaces/blue/pods", "POST /api/v1/namespaces/blue/pods/p/eviction"
	h := made(t, [2]string{"POST " + pods, pod})
	for _, test := range []struct {
		name, request, body string
		code                int
		message             string
	}{
		{"of the older version", eviction + "?dryRun=All", `{"apiVersion":"policy/v1beta1","kind":"Eviction","metadata":{"name":"p"}}`, 201, ""},
		{"of an unknown version", eviction + "?dryRun=All", `{"apiVersion":"policy/v2","kind":"Eviction","metadata":{"name":"p"}}`, 400, `Eviction in version "v2" cannot be handled as a Eviction: no kind "Eviction" is registered for version "policy/v2" in scheme "pkg/runtime/scheme.go:111"`},
		{"without a version", eviction + "?dryRun=All", `{"metadata":{"name":"p"}}`, 201, ""},
		{"of the older version, with more", eviction + "?dryRun=All&fieldValidation=Strict", `{"apiVersion":"policy/v1beta1","kind":"Eviction","metadata":{"name":"p"},"more":1}`, 400, `Eviction in version "v1beta1" cannot be handled as a Eviction: strict decoding error: unknown field "more"`},
		{"without a name", eviction + "?dryRun=All", `{"apiVersion":"policy/v1","kind":"Eviction"}`, 400, "name in URL does not match name in Eviction object"},
		{"with a dry run of its own", eviction, `{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"p"},"deleteOptions":{"dryRun":["All"]}}`, 201, ""},
		{"with another dry run", eviction + "?dryRun=All", `{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"p"},"deleteOptions":{"dryRun":["Some"]}}`, 500, "Non-matching dry-run options in request and content: [All] and [Some]"},
		{"of what cannot be read", eviction, `{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"p"},"deleteOptions":{"ignoreStoreReadErrorWithClusterBreakingPotential":true}}`, 422, `Eviction.policy "p" is invalid: deleteOptions.ignoreStoreReadErrorWithClusterBreakingPotential: Invalid value: true: can not be set for pod eviction, try after removing the option`},
		{"with options that contradict", eviction + "?dryRun=All", `{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"p"},"deleteOptions":{"orphanDependents":true,"propagationPolicy":"Background"}}`, 422, `DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Invalid value: "Background": orphanDependents and deletionPropagation cannot be both set`},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, answer := ask(t, h, test.request, test.body)
			if message, _ := answer["message"].(string); w.Code != test.code || message != test.message {
				t.Errorf("%d %q, want %d %q", w.Code, message, test.code, test.message)
			}
		})
	}
	_, before := ask(t, h, "GET "+pods+"/p", "")
	metadata := before["metadata"].(map[string]any)
	if metadata["deletionTimestamp"] != nil || before["status"].(map[string]any)["conditions"] != nil {
		t.Fatalf("a dry run has left its mark: %v", before)
	}
	version := metadata["resourceVersion"].(string)
	w, _ := ask(t, h, eviction, `{"apiVersion":"policy/v1beta1","kind":"Eviction","metadata":{"name":"p"},"deleteOptions":{"preconditions":{"resourceVersion":"`+version+`"}}}`)
	_, after := ask(t, h, "GET "+pods+"/p", "")
	conditions, _ := after["status"].(map[string]any)["conditions"].([]any)
	if w.Code != 201 || len(conditions) != 1 || after["metadata"].(map[string]any)["deletionTimestamp"] == nil {
		t.Errorf("evicted in its version, which the mark changes: %d, and then %v", w.Code, after)
	}
}

// budgetWriter notes who writes budgets' states.
type budgetWriter struct{ users *[]string }

func (budgetWriter) Name() string { return "BudgetWriter" }
func (b budgetWriter) Validate(_ context.Context, a *admission.Attributes) error {
	if a.Kind.Resource == "poddisruptionbudgets" && a.Subresource == "status" && a.DryRun {
		*b.users = append(*b.users, "dry run")
	} else if a.Kind.Resource == "poddisruptionbudgets" && a.Subresource == "status" {
		*b.users = append(*b.users, a.User.GetName())
	}
	return nil
}

// A budget is the server's to spend, and the pod that may go because it is not ready may not go once it is.
func TestEvictionByABudget(t *testing.T) {
	const pods, budget = "/api/v1/namespaces/blue/pods", "/apis/policy/v1/namespaces/blue/poddisruptionbudgets"
	const evict = `{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"p"}}`
	phase := func(phase, ready string) string {
		return `{"status":{"phase":"` + phase + `","conditions":[{"type":"Ready","status":"` + ready + `"}]}}`
	}
	for _, test := range []struct {
		name               string
		before, meanwhile  string // states of the pod
		healthy, disrupted string // of the budget
		code               int
		why                string
		writers            []string
	}{
		{"a ready pod", phase("Running", "True"), "", "3", "1", 201, "", []string{"alice", "system:apiserver"}},
		{"a ready pod, and nothing is left", phase("Running", "True"), "", "1", "0", 429, "The disruption budget b needs 1 healthy pods and has 1 currently", []string{"alice"}},
		{"what is not ready", phase("Running", "False"), "", "1", "0", 201, "", []string{"alice"}},
		{"what is ready by then", phase("Running", "False"), phase("Running", "True"), "1", "0", 429, "The disruption budget b is still being processed by the server.", []string{"alice"}},
		{"what has not begun", phase("Pending", "False"), "", "1", "0", 201, "", []string{"alice"}},
		{"what has begun by then", phase("Pending", "False"), phase("Running", "True"), "1", "0", 429, "The disruption budget b needs 1 healthy pods and has 1 currently", []string{"alice"}},
		{"what is something else by then", phase("Pending", "False"), `{"metadata":{"labels":{"x":"y"}}}`, "1", "0", 201, "", []string{"alice"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var writers []string
			h := serve(t, budgetWriter{&writers})
			for _, r := range [][2]string{
				{"POST /api/v1/namespaces", namespace},
				{"POST " + pods, `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p","labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}`},
				{"PATCH+merge " + pods + "/p/status", test.before},
				{"POST " + budget, `{"apiVersion":"policy/v1","kind":"PodDisruptionBudget","metadata":{"name":"b"},"spec":{"minAvailable":1,"selector":{"matchLabels":{"a":"b"}}}}`},
				{"PATCH+merge " + budget + "/b/status", `{"status":{"observedGeneration":1,"currentHealthy":` + test.healthy + `,"desiredHealthy":1,"disruptionsAllowed":` + test.disrupted + `}}`},
			} {
				if w, _ := ask(t, h, r[0], r[1]); w.Code >= 300 {
					t.Fatalf("%s: %s", r[0], w.Body)
				}
			}
			if test.meanwhile == "" {
				if w, _ := ask(t, h, "POST "+pods+"/p/eviction?dryRun=All", evict); w.Code != test.code {
					t.Errorf("for a test: %d %s", w.Code, w.Body)
				}
			}
			s := h.(*Server)
			waiting := test.meanwhile != ""
			s.Now = func() time.Time { // is asked when the pod has been read, and is about to be marked
				if waiting {
					waiting = false
					if w, _ := ask(t, h, "PATCH+merge "+pods+"/p/status", test.meanwhile); w.Code != 200 {
						t.Errorf("the pod has not changed: %s", w.Body)
					}
				}
				return time.Now()
			}
			w, answer := ask(t, h, "POST "+pods+"/p/eviction", evict)
			why := ""
			if details, ok := answer["details"].(map[string]any); ok {
				why, _ = details["causes"].([]any)[0].(map[string]any)["message"].(string)
			}
			if w.Code != test.code || why != test.why {
				t.Errorf("%d %s, want %d %q", w.Code, w.Body, test.code, test.why)
			}
			if w, _ := ask(t, h, "GET "+pods+"/p", ""); (w.Code == 404) != (test.code == 201) {
				t.Errorf("then the pod is %d", w.Code)
			}
			if d := cmp.Diff(test.writers, writers); d != "" {
				t.Errorf("who wrote the budget's state (-want +got):\n%s", d)
			}
		})
	}
}
