package authz

import (
	"context"

	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/rbac"
)

// Verdict is one of three answers. "I have no opinion" differs from "no": the next authorizer is asked.
type Verdict uint8

const (
	// NoOpinion: this authorizer does not allow it, another may. The zero value.
	NoOpinion Verdict = iota
	// Allow ends the questioning: the request goes on.
	Allow
	// Deny ends the questioning: the request is refused, whatever later authorizers would say.
	Deny
)

// String is the word that decision records use.
func (v Verdict) String() string {
	switch v {
	case Allow:
		return "allow"
	case Deny:
		return "deny"
	default:
		return "no opinion"
	}
}

// Opinion is what one authorizer said of one request.
type Opinion struct {
	Verdict Verdict
	// Because is why. It is asked for its words only when somebody wants to read them. nil for no reason.
	Because Reasoner
	// Err says what went wrong on the way to the opinion. A request that is not allowed then
	// is answered 500 rather than 403.
	Err error
}

// Reasoner gives the sentence that Kubernetes gives, such as
// `RBAC: allowed by ClusterRoleBinding "x" of ClusterRole "y" to Group "z"`; "" for none.
// What it is beside that (an rbac.Decision, say) may know more.
type Reasoner interface{ Reason() string }

// Sentence is a reason that is known already.
type Sentence string

// Reason returns the sentence itself.
func (s Sentence) Reason() string { return string(s) }

// Reason is the sentence, "" for none.
func (o Opinion) Reason() string {
	if o.Because == nil {
		return ""
	}
	return o.Because.Reason()
}

// Authorizer is one way of answering whether a request is allowed.
type Authorizer interface {
	// Name is what the authorizer is called in reasons and records, as in `rbac` or `node`.
	Name() string
	// Authorize must not change the attributes, and may keep them.
	Authorize(ctx context.Context, a *rbac.Attributes) Opinion
}

// RuleLister is an Authorizer that can list what a user may do in a namespace, for SelfSubjectRulesReview.
type RuleLister interface {
	Authorizer
	RulesFor(u user.Info, namespace string) Rules
}
