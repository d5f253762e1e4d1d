package apiserver

import "testing"

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
