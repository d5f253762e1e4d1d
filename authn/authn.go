package authn

import (
	"context"
	"crypto/x509"
	"net/http"

	"k8s.io/apiserver/pkg/authentication/user"
)

// Credentials are what a request brought to say who is asking. Authenticators read them and change nothing.
type Credentials struct {
	// Certificates is the chain that the client presented in the TLS handshake, leaf first,
	// not yet verified.
	Certificates []*x509.Certificate
	// Header is the request's header.
	Header http.Header
	// Path is the URL path, for strategies limited to some paths.
	Path string

	// Token is the bearer token, empty when there is none. The chain finds it in Header.
	Token string
	// Audiences is what a credential must be good for, at least one of them. The chain sets it.
	Audiences []string
}

// Verdict is one of three answers: "not mine" differs from "mine, and bad".
type Verdict uint8

const (
	// Passed: the request carries nothing that this strategy understands. The zero value.
	Passed Verdict = iota
	// Accepted: the caller is Answer.User.
	Accepted
	// Refused: the credential is of this strategy's kind and is not valid.
	Refused
)

// String is the verdict as decisions show it.
func (v Verdict) String() string {
	switch v {
	case Accepted:
		return "accepted"
	case Refused:
		return "refused"
	}
	return "passed"
}

// Answer is what one authenticator said of one request.
type Answer struct {
	Verdict Verdict
	// User is set when Accepted. It is shared between requests: nobody changes it.
	User user.Info
	// Audiences are those of Credentials.Audiences that the credential is good for. Nil says that this
	// kind of credential names no audience; the chain then takes it as good for the API server's own.
	Audiences []string
	// Why says what was seen, for the decision record: "the token expired 3 minutes ago".
	// It never holds a secret. On the hot path it is a constant or nil; see Refusal.
	Why error
	// Warning is a sentence that the client is to be shown, as in Kubernetes' Warning header.
	Warning string
	// Notes are what Kubernetes writes into the audit event's annotations.
	Notes []Note
}

// Note is one annotation of the audit event, such as authentication.k8s.io/stale-token.
type Note struct{ Key, Value string }

// Authenticator is one way of telling who is asking. It must be safe for use by many requests at once.
type Authenticator interface {
	// Name is what people call the strategy, as in `x509` or `serviceaccount`.
	Name() string
	Authenticate(ctx context.Context, c *Credentials) Answer
}

// Refusal is why a credential was refused, said twice: Kubernetes' own sentence, which TokenReview answers
// with and which scripts may know, and what was really seen, which only the decision record shows.
type Refusal struct {
	Sentence string
	Seen     error // nil: there is no more to say than Sentence
}

// Error is what was seen.
func (r *Refusal) Error() string {
	if r.Seen == nil {
		return r.Sentence
	}
	return r.Seen.Error()
}

func (r *Refusal) Unwrap() error { return r.Seen }

// refuse makes an Answer of a refusal.
func refuse(sentence string, seen error) Answer {
	return Answer{Verdict: Refused, Why: &Refusal{Sentence: sentence, Seen: seen}}
}

// reason is a constant Why.
type reason string

func (r reason) Error() string { return string(r) }
