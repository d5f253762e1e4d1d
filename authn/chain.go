package authn

import (
	"context"
	"slices"
	"sync/atomic"

	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apiserver/pkg/authentication/user"
)

// Strategies are what a chain is made of, in the order in which they are asked.
type Strategies struct {
	// Requests look at the connection and the headers: the authenticating proxy, client certificates.
	Requests []Authenticator
	// Tokens look at Credentials.Token. They are not asked when there is none.
	Tokens []Authenticator
	// Anonymous is asked when all others have passed. Nil: nobody is anonymous.
	Anonymous Authenticator
	// Audiences are the API server's own. A credential that names none is good for these.
	Audiences []string
}

// Chain asks its authenticators in order; the first that accepts decides.
//
// As in Kubernetes, one that refuses does not end the search: a bad client certificate beside a good token
// is let in. When all have been asked and none accepted, a single refusal is enough for a 401; only
// a request that brought nothing at all may be anonymous.
//
// A chain may be changed while it serves. Each request is answered by the chain as it was when it came.
type Chain struct {
	audiences []string
	scrub     *scrubber
	steps     atomic.Pointer[[]step]
}

type step struct {
	Authenticator
	kind kind
	off  bool
}

type kind uint8

const (
	ofRequest kind = iota
	ofToken
	ofNobody // anonymous
)

// NewChain returns the chain of these strategies.
func NewChain(s Strategies) *Chain {
	c := &Chain{audiences: s.Audiences, scrub: newScrubber(s.Requests)}
	var steps []step
	for _, a := range s.Requests {
		steps = append(steps, step{Authenticator: a, kind: ofRequest})
	}
	for _, a := range s.Tokens {
		steps = append(steps, step{Authenticator: a, kind: ofToken})
	}
	if s.Anonymous != nil {
		steps = append(steps, step{Authenticator: s.Anonymous, kind: ofNobody})
	}
	c.steps.Store(&steps)
	return c
}

// Result is what the chain found out about a request.
type Result struct {
	// User is who asks; nil means 401.
	User user.Info
	// Audiences are those that the credential is good for, of those that were wanted.
	Audiences []string
	// Asked holds everybody who was asked, in order.
	Asked []Asked
	// Warnings are sentences for the client.
	Warnings []string
	// Notes are for the audit event.
	Notes []Note

	token   bool // there was one
	refused []error
	scrub   *scrubber
}

// Asked is one authenticator's part in a Result.
type Asked struct {
	Authenticator string
	Verdict       Verdict
	Why           error
}

// Error is the refusal in Kubernetes' words, as TokenReview's status.error has it. It is nil when
// somebody accepted and when nothing was brought.
func (r *Result) Error() error {
	if r.User != nil {
		return nil
	}
	refused := r.refused
	if r.token {
		// Kubernetes asks first whether the token is that of its own loopback client, which it is not.
		refused = append([]error{whyUnknown}, refused...)
	}
	return utilerrors.NewAggregate(refused) // which says once what several say
}

// Authenticate tells who sent a request. What served as credential must not travel further:
// call Result.Scrub before the request is handed on.
func (c *Chain) Authenticate(ctx context.Context, creds *Credentials) Result {
	return c.Review(ctx, creds, nil)
}

const (
	whyOff reason = "it is switched off"
	// WhyNoToken is why strategies for tokens pass on a request that brings none.
	WhyNoToken  reason = "the request has no bearer token"
	whyAudience reason = "such credentials are good for the API server alone, and another audience was asked for"
	whyBrought  reason = "who presents a credential is not anonymous, even when the credential is bad"
	// whyUnknown is Kubernetes' sentence for a token that nobody accepts.
	whyUnknown reason = "invalid bearer token"
)

// Review is Authenticate for a credential that must be good for one of the audiences given, as in
// TokenReview. With none given it must be good for the API server.
func (c *Chain) Review(ctx context.Context, creds *Credentials, audiences []string) Result {
	creds.Audiences = audiences
	if len(audiences) == 0 {
		creds.Audiences = c.audiences
	}
	steps := *c.steps.Load()
	r := Result{Asked: make([]Asked, 0, len(steps)+1), scrub: c.scrub}

	token, warning, malformed := bearer(creds.Header)
	creds.Token, r.token = token, token != ""
	if warning != "" {
		r.Warnings = append(r.Warnings, warning)
	}
	if malformed != nil {
		r.add("bearer", Answer{Verdict: Refused, Why: malformed})
	}
	for i := range steps {
		s := &steps[i]
		if s.kind == ofNobody && (r.token || len(r.refused) > 0) {
			r.add(s.Name(), Answer{Why: whyBrought})
			break
		}
		answer := c.askOne(ctx, s, creds)
		r.add(s.Name(), answer)
		if answer.Verdict == Accepted {
			r.User, r.Audiences = authenticated(answer.User), answer.Audiences
			break
		}
	}
	return r
}

func (c *Chain) askOne(ctx context.Context, s *step, creds *Credentials) Answer {
	switch {
	case s.kind == ofToken && creds.Token == "":
		return Answer{Why: WhyNoToken}
	case s.off:
		return Answer{Why: whyOff}
	}
	answer := s.Authenticate(ctx, creds)
	if answer.Verdict != Accepted || answer.Audiences != nil {
		return answer
	}
	if s.kind == ofNobody {
		answer.Audiences = creds.Audiences
		return answer
	}
	if answer.Audiences = intersect(c.audiences, creds.Audiences); len(answer.Audiences) == 0 && len(creds.Audiences) > 0 {
		return Answer{Why: whyAudience}
	}
	return answer
}

func (r *Result) add(name string, a Answer) {
	r.Asked = append(r.Asked, Asked{name, a.Verdict, a.Why})
	if a.Verdict == Refused {
		r.refused = append(r.refused, sentence(a.Why))
	}
	if a.Warning != "" {
		r.Warnings = append(r.Warnings, a.Warning)
	}
	if r.Notes == nil {
		r.Notes = slices.Clip(a.Notes)
	} else {
		r.Notes = append(r.Notes, a.Notes...)
	}
}

// sentence is what Kubernetes says where why is what we saw.
func sentence(why error) error {
	if refusal, ok := why.(*Refusal); ok {
		return reason(refusal.Sentence)
	}
	return why
}

// authenticated puts a user into the group of all who authenticated, unless they are anonymous or there already.
func authenticated(u user.Info) user.Info {
	groups := u.GetGroups()
	if u.GetName() == user.Anonymous || slices.Contains(groups, user.AllAuthenticated) || slices.Contains(groups, user.AllUnauthenticated) {
		return u
	}
	return &user.DefaultInfo{
		Name:   u.GetName(),
		UID:    u.GetUID(),
		Groups: append(slices.Clip(groups), user.AllAuthenticated),
		Extra:  u.GetExtra(),
	}
}

// intersect returns what is both had and wanted, without a copy where all that is wanted is had.
func intersect(have, want []string) []string {
	for i, w := range want {
		if slices.Contains(have, w) {
			continue
		}
		both := slices.Clone(want[:i])
		for _, w := range want[i+1:] {
			if slices.Contains(have, w) {
				both = append(both, w)
			}
		}
		return both
	}
	return want
}
