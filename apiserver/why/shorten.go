package why

import (
	"errors"
	"strings"

	"coracle/apiserver/authz"
	"coracle/apiserver/decision"
)

// Shorten keeps of a record's texts no more than n bytes each, and lets go of what explanations would be made from: it
// refers to the whole request. What the authorizers said is kept in a sentence.
func Shorten(r *decision.Record, n int) {
	q := &r.Request
	for _, s := range []*string{&q.Path, &q.Verb, &q.APIGroup, &q.APIVersion, &q.ResourceOf, &q.Subresource, &q.Namespace, &q.Name, &r.Agent, &r.Message} {
		*s = shorten(*s, n)
	}
	for i := range r.Admission {
		if s := &r.Admission[i]; s.Refused != nil && len(s.Refused.Error()) > n {
			s.Refused = errors.New(shorten(s.Refused.Error(), n))
		}
	}
	for _, opinions := range [][]decision.Opinion{r.Authorization, r.Impersonation, r.Further} {
		for i := range opinions {
			o := &opinions[i]
			o.Reason, o.Because = shorten(authz.ReasonOf(*o), n), nil
			o.Verb, o.On = shorten(o.Verb, n), shorten(o.On, n)
		}
	}
}

func shorten(s string, n int) string {
	if len(s) <= n {
		return strings.Clone(s) // it may be a part of the whole
	}
	return strings.ToValidUTF8(s[:n], "") + "..."
}
