package rbac

import (
	"fmt"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Text is the explanation for people, in lines.
func (e *Explanation) Text() string {
	var b strings.Builder
	if e.Allowed {
		fmt.Fprintf(&b, "%s may %s.\n", e.User, e.Request)
		for _, w := range e.Grants {
			fmt.Fprintf(&b, "  by %s\n", w)
		}
		return b.String()
	}
	fmt.Fprintf(&b, "%s may not %s.\n", e.User, e.Request)
	switch {
	case len(e.NearMisses) > 0:
		b.WriteString("What comes nearest:\n")
		for _, m := range e.NearMisses {
			fmt.Fprintf(&b, "  - %s.\n    To mend it, %s.\n", m.Says, m.Repair.Says)
		}
		if e.More > 0 {
			fmt.Fprintf(&b, "  and %d more\n", e.More)
		}
	case len(e.Holds) == 0:
		b.WriteString("No binding that counts here names this user or one of its groups.\n")
	default:
		b.WriteString("None of the roles held here comes near:\n")
		for _, w := range e.Holds {
			fmt.Fprintf(&b, "  %s\n", w)
		}
	}
	if e.Smallest != nil {
		fmt.Fprintf(&b, "The smallest grant: %s.\n", e.Smallest.Says)
		for _, command := range e.Smallest.Commands {
			fmt.Fprintf(&b, "  %s\n", command)
		}
	}
	return b.String()
}

// String is the way in words: `ClusterRoleBinding "x" of ClusterRole "y" to Group "z", rule 1: get, list pods`.
func (w Way) String() string {
	s := fmt.Sprintf("%s of %s", w.Binding, w.Role)
	if w.Subject.Kind != "" {
		s += " to " + (&Binding{Namespace: w.Binding.Namespace}).describeSubject(w.Subject)
	}
	if w.Allows != nil {
		s += fmt.Sprintf(", rule %d: %s", *w.Rule+1, ruleInWords(w.Allows))
	}
	if w.GatheredFrom != nil {
		s += fmt.Sprintf(" (gathered from %s)", w.GatheredFrom)
	}
	return s
}

// ruleInWords is what a rule allows: `get and list pods and services "web"`.
func ruleInWords(r *rbacv1.PolicyRule) string {
	if len(r.NonResourceURLs) > 0 {
		return list(r.Verbs) + " " + list(r.NonResourceURLs)
	}
	s := list(r.Verbs) + " " + list(r.Resources)
	if len(r.APIGroups) > 1 || len(r.APIGroups) == 1 && r.APIGroups[0] != "" {
		s += " in API group " + quoted(r.APIGroups)
	}
	if len(r.ResourceNames) > 0 {
		s += " named " + quoted(r.ResourceNames)
	}
	return s
}
