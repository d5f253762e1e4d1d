package abac

import (
	"context"
	"fmt"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/apiserver/authz"
	"coracle/rbac"
)

// Authorizer allows what one of the policies allows, and has no opinion on the rest.
type Authorizer struct{ Policies []Policy }

// Name is how the reasons for a refusal begin.
func (Authorizer) Name() string { return "abac" }

// Match is why a request is allowed: a line of the policy file.
type Match struct {
	Line   int
	Policy Policy
}

// Reason is empty, as Kubernetes gives none.
func (Match) Reason() string { return "" }

// String names the line.
func (m Match) String() string { return fmt.Sprintf("line %d of the ABAC policy file", m.Line) }

// Authorize asks one policy after the other.
func (a Authorizer) Authorize(_ context.Context, request *rbac.Attributes) authz.Opinion {
	for i := range a.Policies {
		if p := &a.Policies[i]; p.isFor(request.User) && p.allows(request) {
			return authz.Opinion{Verdict: authz.Allow, Because: Match{p.line, *p}}
		}
	}
	return authz.Opinion{Because: authz.Sentence("No policy matched.")}
}

// isFor: a policy that names a user and a group is for that user as a member of that group; one that names
// neither is for nobody.
func (p *Policy) isFor(u user.Info) bool {
	if u == nil || p.User == "" && p.Group == "" {
		return false
	}
	return (p.User == "" || p.User == u.GetName()) && (p.Group == "" || slices.Contains(u.GetGroups(), p.Group))
}

func (p *Policy) allows(a *rbac.Attributes) bool {
	if p.Readonly && a.Verb != "get" && a.Verb != "list" && a.Verb != "watch" {
		return false
	}
	if !a.ResourceRequest {
		path := p.NonResourcePath
		return path == "*" || path == a.Path ||
			strings.HasSuffix(path, "*") && strings.HasPrefix(a.Path, strings.TrimRight(path, "*"))
	}
	return starOr(p.Namespace, a.Namespace) && starOr(p.Resource, a.Resource) && starOr(p.APIGroup, a.APIGroup)
}

func starOr(have, wanted string) bool { return have == "*" || have == wanted }

// RulesFor lists the policies for the user in the namespace.
func (a Authorizer) RulesFor(u user.Info, namespace string) authz.Rules {
	var rules authz.Rules
	for i := range a.Policies {
		p := &a.Policies[i]
		if !p.isFor(u) || !starOr(p.Namespace, namespace) {
			continue
		}
		verbs := []string{"*"}
		if p.Readonly {
			verbs = []string{"get", "list", "watch"}
		}
		if p.Resource != "" {
			rules.Resource = append(rules.Resource, authorizationv1.ResourceRule{
				Verbs: verbs, APIGroups: []string{p.APIGroup}, Resources: []string{p.Resource}})
		}
		if p.NonResourcePath != "" {
			rules.NonResource = append(rules.NonResource, authorizationv1.NonResourceRule{
				Verbs: verbs, NonResourceURLs: []string{p.NonResourcePath}})
		}
	}
	return rules
}
