package sigv4

import (
	"crypto/hmac"
	"net/http"
)

// ByDay tells whether the scope is of the day of the date.
func (s *Signed) ByDay() bool { return s.Scope.Day == s.Date.Format(dayFormat) }

// By tells whether the request was signed with that secret. The time that it takes says nothing of the secret. Who asks has to
// judge date, scope and session token.
func (s *Signed) By(secret string, r *http.Request, body []byte) bool {
	if r.URL.Path != "/" && r.URL.Path != "" {
		return false
	}
	text, ok := canonical(r, s.query, s.Headers, hash(body))
	want := signature(secret, s.Scope, s.Date, text)
	return hmac.Equal([]byte(want), []byte(s.signature)) && ok
}
