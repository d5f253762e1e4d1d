package sts

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"coracle/counterparts/people"
	"coracle/counterparts/sts/sigv4"
)

const (
	users = `misbehave: []
users:
- name: ann
  accessKeys:
  - {id: AKIAANN0000000000001, secret: anns-secret}
  - {id: ASIAANN0000000000001, secret: roles-secret, sessionToken: roles-token, role: deployer, expires: 2026-01-02T04:00:00Z}
`
	question = "https://sts.test/?Action=GetCallerIdentity&Version=2011-06-15"
)

// service is one that knows ann, with a clock that can be moved, and what it logs.
type service struct {
	*Service
	now  time.Time
	path string
	log  bytes.Buffer
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), path: filepath.Join(t.TempDir(), "users.yaml")}
	s.save(t, users)
	log := slog.New(slog.NewTextHandler(&s.log, nil))
	known, err := people.Open(s.path, Faults(), nil, log)
	if err != nil {
		t.Fatal(err)
	}
	s.Service = &Service{People: known, Account: "111122223333", Now: func() time.Time { return s.now }, Log: log}
	return s
}

func (s *service) save(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(s.path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func anns() sigv4.Credentials {
	return sigv4.Credentials{AccessKeyID: "AKIAANN0000000000001", SecretAccessKey: "anns-secret"}
}

func roles() sigv4.Credentials {
	return sigv4.Credentials{AccessKeyID: "ASIAANN0000000000001", SecretAccessKey: "roles-secret", SessionToken: "roles-token"}
}

// presign signs a question now.
func (s *service) presign(t *testing.T, question string, c sigv4.Credentials) string {
	t.Helper()
	to, err := url.Parse(question)
	if err != nil {
		t.Fatal(err)
	}
	return sigv4.Presign(to, nil, c, "eu-west-1", "sts", time.Minute, s.now).String()
}

func (s *service) get(t *testing.T, target string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "GET", target, nil)
	r.Header.Set("Accept", "application/json")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestService_TellsWhoSigned(t *testing.T) {
	s := newService(t)
	for name, test := range map[string]struct {
		c     sigv4.Credentials
		wants []string
	}{
		"a user": {anns(), []string{`"Account":"111122223333"`, `"Arn":"arn:aws:iam::111122223333:user/ann"`, `"UserId":"AIDA`}},
		"a role": {roles(), []string{`"Arn":"arn:aws:sts::111122223333:assumed-role/deployer/ann"`, `"UserId":"AROA`, `:ann"`}},
	} {
		t.Run(name, func(t *testing.T) {
			w := s.get(t, s.presign(t, question, test.c))
			for _, want := range append(test.wants, `{"GetCallerIdentityResponse":{"GetCallerIdentityResult":{`, `"ResponseMetadata":{"RequestId":"`) {
				if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), want) {
					t.Errorf("%d %s, want 200 and %s", w.Code, w.Body, want)
				}
			}
		})
	}
}

func TestService_SpeaksXMLToWhoeverAsksForNothingElse(t *testing.T) {
	s := newService(t)
	for target, want := range map[string]string{
		s.presign(t, question, anns()): `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/ann</Arn><UserId>`,
		question:                       `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>MissingAuthenticationToken</Code><Message>Request is missing Authentication Token</Message></Error><RequestId>`,
	} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", target, nil))
		if !strings.HasPrefix(w.Body.String(), want) || w.Header().Get("Content-Type") != "text/xml" {
			t.Errorf("%s, want %s", w.Body, want)
		}
	}
}

func TestService_Refuses(t *testing.T) {
	const wrong = "SignatureDoesNotMatch"
	stranger, guess, stolen, plain := anns(), anns(), roles(), anns()
	stranger.AccessKeyID = "AKIAMALLORY000000001"
	guess.SecretAccessKey = "guess"
	stolen.SessionToken = ""
	plain.SessionToken = "roles-token"
	for name, test := range map[string]struct {
		code, says string
		ask        func(t *testing.T, s *service) string // and does what has happened until the request arrives
	}{
		"nothing signed": {"MissingAuthenticationToken", "Request is missing Authentication Token", func(*testing.T, *service) string { return question }},
		"an unknown key": {"InvalidClientTokenId", "The security token included in the request is invalid.", func(t *testing.T, s *service) string {
			return s.presign(t, question, stranger)
		}},
		"a wrong secret": {wrong, "does not match the signature you provided", func(t *testing.T, s *service) string { return s.presign(t, question, guess) }},
		"a role's key without its token": {"InvalidClientTokenId", "is invalid", func(t *testing.T, s *service) string {
			return s.presign(t, question, stolen)
		}},
		"a user's key with a token": {"InvalidClientTokenId", "is invalid", func(t *testing.T, s *service) string {
			return s.presign(t, question, plain)
		}},
		"another action": {"InvalidAction", "Could not find operation AssumeRole for version 2011-06-15", func(t *testing.T, s *service) string {
			return s.presign(t, strings.Replace(question, "GetCallerIdentity", "AssumeRole", 1), anns())
		}},
		"two actions": {"InvalidAction", "Could not find operation", func(t *testing.T, s *service) string {
			return s.presign(t, question+"&Action=AssumeRole", anns())
		}},
		"a signature for another service": {wrong, "scoped to correct service: 'sts'", func(t *testing.T, s *service) string {
			to, _ := url.Parse(question)
			return sigv4.Presign(to, nil, anns(), "eu-west-1", "s3", time.Minute, s.now).String()
		}},
		"a parameter added": {wrong, "does not match", func(t *testing.T, s *service) string { return s.presign(t, question, anns()) + "&x=y" }},
		"a replay after fifteen minutes": {wrong, "Signature expired: 20260102T030405Z is now earlier than 20260102T030406Z (20260102T031906Z - 15 min.)", func(t *testing.T, s *service) string {
			defer func() { s.now = s.now.Add(lifetime + time.Second) }()
			return s.presign(t, question, anns())
		}},
		"of the future": {wrong, "Signature not yet current: 20260102T030405Z is still later than 20260102T030404Z (20260102T025904Z + 5 min.)", func(t *testing.T, s *service) string {
			defer func() { s.now = s.now.Add(-ahead - time.Second) }()
			return s.presign(t, question, anns())
		}},
		"a date of another day in the scope": {wrong, "Date in Credential scope", func(t *testing.T, s *service) string {
			return strings.Replace(s.presign(t, question, anns()), "%2F20260102%2F", "%2F20260101%2F", 1)
		}},
		"a key that has ended": {"ExpiredToken", "The security token included in the request is expired", func(t *testing.T, s *service) string {
			s.now = s.now.Add(time.Hour)
			return s.presign(t, question, roles())
		}},
		"a key that was removed": {"InvalidClientTokenId", "is invalid", func(t *testing.T, s *service) string {
			defer s.save(t, "users:\n- {name: ann}\n")
			return s.presign(t, question, anns())
		}},
		"all, when throttled": {"Throttling", "Rate exceeded", func(t *testing.T, s *service) string {
			s.save(t, strings.Replace(users, "[]", "[throttled]", 1))
			return s.presign(t, question, anns())
		}},
		"all, when its clock is wrong": {wrong, "Signature expired", func(t *testing.T, s *service) string {
			s.save(t, strings.Replace(users, "[]", "[skewed-clock]", 1))
			return s.presign(t, question, anns())
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t)
			w := s.get(t, test.ask(t, s))
			body := w.Body.String()
			if w.Code < 400 || !strings.Contains(body, `{"Error":{"Type":"Sender","Code":"`+test.code+`","Message":"`) || !strings.Contains(body, test.says) {
				t.Errorf("%d %s, want %s: %s", w.Code, body, test.code, test.says)
			}
			if said := body + s.log.String(); strings.Contains(said, "anns-") || strings.Contains(said, "roles-") {
				t.Errorf("a secret is told: %s", said)
			}
		})
	}
}

func TestService_Misbehaves(t *testing.T) {
	s := newService(t)
	s.save(t, strings.Replace(users, "[]", "[wrong-account]", 1))
	if w := s.get(t, s.presign(t, question, anns())); !strings.Contains(w.Body.String(), "arn:aws:iam::999999999999:user/ann") {
		t.Errorf("with the wrong account: %s", w.Body)
	}
	s.save(t, strings.Replace(users, "[]", "[sts-down]", 1))
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("down, it answers")
		}
	}()
	s.get(t, question)
}

func TestService_BoundsWhatItReads(t *testing.T) {
	s := newService(t)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "POST", "https://sts.test/", strings.NewReader(strings.Repeat("x", maxBody+1))))
	if w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a body of more than %d bytes: %d", maxBody, w.Code)
	}
	if w := s.get(t, "https://sts.test/admin"); w.Code != http.StatusNotFound {
		t.Errorf("another path: %d", w.Code)
	}
}

// TestService_AnswersAPost is with a request that Amazon's own botocore 1.43.11 signed.
func TestService_AnswersAPost(t *testing.T) {
	const body = "Action=GetCallerIdentity&Version=2011-06-15"
	s := newService(t)
	s.save(t, "users:\n- {name: bob, accessKeys: [{id: AKIAIOSFODNN7EXAMPLE, secret: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY}]}\n")
	for sent, want := range map[string]string{body: "user/bob", body + "&RoleArn=x": "SignatureDoesNotMatch"} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "https://127.0.0.1:7447/", strings.NewReader(sent))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
		r.Header.Set("X-Amz-Date", "20260102T030405Z")
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260102/eu-west-1/sts/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=b213d081d303acf837507950721d08093cae2af9f3fd6232f0443111436c8d29")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %s, want %s", sent, w.Body, want)
		}
	}
}
