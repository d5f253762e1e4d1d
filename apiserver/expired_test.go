package apiserver

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"coracle/storage/bolt"
)

// What is asked of a past that is forgotten is gone: a list, the rest of one, and a watch, which begins and ends with that. Source: k8s.io/apiserver,
// pkg/storage/cacher/watch_cache_history.go and pkg/storage/etcd3/errors.go.
func TestForgottenPastIsGone(t *testing.T) {
	db, err := bolt.Open(filepath.Join(t.TempDir(), "db"), bolt.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const maps = "/api/v1/namespaces/blue/configmaps"
	before := serveFrom(t, db)
	for i := range 5 {
		if w := send(t, before, "POST "+maps, fmt.Sprintf(`{"metadata":{"name":"m%d"}}`, i), ""); w.Code != http.StatusCreated {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	_, page := ask(t, before, "GET "+maps+"?limit=2", "")
	rest := page["metadata"].(map[string]any)["continue"].(string)
	if w := send(t, before, "POST "+maps, `{"metadata":{"name":"m9"}}`, ""); w.Code != http.StatusCreated {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	newest, err := db.Revision(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Compact(t.Context(), newest); err != nil {
		t.Fatal(err)
	}

	h := serveFrom(t, db) // which has read nothing that is forgotten
	_, status := ask(t, h, "GET "+maps+"?resourceVersion=3&resourceVersionMatch=Exact", "")
	gone(t, status, "The resourceVersion for the provided list is too old.")

	_, status = ask(t, h, "GET "+maps+"?limit=2&continue="+rest, "")
	gone(t, status, "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter")
	goOn, _ := status["metadata"].(map[string]any)["continue"].(string)
	var names []string
	_, list := ask(t, h, "GET "+maps+"?continue="+goOn, "")
	for _, item := range list["items"].([]any) {
		names = append(names, item.(map[string]any)["metadata"].(map[string]any)["name"].(string))
	}
	if got := strings.Join(names, " "); got != "m2 m3 m4 m9" {
		t.Errorf("the rest, as it is now: %s", got)
	}

	w, event := ask(t, h, "GET "+maps+"?watch=true&resourceVersion=3", "")
	if w.Code != http.StatusOK || event["type"] != "ERROR" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	gone(t, event["object"].(map[string]any), fmt.Sprintf("too old resource version: 3 (%d)", newest))
}

func gone(t *testing.T, status map[string]any, says string) {
	t.Helper()
	message, _ := status["message"].(string)
	if status["code"] != float64(http.StatusGone) || status["reason"] != "Expired" || !strings.HasPrefix(message, says) {
		t.Errorf("%v", status)
	}
}
