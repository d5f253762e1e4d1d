package rbac

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Text is the explanation for people, in lines. Names in it come from outside: what is not printable is escaped, so that
// it can neither pretend to be another line nor command a terminal.
func (e *Explanation) Text() string {
	var b strings.Builder
	line := func(format string, args ...any) {
		b.WriteString(printable(fmt.Sprintf(format, args...)) + "\n")
	}
	if e.Allowed {
		line("%s may %s.", e.User, e.Request)
		for _, w := range e.Grants {
			line("  by %s", w)
		}
		return b.String()
	}
	line("%s may not %s.", e.User, e.Request)
	switch {
	case len(e.NearMisses) > 0:
		line("What comes nearest:")
		for _, m := range e.NearMisses {
			line("  - %s.", m.Says)
			line("    To mend it, %s.", m.Repair.Says)
		}
		if e.More > 0 {
			line("  and %d more", e.More)
		}
	case len(e.Holds) == 0:
		line("No binding that counts here names this user or one of its groups.")
	default:
		line("None of the roles held here comes near:")
		for _, w := range e.Holds {
			line("  %s", w)
		}
	}
	if e.Smallest != nil {
		line("The smallest grant: %s.", e.Smallest.Says)
		for _, command := range e.Smallest.Commands {
			line("  %s", command)
		}
	}
	return b.String()
}

func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
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
