package apiserver

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apiserver/pkg/authentication/user"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"coracle/apiserver/decision"
)

// request is one that has come as far as the stage before limit.
func request(verb, subresource string, groups ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/api/v1/pods", nil)
	ctx := decision.With(r.Context(), &decision.Record{})
	ctx = apirequest.WithRequestInfo(ctx, &apirequest.RequestInfo{IsResourceRequest: true, Verb: verb, Resource: "pods", Subresource: subresource})
	return r.WithContext(apirequest.WithUser(ctx, &user.DefaultInfo{Name: "alice", Groups: groups}))
}

func TestLimit(t *testing.T) {
	s := &Server{Config: Config{MaxInFlight: MaxInFlight{ReadOnly: 1, Mutating: 1}}, metrics: newMetrics(prometheus.NewRegistry())}
	working, release := make(chan struct{}), make(chan struct{})
	handler := s.limit(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Wait") != "" {
			working <- struct{}{}
			<-release
		}
	}))
	ask := func(r *http.Request) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}

	held := request("get", "")
	held.Header.Set("Wait", "a while")
	done := make(chan int)
	go func() { done <- ask(held).Code }()
	<-working

	refused := ask(request("list", ""))
	got := []any{refused.Code, refused.Header().Get("Retry-After"), refused.Body.String()}
	if diff := cmp.Diff([]any{http.StatusTooManyRequests, "1", tooMany + "\n"}, got); diff != "" {
		t.Errorf("a second reader (-want +got):\n%s", diff)
	}
	for name, r := range map[string]*http.Request{
		"a writer has a bound of its own": request("create", ""),
		"a watch does not count":          request("watch", ""),
		"a log does not count":            request("get", "log"),
		"a master is never turned away":   request("get", "", user.SystemPrivilegedGroup),
	} {
		if code := ask(r).Code; code != http.StatusOK {
			t.Errorf("%s: got %d", name, code)
		}
	}
	close(release)
	if code := <-done; code != http.StatusOK {
		t.Errorf("the first reader: got %d", code)
	}
	if code := ask(request("get", "")).Code; code != http.StatusOK {
		t.Errorf("a reader after the first: got %d", code)
	}
}

func TestLimit_NoBoundTurnsNobodyAway(t *testing.T) {
	s := &Server{metrics: newMetrics(prometheus.NewRegistry())}
	w := httptest.NewRecorder()
	s.limit(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.limit(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })).ServeHTTP(w, r)
	})).ServeHTTP(w, request("get", ""))
	if w.Code != http.StatusNoContent {
		t.Errorf("got %d", w.Code)
	}
}
