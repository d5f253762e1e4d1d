package authz

import (
	"context"
	"fmt"
	"strings"

	utilerrors "k8s.io/apimachinery/pkg/util/errors"

	"coracle/apiserver/decision"
	"coracle/rbac"
)

// Chain is authorizers in the order in which they are asked.
type Chain []Authorizer

// Answer is what the chain as a whole says.
type Answer struct {
	Verdict Verdict
	// Opinions are those that were given, in order. The last one decided unless Verdict is NoOpinion.
	Opinions []decision.Opinion
	// Err collects what went wrong on the way to a refusal.
	Err error
}

// Allowed tells whether the request may go on. NoOpinion is a refusal.
func (a Answer) Allowed() bool { return a.Verdict == Allow }

// Reason is the sentence for the 403 and for SubjectAccessReview's status: the deciding authorizer's own,
// or, when none decided, every reason given, each after its authorizer's name.
// Source: k8s.io/apiserver/pkg/authorization/union.
func (a Answer) Reason() string {
	if a.Verdict != NoOpinion {
		return ReasonOf(a.Opinions[len(a.Opinions)-1])
	}
	var reasons []string
	for _, o := range a.Opinions {
		if reason := ReasonOf(o); reason != "" {
			reasons = append(reasons, o.Authorizer+": "+reason)
		}
	}
	return strings.Join(reasons, "\n")
}

// ReasonOf is the sentence of a recorded opinion, made only now.
func ReasonOf(o decision.Opinion) string {
	if r, ok := o.Because.(Reasoner); ok && o.Reason == "" {
		return r.Reason()
	}
	return o.Reason
}

// Explain is all that the authorizer has to say about an opinion, for people to read; in several lines if it is RBAC's.
// It is made by what was known when the opinion was given.
func Explain(o decision.Opinion) string {
	switch because := o.Because.(type) {
	case rbac.Decision:
		return because.Explain().Text()
	case fmt.Stringer:
		return because.String()
	}
	return ReasonOf(o)
}

// Ask asks one after the other until one allows or denies.
func (c Chain) Ask(ctx context.Context, a *rbac.Attributes) Answer {
	answer := Answer{Opinions: make([]decision.Opinion, 0, len(c))}
	var errs []error
	for _, authorizer := range c {
		o := authorizer.Authorize(ctx, a)
		recorded := decision.Opinion{Authorizer: authorizer.Name(), Verdict: o.Verdict.String()}
		if o.Because != nil {
			recorded.Because = o.Because
		}
		answer.Opinions = append(answer.Opinions, recorded)
		if o.Verdict != NoOpinion {
			answer.Verdict, answer.Err = o.Verdict, o.Err
			return answer
		}
		if o.Err != nil {
			errs = append(errs, o.Err)
		}
	}
	answer.Err = utilerrors.NewAggregate(errs)
	return answer
}

// Authorize asks, and writes every opinion into the request's decision record.
func (c Chain) Authorize(ctx context.Context, a *rbac.Attributes) Answer {
	answer := c.Ask(ctx, a)
	decision.From(ctx).Authorization = answer.Opinions
	return answer
}
