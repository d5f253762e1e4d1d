package webhook

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"golang.org/x/sync/singleflight"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/client-go/rest"

	"coracle/authn"
	"coracle/authn/memo"
	"coracle/authn/remote"
)

const (
	// DefaultTTL is how long an answer is remembered, kube-apiserver's --authentication-token-webhook-cache-ttl.
	DefaultTTL = 2 * time.Minute
	// timeout bounds one question, all attempts included, when several requests wait for its answer.
	timeout = 30 * time.Second
	// maxAnswers bounds how many answers are remembered.
	maxAnswers = 4096
)

// Config says whom to ask, and how.
type Config struct {
	// Client is where the service is and how we prove who we are; see the package remote.
	Client *rest.Config
	// Version is that of the TokenReview: v1 or v1beta1.
	Version string
	// Audiences are the API server's own. They are taken for those of a service that names none.
	Audiences []string
	// TTL is how long answers are remembered; 0 is not at all.
	TTL time.Duration
	Now func() time.Time
}

// Authenticator accepts the tokens that the service accepts.
type Authenticator struct {
	config Config
	client *http.Client
	asking singleflight.Group
	seen   *memo.Memo[string, remembered]
}

type remembered struct {
	answer authn.Answer
	until  time.Time
}

// New returns the strategy. It asks nothing yet.
func New(c Config) (*Authenticator, error) {
	if c.Version != "v1" && c.Version != "v1beta1" {
		return nil, fmt.Errorf("unsupported authentication webhook version %q, supported versions are %q, %q", c.Version, "v1", "v1beta1")
	}
	if u, err := url.Parse(c.Client.Host); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("the authentication webhook's server %q is no URL, such as https://authn.example/authenticate", c.Client.Host)
	}
	client, err := remote.Client(c.Client, c.Now)
	if err != nil {
		return nil, fmt.Errorf("the authentication webhook's client: %w", err)
	}
	return &Authenticator{config: c, client: client, seen: memo.New[string, remembered](maxAnswers)}, nil
}

// Name is `webhook`.
func (*Authenticator) Name() string { return "webhook" }

// Authenticate asks the service, or remembers what it said. Requests with the same token wait for one answer.
func (a *Authenticator) Authenticate(ctx context.Context, c *authn.Credentials) authn.Answer {
	key := keyOf(c)
	if r, ok := a.seen.Get(key); ok && a.config.Now().Before(r.until) {
		return r.answer
	}
	audiences := slices.Clone(c.Audiences)
	result := a.asking.DoChan(key, func() (any, error) {
		// Not the context of the request that happens to be first: others wait for the same answer.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		status, err := a.ask(ctx, c.Token, audiences)
		if err != nil {
			return refused(err.Error(), fmt.Errorf("the service that knows the token could not be asked: %w", err)), nil
		}
		answer := a.judge(status, audiences)
		if answer.Verdict != authn.Refused { // as in Kubernetes, whose cache does not keep errors
			a.seen.Set(key, remembered{answer, a.config.Now().Add(a.config.TTL)})
		}
		return answer, nil
	})
	select {
	case r := <-result:
		return r.Val.(authn.Answer)
	case <-ctx.Done():
		return refused(ctx.Err().Error(), errors.New("the request ended before the service that knows the token answered"))
	}
}

// judge makes an answer of what the service said.
func (a *Authenticator) judge(status authenticationv1.TokenReviewStatus, want []string) authn.Answer {
	got := status.Audiences
	if len(got) == 0 {
		got = a.config.Audiences
	}
	var good []string
	for _, w := range want {
		if slices.Contains(got, w) {
			good = append(good, w)
		}
	}
	switch {
	case len(good) == 0 && len(want) > 0:
		return authn.Answer{Why: fmt.Errorf("the service says that the token is for the audiences %.200q, and one of %q is wanted", got, want)}
	case !status.Authenticated && status.Error != "":
		return refused(status.Error, fmt.Errorf("the service says: %.500s", status.Error))
	case !status.Authenticated:
		return authn.Answer{Why: errors.New("the service does not know the token")}
	}
	info := &user.DefaultInfo{Name: status.User.Username, UID: status.User.UID, Groups: status.User.Groups}
	for k, v := range status.User.Extra {
		if info.Extra == nil {
			info.Extra = map[string][]string{}
		}
		info.Extra[k] = v
	}
	return authn.Answer{Verdict: authn.Accepted, User: info, Audiences: good}
}

func refused(sentence string, seen error) authn.Answer {
	return authn.Answer{Verdict: authn.Refused, Why: &authn.Refusal{Sentence: sentence, Seen: seen}}
}

// keyOf tells questions apart, without keeping tokens in memory.
func keyOf(c *authn.Credentials) string {
	h := sha256.New()
	io.WriteString(h, c.Token)
	for _, aud := range c.Audiences {
		fmt.Fprintf(h, "\x00%d:%s", len(aud), aud)
	}
	return hex.EncodeToString(h.Sum(nil))
}
