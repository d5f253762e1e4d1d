package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/rest"

	"coracle/authn"
	"coracle/authn/remote"
)

// service answers as it is told, in place of a network.
type service func(*http.Request) (*http.Response, error)

func (s service) RoundTrip(r *http.Request) (*http.Response, error) { return s(r) }

func says(code int, body string, header ...string) (*http.Response, error) {
	r := &http.Response{StatusCode: code, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
	for _, h := range header {
		r.Header.Set(h, "1")
	}
	return r, nil
}

func review(status string) string {
	return `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","status":` + status + `}`
}

func newAuthenticator(t testing.TB, ttl time.Duration, s service) *Authenticator {
	t.Helper()
	a, err := New(Config{
		Client: &rest.Config{Host: "https://authn.example/authenticate", Transport: s}, Version: "v1", Audiences: []string{"api"}, TTL: ttl, Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAuthenticate(t *testing.T) {
	alice := `"user":{"username":"alice","uid":"7","groups":["dev"],"extra":{"scopes":["a","b"]}}`
	everything := &user.DefaultInfo{Name: "alice", UID: "7", Groups: []string{"dev"}, Extra: map[string][]string{"scopes": {"a", "b"}}}
	for name, test := range map[string]struct {
		answer    service
		want      []string // audiences wanted; default api
		verdict   authn.Verdict
		user      user.Info
		audiences []string
		why, says string
	}{
		"accepted":                            {answer: always(200, review(`{"authenticated":true,`+alice+`}`)), verdict: authn.Accepted, user: everything, audiences: []string{"api"}},
		"created":                             {answer: always(201, review(`{"authenticated":true,"user":{"username":"bob"}}`)), verdict: authn.Accepted, user: &user.DefaultInfo{Name: "bob"}, audiences: []string{"api"}},
		"for an audience":                     {answer: always(200, review(`{"authenticated":true,"audiences":["x","vault"],`+alice+`}`)), want: []string{"vault", "y"}, verdict: authn.Accepted, user: everything, audiences: []string{"vault"}},
		"for other audiences":                 {answer: always(200, review(`{"authenticated":true,"audiences":["x"],`+alice+`}`)), why: `the service says that the token is for the audiences ["x"], and one of ["api"] is wanted`},
		"for none, and another is wanted":     {answer: always(200, review(`{"authenticated":true,`+alice+`}`)), want: []string{"vault"}, why: `the service says that the token is for the audiences ["api"], and one of ["vault"] is wanted`},
		"not known":                           {answer: always(200, review(`{"authenticated":false}`)), why: "the service does not know the token"},
		"refused":                             {answer: always(200, review(`{"error":"token expired"}`)), verdict: authn.Refused, why: "the service says: token expired", says: "token expired"},
		"a user, and yet not authenticated":   {answer: always(200, review(`{`+alice+`}`)), why: "the service does not know the token"},
		"forbidden":                           {answer: always(403, `no`), verdict: authn.Refused, why: "the service that knows the token could not be asked: the authentication webhook answered 403 Forbidden", says: "the authentication webhook answered 403 Forbidden"},
		"not JSON":                            {answer: always(200, `<html>`), verdict: authn.Refused, why: "the service that knows the token could not be asked: the authentication webhook's answer is not JSON: invalid character '<' looking for beginning of value", says: "the authentication webhook's answer is not JSON: invalid character '<' looking for beginning of value"},
		"another kind":                        {answer: always(200, `{"kind":"Status","apiVersion":"v1"}`), verdict: authn.Refused, why: `the service that knows the token could not be asked: the authentication webhook answered with "Status" of "v1", not with a TokenReview of authentication.k8s.io/v1`, says: `the authentication webhook answered with "Status" of "v1", not with a TokenReview of authentication.k8s.io/v1`},
		"a very long answer":                  {answer: always(200, strings.Repeat(" ", maxAnswer+1)), verdict: authn.Refused, why: "the service that knows the token could not be asked: the authentication webhook's answer is larger than 1 MiB", says: "the authentication webhook's answer is larger than 1 MiB"},
		"not there":                           {answer: func(*http.Request) (*http.Response, error) { return nil, syscall.ECONNREFUSED }, verdict: authn.Refused, why: `the service that knows the token could not be asked: Post "https://authn.example/authenticate": connection refused`, says: `Post "https://authn.example/authenticate": connection refused`},
		"an error, then an answer":            {answer: inTurn(func() (*http.Response, error) { return says(500, "") }, func() (*http.Response, error) { return says(200, review(`{"authenticated":true,`+alice+`}`)) }), verdict: authn.Accepted, user: everything, audiences: []string{"api"}},
		"a reset, then an answer":             {answer: inTurn(func() (*http.Response, error) { return nil, syscall.ECONNRESET }, func() (*http.Response, error) { return says(200, review(`{"authenticated":true,`+alice+`}`)) }), verdict: authn.Accepted, user: everything, audiences: []string{"api"}},
		"asked to come later, then an answer": {answer: inTurn(func() (*http.Response, error) { return says(503, "", "Retry-After") }, func() (*http.Response, error) { return says(200, review(`{"authenticated":true,`+alice+`}`)) }), verdict: authn.Accepted, user: everything, audiences: []string{"api"}},
		"an error that stays":                 {answer: always(500, ""), verdict: authn.Refused, why: "the service that knows the token could not be asked: the authentication webhook answered 500 Internal Server Error", says: "the authentication webhook answered 500 Internal Server Error"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newAuthenticator(t, DefaultTTL, test.answer)
				if test.want == nil {
					test.want = []string{"api"}
				}
				got := a.Authenticate(t.Context(), &authn.Credentials{Token: "secret", Audiences: test.want})
				if got.Verdict != test.verdict {
					t.Errorf("%s, want %s", got.Verdict, test.verdict)
				}
				if diff := cmp.Diff(test.user, got.User); diff != "" {
					t.Errorf("user (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(test.audiences, got.Audiences); diff != "" {
					t.Errorf("audiences (-want +got):\n%s", diff)
				}
				why, sentence := "", ""
				if got.Why != nil {
					why = got.Why.Error()
				}
				if r, ok := errors.AsType[*authn.Refusal](got.Why); ok {
					sentence = r.Sentence
				}
				if diff := cmp.Diff([]string{test.why, test.says}, []string{why, sentence}); diff != "" {
					t.Errorf("why, and Kubernetes' sentence (-want +got):\n%s", diff)
				}
				if strings.Contains(why+sentence, "secret") {
					t.Error("the token is in the error")
				}
			})
		})
	}
}

func always(code int, body string) service {
	return func(*http.Request) (*http.Response, error) { return says(code, body) }
}

// inTurn gives one answer after the other, and the last from then on.
func inTurn(answers ...func() (*http.Response, error)) service {
	var n atomic.Int32
	return func(*http.Request) (*http.Response, error) {
		return answers[min(int(n.Add(1)), len(answers))-1]()
	}
}

func TestAuthenticate_AsksWhatKubernetesAsks(t *testing.T) {
	var got map[string]any
	a := newAuthenticator(t, 0, func(r *http.Request) (*http.Response, error) {
		if r.Method != "POST" || r.URL.String() != "https://authn.example/authenticate" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s, %s", r.Method, r.URL, r.Header.Get("Content-Type"))
		}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		return says(200, review(`{}`))
	})
	a.Authenticate(t.Context(), &authn.Credentials{Token: "t", Audiences: []string{"api"}})
	delete(got, "metadata")
	delete(got, "status")
	want := map[string]any{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": map[string]any{"token": "t", "audiences": []any{"api"}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("question (-want +got):\n%s", diff)
	}
}

func TestAuthenticate_Remembers(t *testing.T) {
	for name, test := range map[string]struct {
		answer service
		ttl    time.Duration
		kept   bool
	}{
		"who it is":                {always(200, review(`{"authenticated":true,"user":{"username":"alice"}}`)), time.Minute, true},
		"that nobody knows it":     {always(200, review(`{}`)), time.Minute, true},
		"not that it was refused":  {always(200, review(`{"error":"no"}`)), time.Minute, false},
		"not that nobody answered": {always(403, ``), time.Minute, false},
		"nothing, if told so":      {always(200, review(`{"authenticated":true,"user":{"username":"alice"}}`)), 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var asked atomic.Int32
				a := newAuthenticator(t, test.ttl, func(r *http.Request) (*http.Response, error) { asked.Add(1); return test.answer(r) })
				ask := func(token string, audiences ...string) int32 {
					before := asked.Load()
					a.Authenticate(t.Context(), &authn.Credentials{Token: token, Audiences: audiences})
					return asked.Load() - before
				}
				ask("t", "api")
				if kept := ask("t", "api") == 0; kept != test.kept {
					t.Errorf("kept: %t, want %t", kept, test.kept)
				}
				if ask("t", "api", "vault") != 1 || ask("u", "api") != 1 || ask("t", "ap", "i") != 1 {
					t.Error("took the answer to another question")
				}
				time.Sleep(test.ttl)
				if ask("t", "api") != 1 {
					t.Error("remembered for too long")
				}
			})
		})
	}
}

func TestAuthenticate_OneQuestionForAllWhoWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		a := newAuthenticator(t, time.Minute, func(*http.Request) (*http.Response, error) {
			asked.Add(1)
			time.Sleep(time.Second)
			return says(200, review(`{"authenticated":true,"user":{"username":"alice"}}`))
		})
		impatient, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { // the first, who leaves before there is an answer
			if got := a.Authenticate(impatient, &authn.Credentials{Token: "t", Audiences: []string{"api"}}); got.Verdict != authn.Refused {
				t.Errorf("%s for who did not wait", got.Verdict)
			}
		})
		synctest.Wait()
		for range 10 {
			wg.Go(func() {
				if got := a.Authenticate(t.Context(), &authn.Credentials{Token: "t", Audiences: []string{"api"}}); got.Verdict != authn.Accepted {
					t.Errorf("%s: %v", got.Verdict, got.Why)
				}
			})
		}
		wg.Wait()
		if asked.Load() != 1 {
			t.Errorf("asked %d times, want once", asked.Load())
		}
	})
}

func TestAuthenticate_GivesUpOnASlowService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthenticator(t, time.Minute, func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		start := time.Now()
		got := a.Authenticate(t.Context(), &authn.Credentials{Token: "t", Audiences: []string{"api"}})
		if took := time.Since(start); got.Verdict != authn.Refused || took != timeout {
			t.Errorf("%s after %s, want refused after %s", got.Verdict, took, timeout)
		}
	})
}

func TestAuthenticate_AsAKubeconfigSays(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/authenticate" || r.Header.Get("Authorization") != "Bearer ours" {
			t.Errorf("%s with %q", r.URL.Path, r.Header.Get("Authorization"))
		}
		io.WriteString(w, review(`{"authenticated":true,"user":{"username":"alice"}}`))
	}))
	defer server.Close()
	path := filepath.Join(t.TempDir(), "webhook.conf")
	config := `{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c, user: u}}],
clusters: [{name: c, cluster: {server: "` + server.URL + `/authenticate", insecure-skip-tls-verify: true}}], users: [{name: u, user: {token: ours}}]}`
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	client, err := remote.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(Config{Client: client, Version: "v1", Audiences: []string{"api"}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if got := a.Authenticate(t.Context(), &authn.Credentials{Token: "t", Audiences: []string{"api"}}); got.Verdict != authn.Accepted {
		t.Errorf("%s: %v", got.Verdict, got.Why)
	}
}

func TestNew_SaysWhatIsWrong(t *testing.T) {
	for want, c := range map[string]Config{
		`unsupported authentication webhook version "v2", supported versions are "v1", "v1beta1"`:                 {Version: "v2", Client: &rest.Config{Host: "https://a"}},
		`the authentication webhook's server "localhost:1" is no URL, such as https://authn.example/authenticate`: {Version: "v1", Client: &rest.Config{Host: "localhost:1"}},
	} {
		if _, err := New(c); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
