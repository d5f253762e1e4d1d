package apiserver

import (
	"context"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"coracle/apiserver/decision"
	"coracle/apiserver/why"
	"coracle/authn"
)

// stage is one step of a request's way: it does its job and calls the next, or answers.
type stage struct {
	name string
	wrap func(next http.Handler) http.Handler
}

// pipeline puts the stages in front of the routes. The order is the lesson: who asks is known before
// anything is logged of it, whom they act as before what they may do, and nothing is read from a body
// before it is known that they may send it.
func (s *Server) pipeline(routes http.Handler) http.Handler {
	stages := []stage{
		{"accept", s.accept},             // request id, panic guard, metrics
		{"request info", s.requestInfo},  // what is asked: verb, resource, namespace, name
		{"authenticate", s.authenticate}, // who asks
		{"audit", s.audit},               // who asked for what, for the record
		{"impersonate", s.impersonate},   // as whom
		{"limit", s.limit},               // are there too many
		{"authorize", s.authorize},       // may they
	}
	handler, after := routes, "answer"
	for _, st := range slices.Backward(stages) {
		handler = st.wrap(timed(st.name, after, handler))
		after = st.name
	}
	return handler
}

// timed notes how long the stage before it took, and which one follows.
func timed(name, after string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := decision.From(r.Context())
		rec.Mark(name, time.Now())
		rec.Enter(after)
		next.ServeHTTP(w, r)
	})
}

// accept gives the request its id and record, and sees to it that whatever happens, one answer is sent.
func (s *Server) accept(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		makeRoom(len(r.Method))
		rec := &decision.Record{
			ID:       requestID(r),
			Received: time.Now(),
			Source:   r.RemoteAddr,
			Agent:    r.UserAgent(),
			Stages:   make([]decision.Stage, 0, stagesOfWrite),
		}
		rec.Request.Method, rec.Request.Path = r.Method, r.URL.Path
		ctx := decision.With(r.Context(), rec)
		ctx = s.withAudit(withWarnings(ctx, rw), rec.ID)
		w := &response{ResponseWriter: rw}
		h := w.Header()
		h.Set("Audit-Id", rec.ID)
		h.Set("Cache-Control", "no-cache, private")
		r = r.WithContext(ctx)

		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				s.Log.Error("a request made the server panic", "id", rec.ID, "method", r.Method, "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
				if !w.wrote {
					s.fail(w, r, apierrors.NewInternalError(fmt.Errorf("the server panicked over request %s; its log has the details", rec.ID)))
				}
			}
			rec.Code = w.status()
			rec.Finish(time.Now())
			s.metrics.observe(rec, w)
			if len(r.RequestURI)+len(rec.Agent)+len(rec.Message) > maxKept {
				why.Shorten(rec, maxKept)
			}
			s.Decisions.Keep(rec)
		}()
		next.ServeHTTP(w, r)
	})
}

// stagesOfWrite is in how many stages a write is done, about.
const stagesOfWrite = 12

// maxKept is how many bytes of what a client wrote are kept in a decision: thousands are kept, and a request line may have
// a million.
const maxKept = 4096

// requestID is the client's Audit-ID where it sent a sensible one, else a new one.
func requestID(r *http.Request) string {
	if id := r.Header.Get("Audit-ID"); id != "" && len(id) <= 64 && !strings.ContainsFunc(id, func(c rune) bool { return c < '!' || c > '~' }) {
		return id
	}
	return uuid.NewString()
}

// requestInfo reads verb, group, version, resource, namespace and name from the path.
func (s *Server) requestInfo(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := checkSelectors(r.URL); err != nil {
			s.fail(w, r, err)
			return
		}
		info, err := s.info.NewRequestInfo(r)
		if err != nil {
			s.fail(w, r, apierrors.NewBadRequest(fmt.Sprintf("failed to create RequestInfo: %v", err)))
			return
		}
		ctx := apirequest.WithRequestInfo(r.Context(), info)
		if !longRunning(info) {
			defer hurry(w, requestPatience)()
			within, err := patience(r)
			if err != nil {
				s.fail(w, r.WithContext(ctx), err)
				return
			}
			if within > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, within)
				defer cancel()
			}
		}
		q := &decision.From(r.Context()).Request
		q.Resource, q.Verb = info.IsResourceRequest, info.Verb
		q.APIGroup, q.APIVersion = info.APIGroup, info.APIVersion
		q.ResourceOf, q.Subresource = info.Resource, info.Subresource
		q.Namespace, q.Name = info.Namespace, info.Name
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// patience is how long the client says that a request may take, 0 where it says nothing: then it is for the verb to say.
// Source: k8s.io/apiserver/pkg/endpoints/filters/request_deadline.go.
func patience(r *http.Request) (time.Duration, error) {
	if !strings.Contains(r.URL.RawQuery, "timeout=") {
		return 0, nil
	}
	asked := r.URL.Query().Get("timeout")
	if asked == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(asked)
	if err != nil {
		return 0, apierrors.NewBadRequest("invalid timeout specified in the request URL - " + err.Error())
	}
	return max(d, 0), nil
}

// authenticate finds out who asks. The credential goes no further than this stage.
func (s *Server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := decision.From(r.Context())
		c := authn.Credentials{Header: r.Header, Path: r.URL.Path}
		if r.TLS != nil {
			c.Certificates = r.TLS.PeerCertificates
		}
		result := s.Authn.Authenticate(r.Context(), &c)
		for _, a := range result.Asked {
			rec.Authentication = append(rec.Authentication, decision.Asked{
				Authenticator: a.Authenticator, Verdict: a.Verdict.String(), Why: a.Why,
			})
		}
		auditNotes(r.Context(), result.Notes)
		if result.User == nil {
			s.metrics.authentication("failure", "")
			s.fail(s.auditFailure(w, r), r, apierrors.NewUnauthorized("Unauthorized"))
			return
		}
		s.metrics.authentication("success", result.User.GetName())
		rec.User = result.User
		result.Scrub(r.Header)
		ctx := apirequest.WithUser(r.Context(), result.User)
		ctx = context.WithValue(ctx, audiencesKey{}, result.Audiences)
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

type audiencesKey struct{}
