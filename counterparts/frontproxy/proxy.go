package frontproxy

import (
	"crypto/tls"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"

	"coracle/counterparts/people"
)

// The headers that say who asks.
const (
	headerPrefix = "X-Remote-"
	headerUser   = headerPrefix + "User"
	headerUID    = headerPrefix + "Uid"
	headerGroup  = headerPrefix + "Group"
	headerExtra  = headerPrefix + "Extra-"
)

// Proxy passes requests on to the server behind it, in the name of those who proved who they are. TLS holds the proxy's
// client certificate and the authority that the server is known by.
func Proxy(server *url.URL, config *tls.Config, known *people.File, errorLog *log.Logger) http.Handler {
	transport := &http.Transport{TLSClientConfig: config} // HTTP/1.1: kubectl exec upgrades its connection
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, password, _ := r.BasicAuth()
		person := known.Content(r.Context()).ByPassword(name, password)
		if person == nil {
			w.Header().Set("WWW-Authenticate", `Basic realm="coracle"`)
			http.Error(w, "the proxy does not know you; it wants a name and a password of its list", http.StatusUnauthorized)
			return
		}
		proxy := &httputil.ReverseProxy{
			Transport: transport, ErrorLog: errorLog, FlushInterval: -1, // watches
			// What Connection names as belonging to one hop has been removed before Rewrite: nobody can make the proxy
			// drop what is added here.
			Rewrite: func(p *httputil.ProxyRequest) {
				p.SetURL(server)
				strip(p.Out.Header)
				identify(p.Out.Header, person)
			},
		}
		proxy.ServeHTTP(w, r)
	})
}

// strip removes whatever says who asks: the password, which the server has no use for, and all that a client could
// say of itself, in spellings too that some server might take for the same.
func strip(h http.Header) {
	for name := range h {
		if strings.HasPrefix(http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-")), headerPrefix) {
			delete(h, name)
		}
	}
	h.Del("Authorization")
}

func identify(h http.Header, p *people.Person) {
	h.Set(headerUser, p.Name)
	if p.UID != "" {
		h.Set(headerUID, p.UID)
	}
	for _, g := range p.Groups {
		h.Add(headerGroup, g)
	}
	for key, values := range p.Extra {
		for _, v := range values {
			h.Add(headerExtra+url.PathEscape(key), v)
		}
	}
}
