package apiserver

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"coracle/apiserver/catalog"
)

func TestRelayedPath(t *testing.T) {
	for url, want := range map[string]string{
		"/api/v1/nodes/n1/proxy":                                  "",
		"/api/v1/nodes/n1/proxy/":                                 "/",
		"/api/v1/nodes/n1/proxy/pods?a=b":                         "/pods",
		"/api/v1/namespaces/web/pods/web/proxy/a%2Fb/":            "/a%2Fb/",
		"/api/v1/namespaces/a/services/https%3Aweb%3A443/proxy/x": "/x",
		"/api/v1/namespaces/a/pods/web/proxy/pods/web/proxy/x":    "/pods/web/proxy/x",
		"/api/v1/namespaces/a/pods/web/proxy":                     "",
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", url, nil)
		c := &call{r: r, kind: &catalog.Kind{Namespaced: r.URL.Path[:len("/api/v1/names")] == "/api/v1/names"}}
		if got := c.relayedPath(); got != want {
			t.Errorf("%s: %q, want %q", url, got, want)
		}
	}
}

// What goes on to a node does not have the credential of whoever asked.
func TestWithoutToken(t *testing.T) {
	for line, want := range map[string]string{
		"base64url.bearer.authorization.k8s.io.c2VjcmV0, v5.channel.k8s.io": "v5.channel.k8s.io",
		"v4.channel.k8s.io,v5.channel.k8s.io":                               "v4.channel.k8s.io, v5.channel.k8s.io",
		"base64url.bearer.authorization.k8s.io.c2VjcmV0":                    "",
	} {
		if got := withoutToken(line); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func TestRelayed_Redirect(t *testing.T) {
	to := relayed{to: &url.URL{Scheme: "http", Host: "10.244.0.2:80"}, prefix: "/api/v1/namespaces/a/pods/web/proxy"}
	for sent, want := range map[string]string{
		"":                            "",
		"/login?a=b":                  "/api/v1/namespaces/a/pods/web/proxy/login?a=b",
		"http://10.244.0.2:80/x":      "/api/v1/namespaces/a/pods/web/proxy/x",
		"https://elsewhere.example/x": "https://elsewhere.example/x",
		"x":                           "x",
	} {
		h := http.Header{"Location": {sent}}
		if err := to.redirect(h); err != nil || h.Get("Location") != want {
			t.Errorf("%q: %q, %v; want %q", sent, h.Get("Location"), err, want)
		}
	}
}
