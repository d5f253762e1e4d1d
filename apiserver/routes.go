package apiserver

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// handler answers a request or returns the error to answer with.
type handler func(w http.ResponseWriter, r *http.Request) error

// routes are few: what is asked of a resource is in the request info, not in the route.
func (s *Server) routes(router *mux.Router) http.Handler {
	// Names may hold escaped slashes (a proxied path does), so paths are matched as they came.
	router.SkipClean(true).UseEncodedPath()

	open := func(path string, h handler) {
		s.paths = append(s.paths, path)
		router.Handle(path, s.answer(h))
	}
	open("/healthz", s.health(alive))
	open("/livez", s.health(alive))
	open("/readyz", s.health(ready))
	open("/version", reads(s.version))
	open("/metrics", s.serveMetrics)
	open("/api", reads(s.legacyAPI))
	open("/apis", s.groups)
	open("/openapi/v2", s.openAPIv2)
	open("/openapi/v3", s.openAPIv3)
	open("/.well-known/openid-configuration", reads(s.openIDConfiguration))
	open("/openid/v1/jwks", reads(s.jwks))

	for _, p := range []string{"/healthz", "/livez", "/readyz"} {
		kind := alive
		if p == "/readyz" {
			kind = ready
		}
		router.Handle(p+"/{check}", s.answer(s.health(kind)))
	}
	router.Handle("/version/", s.answer(reads(s.version)))
	router.Handle("/openapi/v3/{path:.*}", s.answer(s.openAPIv3Group))
	router.Handle("/api/", s.answer(reads(s.legacyAPI)))
	router.Handle("/apis/", s.answer(s.groups))
	router.Handle("/apis/{group}", s.answer(s.group))
	router.Handle("/apis/{group}/", s.answer(s.group))
	for _, prefix := range []string{"/api/{version}", "/apis/{group}/{version}"} {
		router.Handle(prefix, s.answer(s.resources))
		router.Handle(prefix+"/", s.answer(s.resources))
		router.PathPrefix(prefix + "/").Handler(s.answer(s.resource))
	}
	s.debug(router)
	router.Handle("/", s.answer(s.index))
	router.NotFoundHandler = http.HandlerFunc(notFound)
	resource := s.answer(s.resource)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ofResource(r) { // as nearly all are: there is nothing to search
			resource.ServeHTTP(w, r)
			return
		}
		router.ServeHTTP(w, r)
	})
}

// ofResource tells whether a path has a group and a version before more, and nothing that is escaped: which the routes say of resources.
func ofResource(r *http.Request) bool {
	info := infoOf(r)
	if !info.IsResourceRequest || info.APIVersion == "" || r.URL.RawPath != "" {
		return false
	}
	before := []string{"/api/", info.APIVersion, "/"}
	if info.APIGroup != "" {
		before = []string{"/apis/", info.APIGroup, "/", info.APIVersion, "/"}
	}
	rest, ok := r.URL.Path, true
	for _, part := range before {
		if rest, ok = strings.CutPrefix(rest, part); !ok {
			return false
		}
	}
	return true
}

// reads refuses every method but GET.
func reads(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if r.Method != http.MethodGet {
			return methodNotAllowed()
		}
		return h(w, r)
	}
}

// answer turns a handler's error into a Status.
func (s *Server) answer(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

// notFound is what upstream answers for paths that nothing serves.
func notFound(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusNotFound)
	w.Write([]byte("404 page not found\n"))
}

// index lists the paths that are served.
func (s *Server) index(w http.ResponseWriter, r *http.Request) error {
	paths := slices.Clone(s.paths)
	for _, k := range s.Catalog.Kinds() {
		if k.Group == "" {
			paths = append(paths, "/api/"+k.Version)
		} else {
			paths = append(paths, "/apis/"+k.Group, "/apis/"+k.Group+"/"+k.Version)
		}
	}
	slices.Sort(paths)
	return sendJSON(w, r, struct {
		Paths []string `json:"paths"`
	}{slices.Compact(paths)})
}

func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) error {
	promhttp.HandlerFor(s.Gatherers, promhttp.HandlerOpts{}).ServeHTTP(w, r)
	return nil
}
