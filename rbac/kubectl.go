package rbac

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"

	rbacv1 "k8s.io/api/rbac/v1"
)

// sayable tells whether kubectl's flags can say the request. kubectl splits verbs, resources and paths at commas:
// `--verb=get,*` would grant more than the verb "get,*" that somebody asked for. It looks a resource up, and takes the one
// that is nearest: for a resource that is not served it would grant another. And a few verbs it knows only with some
// resources.
func sayable(a *Attributes) bool {
	for _, word := range []string{a.Verb, a.resource(), a.APIGroup, a.Path} {
		if strings.ContainsAny(word, `,"`) {
			return false
		}
	}
	if !a.ResourceRequest {
		return slices.Contains([]string{"get", "post", "put", "delete", "patch", "head", "options"}, a.Verb)
	}
	only := map[string][]string{
		"impersonate": {"users", "groups", "serviceaccounts", "userextras.authentication.k8s.io"},
		"bind":        {"roles.rbac.authorization.k8s.io", "clusterroles.rbac.authorization.k8s.io"},
		"escalate":    {"roles.rbac.authorization.k8s.io", "clusterroles.rbac.authorization.k8s.io"},
		"use":         {"podsecuritypolicies.policy", "podsecuritypolicies.extensions"},
	}
	if resources, special := only[a.Verb]; special {
		return slices.Contains(resources, strings.TrimSuffix(a.Resource+"."+a.APIGroup, "."))
	}
	return !a.Unserved
}

// printableRequest: nobody should paste control characters into a terminal.
func printableRequest(a *Attributes) bool {
	for _, word := range []string{a.User.GetName(), a.Verb, a.resource(), a.APIGroup, a.Path, a.Namespace, a.Name} {
		if strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return false
		}
	}
	return true
}

// piped hands the objects to kubectl as they stand.
func (m Manifests) piped() []string {
	data, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": m})
	if err != nil {
		return nil // roles and bindings are always JSON
	}
	return []string{shell([]string{"printf", "%s", string(data)}) + " | kubectl create -f -"}
}

func createRole(r *Role) string {
	rule := r.Rules[0]
	args := []string{"kubectl", "create", strings.ToLower(r.Kind()), r.Name, "--verb=" + rule.Verbs[0]}
	if len(rule.NonResourceURLs) > 0 {
		return shell(append(args, "--non-resource-url="+rule.NonResourceURLs[0]))
	}
	resource, sub, isSub := strings.Cut(rule.Resources[0], "/")
	if rule.APIGroups[0] != "" {
		resource += "." + rule.APIGroups[0]
	}
	if isSub {
		resource += "/" + sub
	}
	args = append(args, "--resource="+resource)
	if len(rule.ResourceNames) > 0 {
		args = append(args, "--resource-name="+rule.ResourceNames[0])
	}
	return shell(inNamespace(args, r.Namespace))
}

func createBinding(b *Binding) string {
	args := []string{"kubectl", "create", strings.ToLower(b.Kind()), b.Name,
		"--" + strings.ToLower(b.RoleRef.Kind) + "=" + b.RoleRef.Name}
	switch s := b.Subjects[0]; s.Kind {
	case rbacv1.ServiceAccountKind:
		args = append(args, "--serviceaccount="+s.Namespace+":"+s.Name)
	default:
		args = append(args, "--user="+s.Name)
	}
	return shell(inNamespace(args, b.Namespace))
}

func inNamespace(args []string, namespace string) []string {
	if namespace == "" {
		return args
	}
	return append(args, "--namespace="+namespace)
}

// shell joins words so that a POSIX shell takes each as it is. A user's name is whatever an identity provider said, and
// somebody pastes this into a terminal.
func shell(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		plain := func(r rune) bool {
			return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=@", r)
		}
		if w != "" && !slices.ContainsFunc([]rune(w), func(r rune) bool { return !plain(r) }) {
			quoted[i] = w
			continue
		}
		quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return strings.Join(quoted, " ")
}
