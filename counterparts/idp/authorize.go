package idp

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
)

// The form goes to the address that it was got from, so that nothing of the request is repeated in the page.
const loginPage = `<!doctype html><meta charset="utf-8"><title>Coracle: log in</title>
<form method="post"><h1>Log in</h1>
<p><label>Name <input name="username" autocomplete="username" autofocus></label>
<p><label>Password <input name="password" type="password" autocomplete="current-password"></label>
<p><button>Log in</button></form>`

// page shows the form.
func (i *Issuer) page(w http.ResponseWriter, r *http.Request) {
	if _, err := i.asked(r.URL.Query()); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	io.WriteString(w, loginPage)
}

// login checks the password and sends the browser back to the program, with a code.
func (i *Issuer) login(w http.ResponseWriter, r *http.Request) {
	what, err := i.asked(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	person := i.people.Content(r.Context()).ByPassword(r.PostFormValue("username"), r.PostFormValue("password"))
	if person == nil {
		http.Error(w, "the name or the password is wrong", http.StatusUnauthorized)
		return
	}
	what.person = person.Name
	code := i.codes.add(what)
	if code == "" {
		http.Error(w, "too many logins are under way; try again in a minute", http.StatusServiceUnavailable)
		return
	}
	back, err := url.Parse(what.redirect)
	if err != nil {
		http.Error(w, errRedirect.Error(), http.StatusBadRequest)
		return
	}
	back.RawQuery = url.Values{"code": {code}, "state": {r.URL.Query().Get("state")}}.Encode()
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, back.String(), http.StatusSeeOther)
}

var errRedirect = errors.New("redirect_uri must be http://127.0.0.1:PORT/..., http://[::1]:PORT/... or http://localhost:PORT/...: codes go to programs of this machine alone")

// asked checks an authorization request. What is wrong with it is told here, and not at the redirect_uri.
func (i *Issuer) asked(q url.Values) (grant, error) {
	switch {
	case q.Get("response_type") != "code":
		return grant{}, errors.New("response_type must be code")
	case q.Get("client_id") != i.client:
		return grant{}, errors.New("client_id is not known; --client-id says which one is")
	case q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43:
		return grant{}, errors.New("a code_challenge with the code_challenge_method S256 is needed (RFC 7636)")
	case !loopback(q.Get("redirect_uri")):
		return grant{}, errRedirect
	}
	return grant{challenge: q.Get("code_challenge"), redirect: q.Get("redirect_uri"), nonce: q.Get("nonce")}, nil
}

// loopback tells whether a redirect stays on this machine (RFC 8252, section 7.3).
func loopback(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" || u.User != nil || u.Fragment != "" || u.Port() == "" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
