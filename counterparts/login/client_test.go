package login

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func unsigned(claims string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

// issuer is one whose answers a test chooses; in them URL stands for its own, and NONCE for that of the login.
type issuer struct {
	discovery, token string
	refresh          string // the answer to a refresh token; else it is refused
	logins, asked    int
	back             func(state string) url.Values
}

func (i *issuer) client(t *testing.T) *Client {
	mux, nonce := http.NewServeMux(), ""
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	fill := strings.NewReplacer("URL", server.URL, "HTTP", strings.Replace(server.URL, "https", "http", 1))
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, fill.Replace(cmp.Or(i.discovery, `{"issuer":"URL","authorization_endpoint":"URL/auth","token_endpoint":"URL/token"}`)))
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		i.asked++
		answer := i.token
		if r.FormValue("grant_type") == "refresh_token" {
			if answer = i.refresh; answer == "" {
				http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
				return
			}
		}
		if claims, ok := strings.CutPrefix(answer, "claims:"); ok {
			answer = `{"id_token":"` + unsigned(strings.ReplaceAll(claims, "NONCE", nonce)) + `","refresh_token":"more"}`
		}
		fmt.Fprint(w, answer)
	})
	return &Client{
		Issuer: server.URL, ID: "coracle", HTTP: server.Client(), Now: func() time.Time { return time.Unix(1000, 0) },
		Visit: func(_ context.Context, page func(string) string) (string, url.Values, error) {
			i.logins++
			to, err := url.Parse(page("http://127.0.0.1:1/callback"))
			if err != nil {
				return "", nil, err
			}
			nonce = to.Query().Get("nonce")
			state := to.Query().Get("state")
			if i.back != nil {
				return "http://127.0.0.1:1/callback", i.back(state), nil
			}
			return "http://127.0.0.1:1/callback", url.Values{"code": {"c"}, "state": {state}}, nil
		},
	}
}

func TestClient_LogsInRefreshesAndKeeps(t *testing.T) {
	i := &issuer{token: `claims:{"nonce":"NONCE","exp":2000}`}
	c := i.client(t)
	first, err := c.Token(t.Context(), Tokens{})
	if err != nil || i.logins != 1 || first.Refresh != "more" || !first.Ends.Equal(time.Unix(2000, 0)) {
		t.Fatalf("a login: %+v, %v, after %d logins", first, err, i.logins)
	}
	if got, err := c.Token(t.Context(), first); err != nil || got != first || i.asked != 1 {
		t.Errorf("a token that is good for a while is not kept: %+v, %v", got, err)
	}
	i.refresh = `claims:{"exp":3000}`
	ending := Tokens{first.IDToken, "more", time.Unix(1030, 0)}
	if got, err := c.Token(t.Context(), ending); err != nil || !got.Ends.Equal(time.Unix(3000, 0)) || i.logins != 1 {
		t.Errorf("refreshed: %+v, %v, after %d logins", got, err, i.logins)
	}
	i.refresh = ""
	if got, err := c.Token(t.Context(), ending); err != nil || !got.Ends.Equal(time.Unix(2000, 0)) || i.logins != 2 {
		t.Errorf("with a refresh token that is good no more: %+v, %v, after %d logins", got, err, i.logins)
	}
}

func TestClient_DoesNotBelieveAnyIssuer(t *testing.T) {
	good := `claims:{"nonce":"NONCE","exp":2000}`
	for name, test := range map[string]struct {
		issuer
		want string
	}{
		"one that is another":                 {issuer{discovery: `{"issuer":"https://evil.example"}`}, "says that it is"},
		"one with an endpoint in the clear":   {issuer{discovery: `{"issuer":"URL","authorization_endpoint":"URL/auth","token_endpoint":"HTTP/token"}`}, "does not begin with https://"},
		"one whose page is a script":          {issuer{discovery: `{"issuer":"URL","authorization_endpoint":"javascript:alert(1)","token_endpoint":"URL/token"}`}, "does not begin with https://"},
		"one without endpoints":               {issuer{discovery: `{"issuer":"URL"}`}, "does not begin with https://"},
		"one that speaks no JSON":             {issuer{discovery: `<html>`}, "is no JSON"},
		"one that does not end":               {issuer{discovery: `{"issuer":"` + strings.Repeat("x", 2*maxAnswer) + `"}`}, "is no JSON"},
		"an answer to another login":          {issuer{token: good, back: func(string) url.Values { return url.Values{"code": {"c"}, "state": {"s"}} }}, "to another login"},
		"an answer without a state":           {issuer{token: good, back: func(string) url.Values { return url.Values{"code": {"c"}} }}, "to another login"},
		"a token for another login":           {issuer{token: `claims:{"nonce":"n","exp":2000}`}, "nonce is not ours"},
		"a token without a nonce":             {issuer{token: `claims:{"exp":2000}`}, "nonce is not ours"},
		"no token":                            {issuer{token: `{}`}, "no ID token"},
		"a token that is none":                {issuer{token: `{"id_token":"a.!.c"}`}, "cannot be read"},
		"a token that ends in ten thousand":   {issuer{token: `claims:{"nonce":"NONCE","exp":253402300800}`}, "cannot be read"},
		"a token that ended before the epoch": {issuer{token: `claims:{"nonce":"NONCE","exp":-1}`}, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := test.client(t).Token(t.Context(), Tokens{})
			if err == nil || !strings.Contains(err.Error(), test.want) || got != (Tokens{}) {
				t.Errorf("got %+v, %v; want an error with %q", got, err, test.want)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add(unsigned(`{"nonce":"n","exp":1}`))
	f.Add(unsigned(`{"exp":1e300}`))
	f.Add("..")
	f.Fuzz(func(t *testing.T, raw string) {
		s, err := read(raw)
		if err != nil {
			return
		}
		if _, err := time.Unix(s.Expiry, 0).UTC().MarshalJSON(); err != nil {
			t.Errorf("it ends at %d, which cannot be written: %v", s.Expiry, err)
		}
	})
}
