package eks

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"

	"coracle/counterparts/people"
	"coracle/counterparts/sts"
	"coracle/counterparts/sts/sigv4"
)

const users = `users:
- name: ann
  accessKeys:
  - {id: AKIAANN0000000000001, secret: anns-secret}
  - {id: ASIAANN0000000000001, secret: roles-secret, sessionToken: roles-token, role: deployer}
`

// lesson is a webhook, the STS that it asks, and a clock of both that can be moved.
type lesson struct {
	*Authenticator
	users string
	now   time.Time
	auth  map[string]string
	asked int // how often STS was
}

func newLesson(t *testing.T) *lesson {
	t.Helper()
	l := &lesson{users: filepath.Join(t.TempDir(), "users.yaml"), now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	l.auth = map[string]string{
		"mapUsers": "[{userarn: 'arn:aws:iam::111122223333:user/ann', username: ann, groups: [dev]}]",
		"mapRoles": "[{rolearn: 'arn:aws:iam::111122223333:role/deployer', username: 'deploy:{{SessionName}}', groups: ['{{AccountID}}']}]",
	}
	l.save(t, users)
	quiet := slog.New(slog.DiscardHandler)
	known, err := people.Open(l.users, sts.Faults(), nil, quiet)
	if err != nil {
		t.Fatal(err)
	}
	clock := func() time.Time { return l.now }
	service := &sts.Service{People: known, Account: "111122223333", Now: clock, Log: quiet}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.asked++
		service.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	l.Authenticator = &Authenticator{
		STS: strings.TrimPrefix(server.URL, "https://"), RoundTripper: server.Client().Transport, Cluster: "boats",
		AWSAuth: func(context.Context) (map[string]string, error) { return l.auth, nil }, Now: clock, Log: quiet,
	}
	return l
}

func (l *lesson) save(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(l.users, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func anns() sigv4.Credentials {
	return sigv4.Credentials{AccessKeyID: "AKIAANN0000000000001", SecretAccessKey: "anns-secret"}
}

func (l *lesson) token(c sigv4.Credentials, cluster string) string {
	token, _ := NewToken(&url.URL{Scheme: "https", Host: l.STS}, cluster, c, "eu-west-1", l.now)
	return token
}

func TestAuthenticator_LetsInWhoIsMapped(t *testing.T) {
	l := newLesson(t)
	role := sigv4.Credentials{AccessKeyID: "ASIAANN0000000000001", SecretAccessKey: "roles-secret", SessionToken: "roles-token"}
	for name, test := range map[string]struct {
		c    sigv4.Credentials
		want authenticationv1.UserInfo
	}{
		"a user": {anns(), authenticationv1.UserInfo{
			Username: "ann", Groups: []string{"dev"}, UID: "aws-iam-authenticator:111122223333:AIDAN7OV5TXNE4UF6NEAB",
			Extra: map[string]authenticationv1.ExtraValue{
				"arn": {"arn:aws:iam::111122223333:user/ann"}, "canonicalArn": {"arn:aws:iam::111122223333:user/ann"}, "sessionName": {""},
				"accessKeyId": {"AKIAANN0000000000001"}, "principalId": {"AIDAN7OV5TXNE4UF6NEAB"},
				"sigs.k8s.io/aws-iam-authenticator/principalId": {"AIDAN7OV5TXNE4UF6NEAB"},
			},
		}},
		"who has taken a role": {role, authenticationv1.UserInfo{
			Username: "deploy:ann", Groups: []string{"111122223333"}, UID: "aws-iam-authenticator:111122223333:AROAKRTUFRMJBDL7IZEU5",
			Extra: map[string]authenticationv1.ExtraValue{
				"arn":          {"arn:aws:sts::111122223333:assumed-role/deployer/ann"},
				"canonicalArn": {"arn:aws:iam::111122223333:role/deployer"}, "sessionName": {"ann"},
				"accessKeyId": {"ASIAANN0000000000001"}, "principalId": {"AROAKRTUFRMJBDL7IZEU5"}, "sigs.k8s.io/aws-iam-authenticator/principalId": {"AROAKRTUFRMJBDL7IZEU5"},
			},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			status := l.Review(t.Context(), l.token(test.c, "boats"), []string{"https://kubernetes.default.svc"})
			want := authenticationv1.TokenReviewStatus{Authenticated: true, User: test.want}
			if diff := cmp.Diff(want, status); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if status := l.Review(t.Context(), "eyJ.of.somebody-else", nil); status.Error != "" || status.Authenticated {
		t.Errorf("a token that is not for EKS: %+v", status)
	}
}

// TestAuthenticator_KeepsToItselfWhatIsNotThatQuestion holds tokens that never leave the house: STS is not asked, nor is anybody else.
func TestAuthenticator_KeepsToItselfWhatIsNotThatQuestion(t *testing.T) {
	for name, test := range map[string]struct {
		from, to string // in the token's URL
		says     string
	}{
		"a token of 1 MB":          {"Version", strings.Repeat("x", 1<<20), "token is too large"},
		"http":                     {"https://", "http://", `unexpected scheme "http"`},
		"somebody's own STS":       {"https://", "https://evil.example:443@", "unexpected hostname"},
		"a host of another name":   {"https://", "https://sts.evil.example/?x=", "unexpected hostname"},
		"a user in the URL":        {"https://", "https://a:b@", "unexpected hostname"},
		"another path":             {"/?", "/admin?", "unexpected path"},
		"no path":                  {"/?", "?", "unexpected path"},
		"a fragment":               {"Version", "#Version", "unexpected path"},
		"another parameter":        {"Version", "RoleArn=x&Version", `non-whitelisted query parameter "RoleArn"`},
		"a parameter in lowercase": {"Version", "action=AssumeRole&Version", `non-whitelisted query parameter "action"`},
		"a parameter twice":        {"Version", "Action=AssumeRole&Version", "multiple values not supported"},
		"a key twice":              {"Version", "X-Amz-Credential=AKIABOB&Version", "multiple values not supported"},
		"another action":           {"GetCallerIdentity", "AssumeRole", "unexpected action"},
		"the cluster not signed":   {"%3Bx-k8s-aws-id", "", "client did not sign the x-k8s-aws-id header"},
		"the host not signed":      {"host%3B", "", "client did not sign the host header"},
		"no end":                   {"X-Amz-Expires=60", "X-Amz-Expires=", "invalid X-Amz-Expires"},
		"an end after an hour":     {"X-Amz-Expires=60", "X-Amz-Expires=3600", "invalid X-Amz-Expires"},
		"an end before its begin":  {"X-Amz-Expires=60", "X-Amz-Expires=-1", "invalid X-Amz-Expires"},
		"another date":             {"X-Amz-Date=2026", "X-Amz-Date=", "error parsing X-Amz-Date"},
		"a semicolon":              {"Version", ";Version", "malformed query parameter"},
		"a line break":             {"https://", "https://\r\nx", "holds no URL"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLesson(t)
			text, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(l.token(anns(), "boats"), prefix))
			if err != nil || !strings.Contains(string(text), test.from) {
				t.Fatalf("%s has no %s (%v)", text, test.from, err)
			}
			changed := strings.Replace(string(text), test.from, test.to, 1)
			status := l.Review(t.Context(), prefix+base64.RawURLEncoding.EncodeToString([]byte(changed)), nil)
			if status.Authenticated || !strings.Contains(status.Error, "input token was not properly formatted: ") || !strings.Contains(status.Error, test.says) {
				t.Errorf("%+v, want %q", status, test.says)
			}
			if l.asked != 0 {
				t.Error("STS was asked")
			}
		})
	}
	l := newLesson(t)
	if status := l.Review(t.Context(), prefix+"?", nil); !strings.Contains(status.Error, "illegal base64") {
		t.Errorf("no base64: %+v", status)
	}
}

func TestAuthenticator_RefusesWhoeverSTSDoesNotKnow(t *testing.T) {
	for name, test := range map[string]struct {
		says  string
		token func(t *testing.T, l *lesson) string
	}{
		"a token for another cluster": {"SignatureDoesNotMatch", func(_ *testing.T, l *lesson) string { return l.token(anns(), "lakes") }},
		"a wrong secret": {"SignatureDoesNotMatch", func(_ *testing.T, l *lesson) string {
			return l.token(sigv4.Credentials{AccessKeyID: "AKIAANN0000000000001", SecretAccessKey: "guess"}, "boats")
		}},
		"an unknown key": {"InvalidClientTokenId", func(_ *testing.T, l *lesson) string {
			return l.token(sigv4.Credentials{AccessKeyID: "AKIAMALLORY000000001", SecretAccessKey: "guess"}, "boats")
		}},
		"one bit changed": {"SignatureDoesNotMatch", func(_ *testing.T, l *lesson) string {
			token := l.token(anns(), "boats")
			text, _ := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, prefix))
			at := strings.Index(string(text), "Signature=") + len("Signature=")
			text[at] ^= 1 // 0 and 1, 2 and 3, a and b of no consequence but this
			return prefix + base64.RawURLEncoding.EncodeToString(text)
		}},
		"of the future": {"Signature not yet current", func(_ *testing.T, l *lesson) string {
			defer func() { l.now = l.now.Add(-time.Hour) }()
			return l.token(anns(), "boats")
		}},
		"a replay after fifteen minutes": {"X-Amz-Date parameter is expired (15 minute expiration)", func(_ *testing.T, l *lesson) string {
			defer func() { l.now = l.now.Add(lifetime + time.Second) }()
			return l.token(anns(), "boats")
		}},
		"a key that was removed": {"InvalidClientTokenId", func(t *testing.T, l *lesson) string {
			defer l.save(t, "users:\n- {name: ann}\n")
			return l.token(anns(), "boats")
		}},
		"all, when STS is down": {"error during GET", func(t *testing.T, l *lesson) string {
			l.save(t, "misbehave: [sts-down]\n"+users)
			return l.token(anns(), "boats")
		}},
		"all, when it is asked too often": {"Rate exceeded", func(t *testing.T, l *lesson) string {
			l.save(t, "misbehave: [throttled]\n"+users)
			return l.token(anns(), "boats")
		}},
		"who is of another account": {"ARN is not mapped: arn:aws:iam::999999999999:user/ann", func(t *testing.T, l *lesson) string {
			l.save(t, "misbehave: [wrong-account]\n"+users)
			return l.token(anns(), "boats")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLesson(t)
			token := test.token(t, l)
			status := l.Review(t.Context(), token, nil)
			if status.Authenticated || !strings.Contains(status.Error, test.says) {
				t.Errorf("%+v, want %q", status, test.says)
			}
			if strings.Contains(status.Error, "guess") || strings.Contains(status.Error, "-secret") || strings.Contains(status.Error, token) {
				t.Errorf("a secret is told: %s", status.Error)
			}
		})
	}
}

func TestAuthenticator_TrustsNoAnswerButAShortOneOfSTS(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"it sends us elsewhere": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.example/", http.StatusFound)
		}, "expected 200, got 302"},
		"it never ends": {func(w http.ResponseWriter, _ *http.Request) {
			w.Write(make([]byte, maxAnswer+1))
		}, "too large"},
		"it is no JSON":   {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<x/>")) }, "no JSON"},
		"it says nothing": {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("{}")) }, "arn '' is invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLesson(t)
			server := httptest.NewTLSServer(test.answer)
			defer server.Close()
			l.STS, l.RoundTripper = strings.TrimPrefix(server.URL, "https://"), server.Client().Transport
			status := l.Review(t.Context(), l.token(anns(), "boats"), nil)
			if status.Authenticated || !strings.Contains(status.Error, test.says) {
				t.Errorf("%+v, want %q", status, test.says)
			}
		})
	}
	l := newLesson(t)
	l.RoundTripper = http.DefaultTransport // which does not trust its certificate
	if status := l.Review(t.Context(), l.token(anns(), "boats"), nil); !strings.Contains(status.Error, "certificate") || l.asked != 0 {
		t.Errorf("an STS with somebody's certificate: %+v", status)
	}
}

func TestAuthenticator_ReadsTheMappingsEachTime(t *testing.T) {
	l := newLesson(t)
	token := l.token(anns(), "boats")
	l.auth = nil
	if status := l.Review(t.Context(), token, nil); !strings.HasPrefix(status.Error, "ARN is not mapped") {
		t.Errorf("without the ConfigMap: %+v", status)
	}
	l.AWSAuth = func(context.Context) (map[string]string, error) { return nil, errors.New("no route to host") }
	if status := l.Review(t.Context(), token, nil); status.Error != "the ConfigMap kube-system/aws-auth could not be read: no route to host" {
		t.Errorf("without the cluster: %+v", status)
	}
}

func FuzzRead(f *testing.F) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	token, _ := NewToken(&url.URL{Scheme: "https", Host: "sts.test"}, "boats", anns(), "eu-west-1", now)
	text, _ := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, prefix))
	f.Add(string(text))
	f.Add("https://sts.test@evil.example/?Action=GetCallerIdentity")
	f.Fuzz(func(t *testing.T, text string) {
		q, err := read(prefix+base64.RawURLEncoding.EncodeToString([]byte(text)), "sts.test", now)
		if err != nil {
			return
		}
		if !strings.HasPrefix(strings.ToLower(text), "https://sts.test/?") {
			t.Errorf("%q is taken for a question to sts.test", text)
		}
		if got := q.parameters["Action"]; len(got) != 1 || got[0] != "GetCallerIdentity" {
			t.Errorf("%q asks for %q", text, got)
		}
	})
}
