package webhook

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/rest"

	"coracle/apiserver/authz"
	"coracle/authn/remote"
	"coracle/rbac"
)

// service answers questions without a network, and remembers them.
type service struct {
	answers []string // bodies, or `500`, `reset`; the last one again and again
	asked   []string
}

func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	answer := s.answers[min(len(s.asked), len(s.answers)-1)]
	s.asked = append(s.asked, string(body))
	response := &http.Response{StatusCode: 200, Header: http.Header{}, Request: r}
	switch answer {
	case "reset":
		return nil, syscall.ECONNRESET
	case "refused":
		return nil, syscall.ECONNREFUSED
	case "busy":
		response.StatusCode = http.StatusServiceUnavailable
		response.Header.Set("Retry-After", "1")
		answer = ""
	case "elsewhere":
		response.StatusCode = http.StatusTemporaryRedirect
		response.Header.Set("Location", "https://attacker.example.com/")
		answer = ""
	}
	if _, err := fmt.Sscanf(answer, "%d", &response.StatusCode); err == nil {
		answer = ""
	}
	response.Body = io.NopCloser(strings.NewReader(answer))
	return response, nil
}

func status(fields string) string {
	return `{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","status":{` + fields + `}}`
}

func authorizer(t *testing.T, s *service, change func(*Config)) *Authorizer {
	t.Helper()
	c := Config{Now: time.Now, Name: "test", Version: "v1", Client: &rest.Config{Host: "https://authz.example.com/authorize", Transport: s},
		AuthorizedTTL: 5 * time.Minute, UnauthorizedTTL: 30 * time.Second}
	if change != nil {
		change(&c)
	}
	w, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func request() *rbac.Attributes {
	return &rbac.Attributes{User: &user.DefaultInfo{Name: "ann", Groups: []string{"devs"}}, Verb: "get", ResourceRequest: true, Resource: "pods", Namespace: "blue"}
}

func TestAuthorize(t *testing.T) {
	deny := func(c *Config) { c.OnError = authz.Deny }
	for _, c := range []struct {
		name    string
		answer  string
		config  func(*Config)
		verdict authz.Verdict
		reason  string
		err     string
	}{
		{"allowed", status(`"allowed":true,"reason":"because"`), nil, authz.Allow, "because", ""},
		{"denied", status(`"allowed":false,"denied":true,"reason":"never"`), nil, authz.Deny, "never", ""},
		{"neither", status(`"allowed":false,"reason":"do not know"`), nil, authz.NoOpinion, "do not know", ""},
		{"both is denied", status(`"allowed":true,"denied":true`), nil, authz.Deny, "", "webhook subject access review returned both allow and deny response"},
		{"an error", "400", nil, authz.NoOpinion, "", "ask the webhook test: it answered 400 Bad Request"},
		{"an error that is to deny", "400", deny, authz.Deny, "", "ask the webhook test: it answered 400 Bad Request"},
		{"a redirect is not followed", "elsewhere", deny, authz.Deny, "", "ask the webhook test: it answered 307 Temporary Redirect"},
		{"nothing", "", nil, authz.NoOpinion, "", "ask the webhook test: read its answer: unexpected end of JSON input"},
		{"something else", `{"apiVersion":"v1","kind":"Status","status":"Success"}`, nil, authz.NoOpinion, "", "ask the webhook test: read its answer: json: cannot unmarshal string into Go struct field SubjectAccessReview.status of type v1.SubjectAccessReviewStatus"},
		{"another kind that says allowed", `{"apiVersion":"v1","kind":"Pod","status":{"allowed":true}}`, nil, authz.NoOpinion, "", `ask the webhook test: it answered with "Pod" of "v1", not with a SubjectAccessReview of authorization.k8s.io/v1`},
		{"another version", status(`"allowed":true`), func(c *Config) { c.Version = "v1beta1" }, authz.NoOpinion, "", `ask the webhook test: it answered with "SubjectAccessReview" of "authorization.k8s.io/v1", not with a SubjectAccessReview of authorization.k8s.io/v1beta1`},
		{"more than it should", status(`"allowed":true,"reason":"` + strings.Repeat("x", maxAnswer) + `"`), nil, authz.NoOpinion, "", "ask the webhook test: its answer is longer than 1048576 bytes"},
		{"nobody there", "refused", nil, authz.NoOpinion, "", `ask the webhook test: Post "https://authz.example.com/authorize": connection refused`},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := authorizer(t, &service{answers: []string{c.answer}}, c.config).Authorize(t.Context(), request())
			err := ""
			if o.Err != nil {
				err = o.Err.Error()
			}
			if o.Verdict != c.verdict || o.Reason() != c.reason || err != c.err {
				t.Errorf("got  %v %q %q\nwant %v %q %q", o.Verdict, o.Reason(), err, c.verdict, c.reason, c.err)
			}
		})
	}
}

// endless is a body that somebody sends to fill our memory.
type endless struct{ sent int }

func (e *endless) Read(p []byte) (int, error) {
	e.sent += len(p)
	return len(p), nil
}

func TestAuthorize_StopsReadingAnEndlessAnswer(t *testing.T) {
	body := &endless{}
	client := &rest.Config{Host: "https://authz.example.com/", Transport: transport(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: io.NopCloser(io.LimitReader(body, 100*maxAnswer))}, nil
	})}
	w, err := New(Config{Now: time.Now, Name: "test", Version: "v1", Client: client})
	if err != nil {
		t.Fatal(err)
	}
	if o := w.Authorize(t.Context(), request()); o.Err == nil || body.sent > 4*maxAnswer {
		t.Errorf("%v after %d bytes", o.Err, body.sent)
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAuthorize_TriesAgain(t *testing.T) {
	for _, c := range []struct {
		name    string
		answers []string
		asked   int
		verdict authz.Verdict
	}{
		{"after what may pass", []string{"500", "reset", "429", "busy", status(`"allowed":true`)}, 5, authz.Allow},
		{"but not for ever", []string{"500"}, 5, authz.NoOpinion},
		{"and not after what will not pass", []string{"403", status(`"allowed":true`)}, 1, authz.NoOpinion},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &service{answers: c.answers}
				o := authorizer(t, s, nil).Authorize(t.Context(), request())
				if len(s.asked) != c.asked || o.Verdict != c.verdict {
					t.Errorf("asked %d times, %v; want %d, %v", len(s.asked), o.Verdict, c.asked, c.verdict)
				}
			})
		})
	}
	t.Run("and stops when the request ends", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &service{answers: []string{"500"}}
			ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
			defer cancel()
			started := time.Now()
			if o := authorizer(t, s, nil).Authorize(ctx, request()); o.Err == nil || time.Since(started) > 700*time.Millisecond {
				t.Errorf("%v after %v", o.Err, time.Since(started))
			}
		})
	})
}

func TestAuthorize_KeepsAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &service{answers: []string{status(`"allowed":true,"reason":"yes"`)}}
		w := authorizer(t, s, nil)
		ask := func(a *rbac.Attributes, wantAsked int, what string) {
			t.Helper()
			if o := w.Authorize(t.Context(), a); len(s.asked) != wantAsked {
				t.Errorf("%s: the service was asked %d times, want %d (%+v)", what, len(s.asked), wantAsked, o)
			}
		}
		ask(request(), 1, "first")
		ask(request(), 1, "again")
		other := request()
		other.User = &user.DefaultInfo{Name: "bob", Groups: []string{"devs"}}
		ask(other, 2, "somebody else")
		other.User = &user.DefaultInfo{Name: "ann", Groups: []string{"devs"}, Extra: map[string][]string{"scope": {"small"}}}
		ask(other, 3, "the same user with a smaller scope")
		time.Sleep(5*time.Minute + time.Second) // of the bubble's clock
		ask(request(), 4, "five minutes later")

		s.answers = []string{status(`"allowed":false`)}
		refused := request()
		refused.Verb = "delete"
		ask(refused, 5, "a refusal")
		ask(refused, 5, "a refusal again")
		time.Sleep(31 * time.Second)
		ask(refused, 6, "half a minute later")

		huge := request()
		huge.Name = strings.Repeat("x", cachedSize)
		ask(huge, 7, "a huge name")
		ask(huge, 8, "a huge name again")
	})
}

func TestAuthorize_KeepsNothingWhenToldSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // in which no time passes
		s := &service{answers: []string{status(`"allowed":true`), status(`"allowed":false`)}}
		w := authorizer(t, s, func(c *Config) { c.AuthorizedTTL, c.UnauthorizedTTL = 0, 0 })
		if first, second := w.Authorize(t.Context(), request()), w.Authorize(t.Context(), request()); first.Verdict != authz.Allow || second.Verdict != authz.NoOpinion {
			t.Errorf("%v, then %v", first.Verdict, second.Verdict)
		}
	})
}

func TestAuthorize_AsksOnlyAboutWhatMatches(t *testing.T) {
	s := &service{answers: []string{status(`"allowed":true`)}}
	for _, c := range []struct {
		name    string
		matches bool
		err     error
		verdict authz.Verdict
		asked   int
	}{
		{"no match", false, nil, authz.NoOpinion, 0},
		{"a broken condition", false, errors.New("no such field"), authz.Deny, 0},
		{"a match", true, nil, authz.Allow, 1},
	} {
		w := authorizer(t, s, func(config *Config) {
			config.OnError = authz.Deny
			config.Match = func(_ context.Context, r *authorizationv1.SubjectAccessReview) (bool, error) {
				if r.Spec.User != "ann" {
					t.Errorf("matched against %+v", r)
				}
				return c.matches, c.err
			}
		})
		if o := w.Authorize(t.Context(), request()); o.Verdict != c.verdict || len(s.asked) != c.asked || o.Err != c.err {
			t.Errorf("%s: %v, asked %d times (%v)", c.name, o.Verdict, len(s.asked), o.Err)
		}
	}
}

func TestAuthorize_Question(t *testing.T) {
	selective := request()
	selective.Verb, selective.Name, selective.Subresource, selective.APIVersion = "list", "web", "log", "v1"
	selective.User = &user.DefaultInfo{Name: "ann", UID: "7", Groups: []string{"devs"}, Extra: map[string][]string{"scope": {"a"}}}
	selective.FieldSelector = fields.ParseSelectorOrDie("spec.nodeName=n1,metadata.name!=x").Requirements()
	label, err := labels.Parse("app in (a),!old,new,x>3")
	if err != nil {
		t.Fatal(err)
	}
	selective.LabelSelector, _ = label.Requirements()
	path := &rbac.Attributes{User: &user.DefaultInfo{Name: "ann"}, Verb: "get", Path: "/metrics"}
	for _, c := range []struct {
		name, version string
		a             *rbac.Attributes
		want          string
	}{
		{"a resource", "v1", selective, `{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","metadata":{},"spec":{"extra":{"scope":["a"]},"groups":["devs"],"resourceAttributes":{` +
			`"fieldSelector":{"requirements":[{"key":"metadata.name","operator":"NotIn","values":["x"]},{"key":"spec.nodeName","operator":"In","values":["n1"]}]},` +
			`"labelSelector":{"requirements":[{"key":"app","operator":"In","values":["a"]},{"key":"new","operator":"Exists"},{"key":"old","operator":"DoesNotExist"}]},` +
			`"name":"web","namespace":"blue","resource":"pods","subresource":"log","verb":"list","version":"v1"},"uid":"7","user":"ann"},"status":{"allowed":false}}`},
		{"a path", "v1", path, `{"apiVersion":"authorization.k8s.io/v1","kind":"SubjectAccessReview","metadata":{},"spec":{"nonResourceAttributes":{"path":"/metrics","verb":"get"},"user":"ann"},"status":{"allowed":false}}`},
		{"a resource in the old version", "v1beta1", request(), `{"apiVersion":"authorization.k8s.io/v1beta1","kind":"SubjectAccessReview","metadata":{},"spec":{"group":["devs"],"resourceAttributes":{"namespace":"blue","resource":"pods","verb":"get"},"user":"ann"},"status":{"allowed":false}}`},
		{"a path in the old version", "v1beta1", path, `{"apiVersion":"authorization.k8s.io/v1beta1","kind":"SubjectAccessReview","metadata":{},"spec":{"nonResourceAttributes":{"path":"/metrics","verb":"get"},"user":"ann"},"status":{"allowed":false}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &service{answers: []string{"403"}}
			authorizer(t, s, func(config *Config) { config.Version = c.version }).Authorize(t.Context(), c.a)
			if diff := cmp.Diff(c.want, sorted(t, s.asked[0])); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// sorted is JSON with its fields in order of their names.
func sorted(t *testing.T, text string) string {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestAuthorize_AsAKubeconfigSays(t *testing.T) {
	var got string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Method + " " + r.URL.Path + " " + r.Header.Get("Authorization")
		io.WriteString(w, status(`"allowed":true`))
	}))
	defer server.Close()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca := file("ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	kubeconfig := func(extra string) string {
		return fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"c","contexts":[{"name":"c","context":{"cluster":"s","user":"u"}}],
			"clusters":[{"name":"s","cluster":{"server":"%s/authorize"%s}}],"users":[{"name":"u","user":{"token":"secret"}}]}`, server.URL, extra)
	}
	ask := func(path string) authz.Opinion {
		config, err := remote.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		w, err := New(Config{Now: time.Now, Name: "test", Version: "v1", Client: config})
		if err != nil {
			t.Fatal(err)
		}
		return w.Authorize(t.Context(), request())
	}
	if o := ask(file("good", kubeconfig(`,"certificate-authority":"`+ca+`"`))); o.Verdict != authz.Allow || got != "POST /authorize Bearer secret" {
		t.Errorf("%v (%v), the service saw %q", o.Verdict, o.Err, got)
	}
	if o := ask(file("stranger", kubeconfig(""))); o.Verdict == authz.Allow || o.Err == nil || strings.Contains(o.Err.Error(), "secret") {
		t.Errorf("a service with an unknown certificate: %v, %v", o.Verdict, o.Err)
	}
	for _, path := range []string{filepath.Join(dir, "absent"), file("empty", ""), file("broken", "{")} {
		if _, err := remote.Read(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestNew_Refuses(t *testing.T) {
	for name, c := range map[string]Config{
		"an unknown version":         {Version: "v2", Client: &rest.Config{}},
		"to allow without an answer": {Version: "v1", Client: &rest.Config{}, OnError: authz.Allow},
		"a client that cannot be":    {Version: "v1", Client: &rest.Config{TLSClientConfig: rest.TLSClientConfig{CAFile: "/nowhere"}}},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestRulesFor(t *testing.T) {
	rules := authorizer(t, &service{}, nil).RulesFor(request().User, "blue")
	if !rules.Incomplete || rules.Err == nil {
		t.Errorf("%+v", rules)
	}
}
