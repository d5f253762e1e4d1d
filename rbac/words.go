package rbac

import (
	"fmt"
	"strings"

	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
)

// String is the request in words: `list pods in namespace "blue"`, `get /metrics`.
func (a *Attributes) String() string {
	if !a.ResourceRequest {
		return a.Verb + " " + a.Path
	}
	var b strings.Builder
	b.WriteString(a.Verb + " " + a.Resource)
	if a.APIGroup != "" {
		b.WriteString("." + a.APIGroup)
	}
	if a.Subresource != "" {
		b.WriteString("/" + a.Subresource)
	}
	if a.Name != "" {
		fmt.Fprintf(&b, " %q", a.Name)
	}
	if a.Namespace != "" {
		fmt.Fprintf(&b, " in namespace %q", a.Namespace)
	}
	return b.String()
}

// resource is the resource as a rule names it: pods, pods/log.
func (a *Attributes) resource() string {
	if a.Subresource == "" {
		return a.Resource
	}
	return a.Resource + "/" + a.Subresource
}

// who is a user as people say it: ann, or service account blue/some-sa.
func who(u user.Info) string {
	if namespace, name, err := serviceaccount.SplitUsername(u.GetName()); err == nil {
		return "service account " + namespace + "/" + name
	}
	return u.GetName()
}

// list is a, b and c.
func list(words []string) string {
	switch n := len(words); n {
	case 0:
		return "nothing"
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
}

// quoted is list for words that may be empty.
func quoted(words []string) string {
	q := make([]string, len(words))
	for i, w := range words {
		q[i] = fmt.Sprintf("%q", w)
	}
	return list(q)
}
