package apiserver

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/apiserver/authz"
	"coracle/apiserver/decision"
	"coracle/rbac"
)

// mode is one way to be allowed to act as somebody else (KEP-5284). All but the last are constrained: they need a
// permission for whom one acts as (`impersonate:MODE`), and one for what one does as them
// (`impersonate-on:MODE:VERB`). The last is the one that Kubernetes always had: whoever holds `impersonate` on
// somebody may do all that they may.
// Source: k8s.io/apiserver/pkg/endpoints/filters/impersonation/mode.go.
type mode struct {
	name    string // "" for the last
	applies func(wanted *user.DefaultInfo, real user.Info) bool
}

// modes are tried in this order. When none allows it, the first refusal is told.
func modes() []mode {
	return []mode{
		{"associated-node", func(wanted *user.DefaultInfo, real user.Info) bool {
			// A service account may be its own node: the one that the token's pod runs on.
			node, ok := nodeOf(wanted.Name)
			at := real.GetExtra()[serviceaccount.NodeNameKey]
			return ok && nameOnly(wanted) && isAccount(real.GetName()) && len(at) == 1 && at[0] == node
		}},
		{"arbitrary-node", func(wanted *user.DefaultInfo, _ user.Info) bool {
			_, ok := nodeOf(wanted.Name)
			return ok && nameOnly(wanted)
		}},
		{"serviceaccount", func(wanted *user.DefaultInfo, _ user.Info) bool {
			return nameOnly(wanted) && isAccount(wanted.Name)
		}},
		{"user-info", func(wanted *user.DefaultInfo, _ user.Info) bool {
			_, ok := nodeOf(wanted.Name)
			return !ok && !isAccount(wanted.Name)
		}},
		{"", func(*user.DefaultInfo, user.Info) bool { return true }},
	}
}

// nameOnly tells whether all that is wanted is a name; the server then knows the groups.
func nameOnly(u *user.DefaultInfo) bool {
	return u.UID == "" && len(u.Groups) == 0 && len(u.Extra) == 0
}

func isAccount(name string) bool {
	_, _, err := serviceaccount.SplitUsername(name)
	return err == nil
}

func nodeOf(name string) (string, bool) {
	node, ok := strings.CutPrefix(name, "system:node:")
	return node, ok && len(validation.NameIsDNSSubdomain(node, false)) == 0
}

// actAs asks whether the caller may do the request as somebody else, and returns who that is, in full.
func (s *Server) actAs(ctx context.Context, request *rbac.Attributes, wanted *user.DefaultInfo) (*user.DefaultInfo, error) {
	rec := decision.From(ctx)
	var first error
	for _, m := range modes() {
		if !m.applies(wanted, request.User) {
			continue
		}
		opinions, err := s.actBy(ctx, m, request, wanted)
		if err == nil {
			rec.Impersonation = opinions // what was tried before does not matter any more
			return m.become(wanted), nil
		}
		rec.Impersonation = append(rec.Impersonation, opinions...)
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// actBy asks for each permission that a mode needs, and returns what the authorizers said.
func (s *Server) actBy(ctx context.Context, m mode, request *rbac.Attributes, wanted *user.DefaultInfo) ([]decision.Opinion, error) {
	var opinions []decision.Opinion
	needs := m.permissions(wanted)
	if m.name != "" {
		doing := *request
		doing.Verb = "impersonate-on:" + m.name + ":" + request.Verb
		needs = append([]permission{{Attributes: doing}}, needs...)
	}
	var first error
	for i := range needs {
		p := &needs[i]
		p.User, p.Unserved = m.asker(request.User), !s.serves(&p.Attributes)
		if first != nil && i >= maxExplained {
			return append(opinions, decision.Opinion{Verdict: authz.Deny.String(), Verb: p.Verb, Reason: "too much was asked for to explain it all"}), first
		}
		var err error
		if p.never != nil {
			opinions = append(opinions, authz.About(&p.Attributes, []decision.Opinion{{Authorizer: "impersonation", Verdict: authz.Deny.String(), Reason: p.never.Error()}})...)
			err = forbidden(&p.Attributes, p.never.Error())
		} else {
			answer := s.Authz.Ask(ctx, &p.Attributes)
			opinions = append(opinions, authz.About(&p.Attributes, answer.Opinions)...)
			if !answer.Allowed() {
				err = refused(&p.Attributes, answer)
			}
		}
		if first == nil {
			first = err
		}
	}
	return opinions, first
}

// maxExplained is up to which permission authorizers are asked when one before it is refused already: so that the record
// tells all that is missing, and a header with a thousand groups does not become a thousand questions.
const maxExplained = 16

// permission is one that impersonating needs; never says why nobody has it.
type permission struct {
	rbac.Attributes
	never error
}

// permissions are those for whom one acts as.
func (m mode) permissions(wanted *user.DefaultInfo) []permission {
	verb, group := "impersonate", ""
	if m.name != "" {
		verb, group = "impersonate:"+m.name, authenticationv1.GroupName
	}
	var needs []permission
	need := func(group, resource, sub, namespace, name string, never error) {
		needs = append(needs, permission{rbac.Attributes{
			Verb: verb, APIGroup: group, APIVersion: "v1", ResourceRequest: true,
			Resource: resource, Subresource: sub, Namespace: namespace, Name: name,
		}, never})
	}
	node, isNode := nodeOf(wanted.Name)
	switch namespace, account, err := serviceaccount.SplitUsername(wanted.Name); {
	case err == nil:
		need(group, "serviceaccounts", "", namespace, account, nil)
	case m.name == "associated-node":
		need(group, "nodes", "", "", "*", nil) // of whichever node the pod is on
	case m.name != "" && isNode:
		need(group, "nodes", "", "", node, nil)
	default:
		need(group, "users", "", "", wanted.Name, nil)
	}
	if wanted.UID != "" {
		need(authenticationv1.GroupName, "uids", "", "", wanted.UID, nil)
	}
	for _, g := range wanted.Groups {
		var never error
		switch {
		case m.name != "" && g == "":
			never = errors.New("impersonating the empty string group is not allowed")
		case m.name != "" && g == user.SystemPrivilegedGroup:
			never = errors.New("impersonating the system:masters group is not allowed")
		}
		need(group, "groups", "", "", g, never)
	}
	for _, key := range slices.Sorted(maps.Keys(wanted.Extra)) {
		for _, value := range wanted.Extra[key] {
			var never error
			if m.name != "" {
				never = badExtra(key, value)
			}
			need(authenticationv1.GroupName, "userextras", key, "", value, never)
		}
	}
	return needs
}

// badExtra is what is wrong with a key or value that the constrained modes do not take.
func badExtra(key, value string) error {
	switch {
	case key == "":
		return errors.New("impersonating the empty string key in extra is not allowed")
	case value == "":
		return errors.New("impersonating the empty string value in extra is not allowed")
	case key != strings.ToLower(key):
		return fmt.Errorf("impersonating a non-lowercase key in extra is not allowed: %q", key)
	}
	if err := utilvalidation.IsDomainPrefixedPath(field.NewPath("extra", "key"), key).ToAggregate(); err != nil {
		return fmt.Errorf("impersonating an invalid key in extra is not allowed: %w", err)
	}
	return nil
}

// asker is who needs the permissions. Where a service account acts as its node, only the names of what is known of it
// count, so that the answer is the same for all of its pods.
func (m mode) asker(real user.Info) user.Info {
	if m.name != "associated-node" {
		return real
	}
	return &user.DefaultInfo{
		Name: real.GetName(), UID: real.GetUID(), Groups: real.GetGroups(),
		Extra: map[string][]string{"authentication.kubernetes.io/associated-node-keys": slices.Sorted(maps.Keys(real.GetExtra()))},
	}
}

// become is who is wanted with the groups that come by themselves.
func (m mode) become(wanted *user.DefaultInfo) *user.DefaultInfo {
	u := *wanted
	if namespace, _, err := serviceaccount.SplitUsername(u.Name); err == nil && len(u.Groups) == 0 {
		u.Groups = serviceaccount.MakeGroupNames(namespace)
	} else if _, ok := nodeOf(u.Name); ok && m.name != "" {
		u.Groups = []string{user.NodesGroup}
	}
	group := user.AllAuthenticated
	switch {
	case u.Name == user.Anonymous:
		group = user.AllUnauthenticated
	case slices.Contains(u.Groups, user.AllUnauthenticated):
		return &u
	}
	if !slices.Contains(u.Groups, group) {
		u.Groups = append(slices.Clip(u.Groups), group)
	}
	return &u
}
