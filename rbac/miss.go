package rbac

import (
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Link names the part of the way from a caller to a permission that is broken. The way is: a subject of a binding,
// the binding's namespace, the role that it refers to, and in one rule of that role the verb, the API group,
// the resource and the name, or the path.
type Link string

const (
	BrokenRole         Link = "Role"         // the binding refers to a role that does not exist
	BrokenSubject      Link = "Subject"      // the binding names somebody almost like the caller
	BrokenNamespace    Link = "Namespace"    // the binding counts in another namespace
	BrokenResource     Link = "Resource"     // the rule names the resource in a way that does not count
	BrokenSubresource  Link = "Subresource"  // a resource does not include its subresources, nor they it
	BrokenAPIGroup     Link = "APIGroup"     // the rule is for another API group
	BrokenResourceName Link = "ResourceName" // the rule is for some names only
	BrokenVerb         Link = "Verb"         // the rule does not name the verb
	BrokenPath         Link = "Path"         // the rule is for another path, but a similar one
)

// miss is how a rule fails to allow a request when it fails in one respect only.
type miss struct {
	link Link
	says string // about the rule, to follow "rule 1 of Role x"
}

// missOf tells in which one respect the rule fails. It is not ok when the rule allows the request, when it fails
// in more respects than one, or when it is about something else altogether.
func missOf(rule *rbacv1.PolicyRule, a *Attributes) (miss, bool) {
	var found []miss
	failed := func(link Link, format string, args ...any) {
		found = append(found, miss{link, fmt.Sprintf(format, args...)})
	}
	if !hasOrStar(rule.Verbs, a.Verb) {
		failed(BrokenVerb, "allows %s, not %s", list(rule.Verbs), a.Verb)
		if i := slices.IndexFunc(rule.Verbs, func(v string) bool { return strings.EqualFold(v, a.Verb) }); i >= 0 {
			found[0].says = fmt.Sprintf("says %q, and verbs are in lower case", rule.Verbs[i])
		}
	}
	if !a.ResourceRequest {
		if !matchesPath(rule.NonResourceURLs, a.Path) {
			says, near := similarPath(rule.NonResourceURLs, a.Path)
			if !near {
				return miss{}, false
			}
			failed(BrokenPath, "%s", says)
		}
	} else {
		if !hasOrStar(rule.APIGroups, a.APIGroup) {
			failed(BrokenAPIGroup, "is for %s in API group %s, not in %q", a.resource(), quoted(rule.APIGroups), a.APIGroup)
			if i := slices.Index(rule.APIGroups, strings.TrimPrefix(a.APIGroup+"/"+a.APIVersion, "/")); i >= 0 && a.APIVersion != "" {
				found[len(found)-1].says = fmt.Sprintf("names %q, which is a version; the API group is %q", rule.APIGroups[i], a.APIGroup)
			}
		}
		if !matchesResource(rule.Resources, a.Resource, a.Subresource) {
			link, says, near := similarResource(rule.Resources, a)
			if !near {
				return miss{}, false
			}
			failed(link, "%s", says)
		}
		if !matchesName(rule.ResourceNames, a.Name) {
			if a.Name == "" {
				failed(BrokenResourceName, "is for %s %s only, and a request to %s names none", a.resource(), list(rule.ResourceNames), a.Verb)
			} else {
				failed(BrokenResourceName, "is for %s %s only, not for %s", a.resource(), list(rule.ResourceNames), a.Name)
			}
		}
	}
	if len(found) != 1 {
		return miss{}, false
	}
	return found[0], true
}

// similarResource recognises the usual ways to name a resource wrongly.
func similarResource(resources []string, a *Attributes) (Link, string, bool) {
	for _, r := range resources {
		base, sub, isSub := strings.Cut(r, "/")
		switch {
		case a.Subresource != "" && r == a.Resource:
			return BrokenSubresource, fmt.Sprintf("is for %s, which does not include the subresource %s", r, a.resource()), true
		case a.Subresource != "" && base == a.Resource && sub == "*":
			return BrokenSubresource, fmt.Sprintf("is for %q, in which the star means nothing; the subresource is %s", r, a.resource()), true
		case a.Subresource != "" && r == a.Subresource:
			return BrokenSubresource, fmt.Sprintf("is for %q; the subresource is written %s", r, a.resource()), true
		case a.Subresource == "" && isSub && base == a.Resource:
			return BrokenSubresource, fmt.Sprintf("is for the subresource %s, which does not include %s", r, a.Resource), true
		case !isSub && a.APIGroup != "" && r == a.Resource+"."+a.APIGroup:
			return BrokenResource, fmt.Sprintf("is for %q; in a rule the API group stands apart: resource %s, API group %s", r, a.resource(), a.APIGroup), true
		case sub == a.Subresource && base != a.Resource && plural(base) == a.Resource:
			return BrokenResource, fmt.Sprintf("is for %q; the resource is written %s", r, a.resource()), true
		}
	}
	return "", "", false
}

// plural is the resource that somebody means who writes Pod, pod or POD.
func plural(kind string) string {
	kind = strings.ToLower(kind)
	switch {
	case strings.HasSuffix(kind, "s"), strings.HasSuffix(kind, "x"), strings.HasSuffix(kind, "ch"):
		if strings.HasSuffix(kind, "ss") || !strings.HasSuffix(kind, "s") {
			return kind + "es"
		}
		return kind
	case strings.HasSuffix(kind, "y") && !strings.HasSuffix(kind, "ay") && !strings.HasSuffix(kind, "ey"):
		return strings.TrimSuffix(kind, "y") + "ies"
	}
	return kind + "s"
}

// similarPath recognises the usual ways to miss a path.
func similarPath(paths []string, path string) (string, bool) {
	for _, p := range paths {
		stem, star := strings.CutSuffix(p, "/*")
		switch {
		case star && stem != "" && stem == path:
			return fmt.Sprintf("is for what lies below %s, not for %s itself", stem, path), true
		case !star && p != "" && p != "/" && strings.HasPrefix(path, strings.TrimSuffix(p, "/")+"/"):
			return fmt.Sprintf("is for %s itself, not for what lies below it", p), true
		case strings.TrimSuffix(p, "/") == strings.TrimSuffix(path, "/"):
			return fmt.Sprintf("is for %s, not for %s", p, path), true
		case "/"+p == path:
			return fmt.Sprintf("is for %q, and a path begins with a slash", p), true
		}
	}
	return "", false
}
