package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/rest"

	"coracle/apiserver/authz"
	"coracle/authn/remote"
	"coracle/rbac"
)

// Config describes a webhook.
type Config struct {
	Name string // in reasons and records, as in `webhook`
	// Client says where the service is (Host is the whole URL), how to trust it and how to prove who we are.
	Client *rest.Config
	// Version of the SubjectAccessReview to send, v1 or v1beta1.
	Version string
	// AuthorizedTTL and UnauthorizedTTL are how long answers are kept; 0 keeps none.
	AuthorizedTTL, UnauthorizedTTL time.Duration
	// OnError is the verdict when there is no answer, NoOpinion or Deny.
	OnError authz.Verdict
	// Match tells which requests the webhook is asked about, nil for all. Its error is no answer.
	Match func(context.Context, *authorizationv1.SubjectAccessReview) (bool, error)
	Now   func() time.Time
}

const (
	cachedAnswers = 8192
	// cachedSize bounds, in bytes, what the requester chooses of a request whose answer is kept: more may be an attempt
	// to fill the memory.
	cachedSize = 10000
)

// clock tells the time as a method.
type clock func() time.Time

// Now is the time.
func (c clock) Now() time.Time { return c() }

// Authorizer is one webhook. It may be used from many goroutines.
type Authorizer struct {
	config  Config
	client  *http.Client
	answers *cache.LRUExpireCache // of authorizationv1.SubjectAccessReviewStatus, by the request as JSON
}

// New returns the authorizer. It does not talk to the service yet.
func New(c Config) (*Authorizer, error) {
	switch {
	case c.Version != "v1" && c.Version != "v1beta1":
		return nil, errors.New(`a webhook's SubjectAccessReview version must be "v1" or "v1beta1", not "` + c.Version + `"`)
	case c.OnError == authz.Allow:
		return nil, errors.New("a webhook that does not answer cannot allow")
	}
	client, err := remote.Client(c.Client, c.Now)
	if err != nil {
		return nil, err
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Authorizer{config: c, client: client, answers: cache.NewLRUExpireCacheWithClock(cachedAnswers, clock(c.Now))}, nil
}

// Name is the configured name.
func (w *Authorizer) Name() string { return w.config.Name }

// Reply is what the service answered.
type Reply struct {
	authorizationv1.SubjectAccessReviewStatus
	Cached bool // the answer to an earlier request of the same content
}

// Reason is the service's own sentence.
func (r Reply) Reason() string { return r.SubjectAccessReviewStatus.Reason }

// Authorize asks the service, unless the request does not match, or it was asked the same not long ago.
func (w *Authorizer) Authorize(ctx context.Context, a *rbac.Attributes) authz.Opinion {
	review := &authorizationv1.SubjectAccessReview{Spec: specOf(a)}
	if w.config.Match != nil {
		matches, err := w.config.Match(ctx, review)
		if err != nil {
			return authz.Opinion{Verdict: w.config.OnError, Err: err}
		}
		if !matches {
			return authz.Opinion{}
		}
	}
	key, err := json.Marshal(review.Spec)
	if err != nil {
		return authz.Opinion{Verdict: w.config.OnError, Err: err}
	}
	var reply Reply
	if answer, found := w.answers.Get(string(key)); found {
		reply.SubjectAccessReviewStatus, reply.Cached = answer.(authorizationv1.SubjectAccessReviewStatus), true
	} else {
		reply.SubjectAccessReviewStatus, err = w.ask(ctx, review)
		if err != nil {
			return authz.Opinion{Verdict: w.config.OnError, Err: err}
		}
		w.keep(string(key), a, reply.SubjectAccessReviewStatus)
	}
	switch {
	case reply.Denied && reply.Allowed:
		return authz.Opinion{Verdict: authz.Deny, Because: reply, Err: errors.New("webhook subject access review returned both allow and deny response")}
	case reply.Denied:
		return authz.Opinion{Verdict: authz.Deny, Because: reply}
	case reply.Allowed:
		return authz.Opinion{Verdict: authz.Allow, Because: reply}
	}
	return authz.Opinion{Because: reply}
}

func (w *Authorizer) keep(key string, a *rbac.Attributes, answer authorizationv1.SubjectAccessReviewStatus) {
	ttl := w.config.UnauthorizedTTL
	if answer.Allowed {
		ttl = w.config.AuthorizedTTL
	}
	chosen := len(a.Namespace) + len(a.Verb) + len(a.APIGroup) + len(a.APIVersion) + len(a.Resource) + len(a.Subresource) + len(a.Name) + len(a.Path)
	if ttl > 0 && chosen < cachedSize {
		w.answers.Add(key, answer, ttl)
	}
}

// RulesFor says that a webhook's permissions cannot be listed.
func (w *Authorizer) RulesFor(user.Info, string) authz.Rules {
	return authz.Rules{Incomplete: true, Err: errors.New("webhook authorizer does not support user rule resolution")}
}
