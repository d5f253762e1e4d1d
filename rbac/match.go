package rbac

import (
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Allows tells whether a rule allows a request: it names the verb and, for a resource, the API group, the resource
// and, if it lists any, the name; for any other URL, the path. A star stands for everything. Rules only ever add:
// there is none that forbids. Source: pkg/apis/rbac/v1/evaluation_helpers.go.
func Allows(rule *rbacv1.PolicyRule, a *Attributes) bool {
	if !hasOrStar(rule.Verbs, a.Verb) {
		return false
	}
	if !a.ResourceRequest {
		return matchesPath(rule.NonResourceURLs, a.Path)
	}
	return hasOrStar(rule.APIGroups, a.APIGroup) &&
		matchesResource(rule.Resources, a.Resource, a.Subresource) &&
		matchesName(rule.ResourceNames, a.Name)
}

// ruleFor returns the index of the role's first rule that allows the request, -1 for none.
func (r *Role) ruleFor(a *Attributes) int {
	for i := range r.Rules {
		if Allows(&r.Rules[i], a) {
			return i
		}
	}
	return -1
}

func hasOrStar(list []string, wanted string) bool {
	for _, s := range list {
		if s == "*" || s == wanted {
			return true
		}
	}
	return false
}

// matchesResource: a subresource is a resource of its own, `pods/log`. `pods` does not include it, `*` does, and so
// does `*/log`. `pods/*` means nothing special. It compares without joining the two strings, which would allocate.
func matchesResource(list []string, resource, subresource string) bool {
	for _, s := range list {
		if s == "*" {
			return true
		}
		if subresource == "" {
			if s == resource {
				return true
			}
			continue
		}
		rest, ok := strings.CutSuffix(s, subresource)
		if !ok {
			continue
		}
		if base, ok := strings.CutSuffix(rest, "/"); ok && (base == "*" || base == resource) {
			return true
		}
	}
	return false
}

// matchesName: no names means every name. A request without a name (list, watch, create, deletecollection)
// matches only rules that list none.
func matchesName(list []string, name string) bool {
	if len(list) == 0 {
		return true
	}
	for _, s := range list {
		if s == name {
			return true
		}
	}
	return false
}

// matchesPath: `/healthz/*` covers what begins with `/healthz/`. A star elsewhere than at the end is a star.
func matchesPath(list []string, path string) bool {
	for _, s := range list {
		if s == "*" || s == path {
			return true
		}
		if strings.HasSuffix(s, "*") && strings.HasPrefix(path, strings.TrimRight(s, "*")) {
			return true
		}
	}
	return false
}
