package tokenreview

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
)

type everybody struct{}

func (everybody) Review(_ context.Context, token string, _ []string) authenticationv1.TokenReviewStatus {
	return authenticationv1.TokenReviewStatus{Authenticated: token == "hush"}
}

func TestHandler(t *testing.T) {
	const question = `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":"hush"}}`
	for name, test := range map[string]struct {
		method, body string
		code         int
		says         string
	}{
		"a question is answered":          {"POST", question, 200, `"authenticated":true`},
		"in the older version too":        {"POST", strings.Replace(question, "v1", "v1beta1", 1), 200, `"authentication.k8s.io/v1beta1"`},
		"another kind is refused":         {"POST", strings.Replace(question, "TokenReview", "Token", 1), 400, "no TokenReview"},
		"another version is refused":      {"POST", strings.Replace(question, "v1", "v2", 1), 400, "no TokenReview"},
		"what is no JSON is refused":      {"POST", "hush", 400, "no TokenReview"},
		"a token of 1 MB is not read":     {"POST", strings.Replace(question, "hush", strings.Repeat("h", maxBody), 1), 400, "no TokenReview"},
		"nothing is answered to a reader": {"GET", "", 405, "by POST"},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			Handler(everybody{}).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), test.method, "/", strings.NewReader(test.body)))
			if w.Code != test.code || !strings.Contains(w.Body.String(), test.says) {
				t.Errorf("%d %s, want %d and %s", w.Code, w.Body, test.code, test.says)
			}
			if strings.Contains(w.Body.String(), "hush") {
				t.Errorf("the answer repeats the token: %s", w.Body)
			}
		})
	}
}
