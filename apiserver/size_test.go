package apiserver

import (
	"fmt"
	"strings"
	"testing"
)

// What etcd would not take is refused in its words, whichever way it comes, and leaves nothing behind.
func TestAnObjectIsNoLargerThanEtcdTakes(t *testing.T) {
	const deployments = "/apis/apps/v1/namespaces/blue/deployments"
	deployment := func(name, command string) string {
		return fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":%q},"spec":{"selector":{"matchLabels":{"a":"b"}},"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"a","image":"a","command":["%s"]}]}}}}`, name, command)
	}
	large := strings.Repeat("x", 1_600_000)
	h := made(t, [2]string{"POST " + deployments, deployment("small", "x")})
	before := send(t, h, "GET "+deployments+"/small", "", "").Body.String()
	for name, test := range map[string]struct {
		request, body string
		code          int
	}{
		"created":            {"POST " + deployments, deployment("large", large), 500},
		"created for a test": {"POST " + deployments + "?dryRun=All", deployment("large", large), 201},
		"put":                {"PUT " + deployments + "/small", deployment("small", large), 500},
		"merged":             {"PATCH+merge " + deployments + "/small", `{"metadata":{"annotations":{"a":"b"}},"spec":{"template":{"spec":{"containers":[{"name":"a","image":"` + large + `"}]}}}}`, 500},
		"patched":            {"PATCH+strategic " + deployments + "/small", `{"spec":{"template":{"spec":{"containers":[{"name":"a","image":"` + large + `"}]}}}}`, 500},
		"applied":            {"PATCH+apply " + deployments + "/small?fieldManager=m&force=true", deployment("small", large), 500},
		"applied anew":       {"PATCH+apply " + deployments + "/large?fieldManager=m", deployment("large", large), 500},
		"in a status":        {"PATCH+merge " + deployments + "/small/status", `{"status":{"conditions":[{"type":"A","status":"True","message":"` + large + `"}]}}`, 500},
		"large as JSON only": {"POST " + deployments, deployment("fits", strings.Repeat(`\"`, 800_000)), 201},
	} {
		w, got := ask(t, h, test.request, test.body)
		if w.Code != test.code || w.Code == 500 && got["message"] != "etcdserver: request is too large" {
			t.Errorf("%s: %d %.200s, want %d", name, w.Code, w.Body, test.code)
		}
	}
	if w, _ := ask(t, h, "GET "+deployments+"/large", ""); w.Code != 404 {
		t.Errorf("it is there: %d", w.Code)
	}
	if after := send(t, h, "GET "+deployments+"/small", "", "").Body.String(); after != before {
		t.Errorf("it has changed: %.300s", after)
	}
}
