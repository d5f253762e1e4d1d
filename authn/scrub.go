package authn

import (
	"net/http"
	"slices"
	"strings"
)

// scrubber takes from a header what authenticates. Nothing behind the authenticators may use it, and nobody may
// smuggle in, for a server further behind, what only an authenticating proxy may say.
type scrubber struct {
	names    []string // canonical
	prefixes []string // canonical
}

// proxied is an authenticator that reads headers which only an authenticating proxy may set.
type proxied interface {
	headers() (names, prefixes []string)
}

func newScrubber(requests []Authenticator) *scrubber {
	s := &scrubber{
		names:    []string{"Authorization", "X-Remote-User", "X-Remote-Uid", "X-Remote-Group"},
		prefixes: []string{"X-Remote-Extra-"},
	}
	for _, a := range requests {
		if p, ok := a.(proxied); ok {
			names, prefixes := p.headers()
			for _, n := range names {
				s.names = append(s.names, http.CanonicalHeaderKey(n))
			}
			for _, p := range prefixes {
				s.prefixes = append(s.prefixes, http.CanonicalHeaderKey(p))
			}
		}
	}
	return s
}

// Scrub removes from a header all that can authenticate: Authorization, a token among the WebSocket protocols,
// and the headers of authenticating proxies, whoever sent them. Call it once the request is authenticated.
func (r *Result) Scrub(h http.Header) {
	if r.scrub == nil {
		return
	}
	for _, n := range r.scrub.names {
		delete(h, n)
	}
	for key := range h {
		for _, p := range r.scrub.prefixes {
			if strings.HasPrefix(key, p) {
				delete(h, key)
			}
		}
	}
	if offers := h[websocketProtocol]; len(offers) > 0 && isWebSocket(h) {
		h.Set(websocketProtocol, strings.Join(withoutTokens(offers), ","))
	}
}

func withoutTokens(offers []string) []string {
	var rest []string
	for _, line := range offers {
		for p := range strings.SplitSeq(line, ",") {
			rest = append(rest, strings.TrimSpace(p))
		}
	}
	return slices.DeleteFunc(rest, func(p string) bool { return strings.HasPrefix(p, websocketToken) })
}
