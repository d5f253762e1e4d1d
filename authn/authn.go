package authn

import (
	"context"
	"crypto/x509"
	"net/http"

	"k8s.io/apiserver/pkg/authentication/user"
)

// Credentials are what a request brought to say who is asking. They are read, never changed.
type Credentials struct {
	// Certificates is the chain that the client presented in the TLS handshake, leaf first,
	// not yet verified.
	Certificates []*x509.Certificate
	// Header is the request's header. Authenticators that use up a header say so in Answer.Consumed.
	Header http.Header
	// Path is the URL path, for strategies limited to some paths.
	Path string
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

// Answer is what one authenticator said of one request.
type Answer struct {
	Verdict   Verdict
	User      user.Info // set when Accepted
	Audiences []string  // the audiences that the credential is good for, of those that were asked for
	// Why says what was seen, for the decision record: "the token expired 3 minutes ago".
	// It never holds a secret. On the hot path it is a constant or nil.
	Why error
	// Consumed names the headers that must not travel further, such as Authorization.
	Consumed []string
}

// Authenticator is one way of telling who is asking.
type Authenticator interface {
	// Name is what people call the strategy, as in `x509` or `serviceaccount`.
	Name() string
	Authenticate(ctx context.Context, c *Credentials) Answer
}
