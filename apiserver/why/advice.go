package why

import (
	"net/http"
	"strings"

	"coracle/apiserver/authz"
	"coracle/apiserver/decision"
	"coracle/rbac"
)

// Grants are the least changes that together would have allowed a refused request. There are none when it was not for
// want of a permission that it was refused, and when there is none to recommend.
func Grants(r *decision.Record) []*rbac.SmallestGrant {
	if r.Code != http.StatusForbidden {
		return nil
	}
	missing := r.Authorization
	switch {
	case len(missing) == 0:
		missing = firstMode(r.Impersonation)
	case missing[len(missing)-1].Verdict == authz.Allow.String(): // and so admission refused
		missing = r.Further
	}
	return Missing(missing)
}

// Advice is Grants as kubectl commands.
func Advice(r *decision.Record) []string {
	var commands []string
	for _, g := range Grants(r) {
		commands = append(commands, g.Commands...)
	}
	return commands
}

// Missing is what would make the authorizers allow what their opinions are about.
func Missing(opinions []decision.Opinion) []*rbac.SmallestGrant {
	var refused []rbac.Decision
	for _, o := range opinions {
		d, byRBAC := o.Because.(rbac.Decision)
		switch {
		case o.Verb == "escalate":
			// Whoever holds it may write any rule into the role: that is not small.
		case o.Verdict == authz.Deny.String() && len(refused) == 0:
			return nil // nobody who is asked later can change that
		case byRBAC && o.Verdict == authz.NoOpinion.String():
			refused = append(refused, d)
		}
	}
	smallest, _ := rbac.SmallestGrants(refused)
	return smallest
}

// firstMode are the opinions on the permissions of one way to act as somebody: of the one that was tried first, which
// gives away the least. The others would each do as well.
func firstMode(opinions []decision.Opinion) []decision.Opinion {
	for i, o := range opinions {
		if mode(o.Verb) != mode(opinions[0].Verb) {
			return opinions[:i]
		}
	}
	return opinions
}

// mode is the part of the verb that names the way: user-info of impersonate:user-info and of
// impersonate-on:user-info:list, "" of impersonate.
func mode(verb string) string {
	_, rest, _ := strings.Cut(verb, ":")
	name, _, _ := strings.Cut(rest, ":")
	return name
}
