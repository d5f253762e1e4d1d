package rbac

import (
	"fmt"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Explanation says why a request is allowed, or what came nearest to allowing it.
type Explanation struct {
	Request string `json:"request"` // in words
	User    string `json:"user"`
	Allowed bool   `json:"allowed"`
	// Reason is the sentence that Kubernetes gives, "" when it gives none.
	Reason string `json:"reason,omitempty"`
	// Grants are all ways by which it is allowed, the one that decided first.
	Grants []Way `json:"grants,omitempty"`
	// NearMisses are ways with exactly one broken link, the nearest first, at most maxNearMisses.
	NearMisses []NearMiss `json:"nearMisses,omitempty"`
	More       int        `json:"more,omitempty"` // near misses beyond those
	// Holds are the roles that the user holds here, for a request that is refused.
	Holds []Way `json:"holds,omitempty"`
	// Smallest is the least change that would allow a refused request, nil when there is none to recommend.
	Smallest *SmallestGrant `json:"smallestGrant,omitempty"`
}

// Ref names a role or a binding.
type Ref struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

// Way leads from a subject through a binding to a role, and to one of its rules.
type Way struct {
	Subject rbacv1.Subject `json:"subject"`
	Binding Ref            `json:"binding"`
	Role    Ref            `json:"role"`
	// Rule counts from 0; it and Allows are absent where no rule is meant.
	Rule   *int               `json:"rule,omitempty"`
	Allows *rbacv1.PolicyRule `json:"allows,omitempty"`
	// GatheredFrom is the ClusterRole that an aggregated role has the rule from.
	GatheredFrom *Ref `json:"gatheredFrom,omitempty"`
}

const maxNearMisses = 10

// Explain answers the same as Authorize, and why. It looks at every binding once, so its cost grows with them: it is
// meant for questions that somebody asks, not for each request.
func (s *Snapshot) Explain(a *Attributes) *Explanation {
	d := s.Authorize(a)
	e := &Explanation{Request: a.String(), Allowed: d.Allowed, Reason: d.Reason()}
	if a.User == nil {
		return e
	}
	e.User = a.User.GetName()
	if d.Allowed {
		e.Grants = s.grants(d)
		return e
	}
	for h := range s.holdings(a.User, a.Namespace) {
		e.Holds = append(e.Holds, s.way(a, h.bindings[0], -1))
	}
	candidates := s.candidates(a)
	e.More = max(0, len(candidates)-maxNearMisses)
	for _, c := range candidates[:len(candidates)-e.More] {
		e.NearMisses = append(e.NearMisses, s.nearMiss(a, c))
	}
	if smallest, ok := s.SmallestGrant(a); ok {
		e.Smallest = smallest
	}
	return e
}

// Explain is Snapshot.Explain for the request and by the policy of this decision.
func (d Decision) Explain() *Explanation {
	if d.policy == nil {
		return &Explanation{}
	}
	return d.policy.Explain(d.request)
}

// grants lists every way to the permission, the deciding one first.
func (s *Snapshot) grants(d Decision) []Way {
	ways := []Way{s.way(d.request, d.By.Binding, d.By.Rule)}
	for h := range s.holdings(d.request.User, d.request.Namespace) {
		role, found := s.roles.get(h.role)
		if !found {
			continue
		}
		rule := role.ruleFor(d.request)
		if rule < 0 {
			continue
		}
		for _, b := range h.bindings {
			if w := s.way(d.request, b, rule); !slices.ContainsFunc(ways, func(x Way) bool { return x.Binding == w.Binding }) {
				ways = append(ways, w)
			}
		}
	}
	return ways
}

// way describes how the user comes to a rule of a binding's role; rule -1 means the role as a whole.
func (s *Snapshot) way(a *Attributes, b *Binding, rule int) Way {
	w := Way{Binding: b.ref(), Role: b.roleRef()}
	w.Subject, _ = b.subjectFor(a.User)
	role, found := s.roles.get(b.roleKey())
	if !found || rule < 0 {
		return w
	}
	w.Rule, w.Allows = &rule, &role.Rules[rule]
	if g, ok := s.origin(role, rule); ok {
		from := g.From.ref()
		w.GatheredFrom = &from
	}
	return w
}

func (b *Binding) ref() Ref { return Ref{b.Kind(), b.Namespace, b.Name} }
func (r *Role) ref() Ref    { return Ref{r.Kind(), r.Namespace, r.Name} }

// roleRef names the role that the binding refers to, which need not exist.
func (b *Binding) roleRef() Ref {
	key := b.roleKey()
	return Ref{key.kind, key.namespace, key.name}
}

// String is the ref as people say it.
func (r Ref) String() string {
	if r.Namespace == "" {
		return fmt.Sprintf("%s %q", r.Kind, r.Name)
	}
	return fmt.Sprintf("%s %q in namespace %q", r.Kind, r.Name, r.Namespace)
}
