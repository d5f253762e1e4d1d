package authz

import (
	"context"
	"strings"

	"coracle/apiserver/decision"
	"coracle/rbac"
)

// Asker answers questions without a trace; a Chain is one.
type Asker interface {
	Ask(ctx context.Context, a *rbac.Attributes) Answer
}

// Further asks for a permission that a request needs beside its own, such as the verb `bind` to write a binding, and
// writes the opinions into the request's decision record.
func Further(ctx context.Context, authorizers Asker, a *rbac.Attributes) Answer {
	answer := authorizers.Ask(ctx, a)
	rec := decision.From(ctx)
	rec.Further = append(rec.Further, About(a, answer.Opinions)...)
	return answer
}

// About notes on opinions what they are about, where that is not the request itself.
func About(a *rbac.Attributes, opinions []decision.Opinion) []decision.Opinion {
	on := a.Resource
	if a.Subresource != "" {
		on += "/" + a.Subresource
	}
	for i := range opinions {
		opinions[i].Verb, opinions[i].On = a.Verb, strings.TrimSpace(on+" "+a.Name)
	}
	return opinions
}
