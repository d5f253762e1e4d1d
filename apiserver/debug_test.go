package apiserver

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/mux"
)

func TestDebugFlags(t *testing.T) {
	set := []int{}
	s := &Server{Config: Config{SetVerbosity: func(v int) { set = append(set, v) }}}
	router := mux.NewRouter()
	s.debug(router)
	for _, c := range []struct {
		method, path, body string
		code               int
		said               string
	}{
		{"PUT", "/debug/flags/v", "4", 200, "successfully set klog.logging.verbosity to 4\n"},
		{"PUT", "/debug/flags/v", "much", 400, `strconv.ParseUint: parsing "much": invalid syntax` + "\n"},
		{"PUT", "/debug/flags/v", "-1", 400, `strconv.ParseUint: parsing "-1": invalid syntax` + "\n"},
		{"PUT", "/debug/flags/v", "4294967295", 400, `strconv.ParseUint: parsing "4294967295": value out of range` + "\n"},
		{"POST", "/debug/flags/v", "4", 406, "unsupported http method\n"},
		{"GET", "/debug/flags/v", "", 406, "unsupported http method\n"},
		{"GET", "/debug/flags", "", 200, flagsPage},
		{"GET", "/debug/flags/else", "", 200, flagsPage},
		{"GET", "/debug/pprof", "", 302, "<a href=\"/debug/pprof/\">Found</a>.\n\n"},
	} {
		w := httptest.NewRecorder()
		router.ServeHTTP(w, httptest.NewRequest(c.method, c.path, strings.NewReader(c.body)))
		if w.Code != c.code || w.Body.String() != c.said {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.path, w.Code, w.Body, c.code, c.said)
		}
	}
	if diff := cmp.Diff([]int{4}, set); diff != "" {
		t.Error(diff)
	}
	without := mux.NewRouter()
	(&Server{}).debug(without)
	w := httptest.NewRecorder()
	without.ServeHTTP(w, httptest.NewRequest("PUT", "/debug/flags/v", strings.NewReader("4")))
	if w.Code != http.StatusNotFound {
		t.Errorf("where nobody can say how much is logged: %d", w.Code)
	}
}
