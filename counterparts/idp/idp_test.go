package idp

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"coracle/counterparts/people"
)

const verifier = "a-verifier-of-more-than-forty-three-characters-as-the-rfc-wants"

// issuer is one that knows ann, with a clock that can be moved.
func issuer(t *testing.T) (*Issuer, *time.Time) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users.yaml")
	if err := os.WriteFile(path, []byte("users:\n- {name: ann, groups: [dev], password: annspassword}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	known, err := people.Open(path, Faults(), nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	i, err := New("https://idp.example", "coracle", known, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	return i, &now
}

func request(change func(url.Values)) url.Values {
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"response_type": {"code"}, "client_id": {"coracle"}, "redirect_uri": {"http://127.0.0.1:9/callback"}, "state": {"s"}, "nonce": {"n"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	if change != nil {
		change(q)
	}
	return q
}

func post(t *testing.T, i *Issuer, path string, form url.Values) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	i.Handler().ServeHTTP(w, r)
	return w
}

func login(t *testing.T, i *Issuer, q url.Values, password string) *httptest.ResponseRecorder {
	t.Helper()
	return post(t, i, "/authorize?"+q.Encode(), url.Values{"username": {"ann"}, "password": {password}})
}

// code logs ann in.
func code(t *testing.T, i *Issuer) string {
	t.Helper()
	back, err := login(t, i, request(nil), "annspassword").Result().Location()
	if err != nil {
		t.Fatal(err)
	}
	if back.Query().Get("state") != "s" {
		t.Errorf("the state came back as %q", back.Query().Get("state"))
	}
	return back.Query().Get("code")
}

func TestAuthorize_Hostile(t *testing.T) {
	for name, c := range map[string]struct {
		change   func(url.Values)
		password string
		want     int
	}{
		"all is well":                             {password: "annspassword", want: http.StatusSeeOther},
		"a wrong password":                        {password: "guess", want: http.StatusUnauthorized},
		"an empty one":                            {want: http.StatusUnauthorized},
		"another client":                          {change: func(q url.Values) { q.Set("client_id", "other") }, password: "annspassword", want: http.StatusBadRequest},
		"no challenge":                            {change: func(q url.Values) { q.Del("code_challenge") }, password: "annspassword", want: http.StatusBadRequest},
		"a challenge in the open":                 {change: func(q url.Values) { q.Set("code_challenge_method", "plain") }, password: "annspassword", want: http.StatusBadRequest},
		"a token straight away":                   {change: func(q url.Values) { q.Set("response_type", "id_token") }, password: "annspassword", want: http.StatusBadRequest},
		"a redirect to another machine":           {change: func(q url.Values) { q.Set("redirect_uri", "http://evil.example:80/") }, password: "annspassword", want: http.StatusBadRequest},
		"one that only looks like this machine":   {change: func(q url.Values) { q.Set("redirect_uri", "http://127.0.0.1.evil.example:80/") }, password: "annspassword", want: http.StatusBadRequest},
		"one that says it in the user's place":    {change: func(q url.Values) { q.Set("redirect_uri", "http://127.0.0.1:80@evil.example/") }, password: "annspassword", want: http.StatusBadRequest},
		"a redirect that a browser would run":     {change: func(q url.Values) { q.Set("redirect_uri", "javascript:alert(1)") }, password: "annspassword", want: http.StatusBadRequest},
		"a redirect by https, to an app's scheme": {change: func(q url.Values) { q.Set("redirect_uri", "https://127.0.0.1:80/") }, password: "annspassword", want: http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			i, _ := issuer(t)
			w := login(t, i, request(c.change), c.password)
			if w.Code != c.want || w.Code != http.StatusSeeOther && w.Header().Get("Location") != "" {
				t.Errorf("answered %d to %q: %s", w.Code, w.Header().Get("Location"), w.Body)
			}
		})
	}
}

func TestToken_Hostile(t *testing.T) {
	redeem := func(change func(url.Values)) url.Values {
		form := url.Values{"grant_type": {"authorization_code"}, "client_id": {"coracle"}, "redirect_uri": {"http://127.0.0.1:9/callback"}, "code_verifier": {verifier}}
		if change != nil {
			change(form)
		}
		return form
	}
	for name, c := range map[string]struct {
		change func(url.Values)
		wait   time.Duration
		twice  bool
		want   int
	}{
		"all is well":                       {want: http.StatusOK},
		"a code is good once":               {twice: true, want: http.StatusBadRequest},
		"and for a minute":                  {wait: 2 * time.Minute, want: http.StatusBadRequest},
		"whoever caught it has no verifier": {change: func(f url.Values) { f.Set("code_verifier", "guess") }, want: http.StatusBadRequest},
		"nor the redirect":                  {change: func(f url.Values) { f.Set("redirect_uri", "http://127.0.0.1:10/callback") }, want: http.StatusBadRequest},
		"another client":                    {change: func(f url.Values) { f.Set("client_id", "other") }, want: http.StatusBadRequest},
		"a code is no refresh token":        {change: func(f url.Values) { f.Set("grant_type", "refresh_token"); f.Set("refresh_token", f.Get("code")) }, want: http.StatusBadRequest},
		"passwords are for the page alone":  {change: func(f url.Values) { f.Set("grant_type", "password") }, want: http.StatusBadRequest},
		"a form of a megabyte is not read":  {change: func(f url.Values) { f.Set("more", strings.Repeat("x", 1<<20)) }, want: http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			i, now := issuer(t)
			form := redeem(nil)
			form.Set("code", code(t, i))
			if c.change != nil {
				c.change(form)
			}
			*now = now.Add(c.wait)
			if c.twice {
				post(t, i, "/token", form)
			}
			w := post(t, i, "/token", form)
			if w.Code != c.want {
				t.Errorf("answered %d: %s", w.Code, w.Body)
			}
			if strings.Contains(w.Body.String(), "annspassword") || w.Code != http.StatusOK && strings.Contains(w.Body.String(), "id_token\"") {
				t.Errorf("the answer gives away too much: %s", w.Body)
			}
		})
	}
}

func TestToken_SaysWhoAndIsRefreshedOnce(t *testing.T) {
	i, now := issuer(t)
	get := func(form url.Values) (claims jwt.MapClaims, refresh string) {
		t.Helper()
		var got struct {
			ID      string `json:"id_token"`
			Refresh string `json:"refresh_token"`
		}
		w := post(t, i, "/token", form)
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
			t.Fatalf("answered %d: %s", w.Code, w.Body)
		}
		claims = jwt.MapClaims{}
		if _, err := jwt.ParseWithClaims(got.ID, claims, func(*jwt.Token) (any, error) { return &i.usual.PublicKey, nil },
			jwt.WithTimeFunc(func() time.Time { return *now }), jwt.WithAudience("coracle"), jwt.WithIssuer("https://idp.example"), jwt.WithValidMethods([]string{"RS256"})); err != nil {
			t.Fatal(err)
		}
		return claims, got.Refresh
	}
	claims, refresh := get(url.Values{"grant_type": {"authorization_code"}, "client_id": {"coracle"}, "redirect_uri": {"http://127.0.0.1:9/callback"}, "code_verifier": {verifier}, "code": {code(t, i)}})
	if claims["sub"] != "ann" || claims["nonce"] != "n" {
		t.Errorf("the claims are %v", claims)
	}
	*now = now.Add(Lifetime)
	form := url.Values{"grant_type": {"refresh_token"}, "client_id": {"coracle"}, "refresh_token": {refresh}}
	if claims, _ = get(form); claims["sub"] != "ann" {
		t.Errorf("after the refresh the claims are %v", claims)
	}
	if w := post(t, i, "/token", form); w.Code != http.StatusBadRequest {
		t.Errorf("a refresh token was good twice: %s", w.Body)
	}
}
