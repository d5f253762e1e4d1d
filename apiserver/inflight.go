package apiserver

import (
	"net/http"
	"slices"
	"strings"
	"sync"

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

// slots are for requests that are worked on. Nobody has more than three quarters of them, so that one who sends without end does not
// shut out all others.
type slots struct {
	most int

	mu    sync.Mutex
	taken int
	by    map[string]int // user names
}

// newSlots returns nil where there is no bound.
func newSlots(most int) *slots {
	if most <= 0 {
		return nil
	}
	return &slots{most: most, by: map[string]int{}}
}

func (s *slots) take(user string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken >= s.most || s.by[user] >= s.most-s.most/4 {
		return false
	}
	s.taken++
	s.by[user]++
	return true
}

func (s *slots) give(user string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	if s.by[user]--; s.by[user] == 0 {
		delete(s.by, user)
	}
}

// limit turns requests away that are too many: 429, to be tried again after a second.
func (s *Server) limit(next http.Handler) http.Handler {
	reading, writing := newSlots(s.MaxInFlight.ReadOnly), newSlots(s.MaxInFlight.Mutating)
	readingNow, writingNow := s.metrics.inFlight.WithLabelValues("readOnly"), s.metrics.inFlight.WithLabelValues("mutating")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info := infoOf(r)
		free, now := writing, writingNow
		if slices.Contains([]string{"get", "list", "watch"}, info.Verb) {
			free, now = reading, readingNow
		}
		if free == nil || longRunning(info) {
			next.ServeHTTP(w, r)
			return
		}
		who := userOf(r)
		switch name := who.GetName(); {
		case free.take(name):
			now.Inc()
			defer func() {
				now.Dec()
				free.give(name)
			}()
			next.ServeHTTP(w, r)
		case slices.Contains(who.GetGroups(), user.SystemPrivilegedGroup):
			next.ServeHTTP(w, r)
		default:
			decision.From(r.Context()).Message = tooMany
			w.Header().Set("Retry-After", "1")
			http.Error(w, tooMany, http.StatusTooManyRequests)
		}
	})
}

// longRunning tells of requests that last as long as their client likes.
func longRunning(info *apirequest.RequestInfo) bool {
	if !info.IsResourceRequest {
		return strings.HasPrefix(info.Path, "/debug/pprof/")
	}
	return info.Verb == "watch" || info.Verb == "proxy" ||
		slices.Contains([]string{"attach", "exec", "proxy", "log", "portforward"}, info.Subresource)
}
