package apiserver

import (
	"net/http"
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/authentication/user"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"coracle/apiserver/decision"
)

// MaxInFlight bounds how many requests are worked on at the same time; 0 is no bound. Watches and streams do not count, and
// members of system:masters are never turned away.
// Source: k8s.io/apiserver/pkg/server/filters/maxinflight.go.
type MaxInFlight struct {
	ReadOnly int // get, list
	Mutating int // all else
}

const tooMany = "Too many requests, please try again later."

// limit turns requests away that are too many: 429, to be tried again after a second.
func (s *Server) limit(next http.Handler) http.Handler {
	reading, writing := slots(s.MaxInFlight.ReadOnly), slots(s.MaxInFlight.Mutating)
	readingNow, writingNow := s.metrics.inFlight.WithLabelValues("readOnly"), s.metrics.inFlight.WithLabelValues("mutating")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info := infoOf(r)
		taken, now := writing, writingNow
		if slices.Contains([]string{"get", "list", "watch"}, info.Verb) {
			taken, now = reading, readingNow
		}
		if taken == nil || longRunning(info) {
			next.ServeHTTP(w, r)
			return
		}
		select {
		case taken <- struct{}{}:
			now.Inc()
			defer func() {
				now.Dec()
				<-taken
			}()
			next.ServeHTTP(w, r)
		default:
			if slices.Contains(userOf(r).GetGroups(), user.SystemPrivilegedGroup) {
				next.ServeHTTP(w, r)
				return
			}
			decision.From(r.Context()).Message = tooMany
			w.Header().Set("Retry-After", "1")
			http.Error(w, tooMany, http.StatusTooManyRequests)
		}
	})
}

// slots are nil where there is no bound.
func slots(n int) chan struct{} {
	if n <= 0 {
		return nil
	}
	return make(chan struct{}, n)
}

// longRunning tells of requests that last as long as their client likes.
func longRunning(info *apirequest.RequestInfo) bool {
	if !info.IsResourceRequest {
		return strings.HasPrefix(info.Path, "/debug/pprof/")
	}
	return info.Verb == "watch" || info.Verb == "proxy" ||
		slices.Contains([]string{"attach", "exec", "proxy", "log", "portforward"}, info.Subresource)
}
