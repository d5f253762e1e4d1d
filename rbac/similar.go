package rbac

import (
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
)

// similarSubject recognises a subject by which somebody meant the user and did not hit: the right name with
// the wrong kind, the wrong namespace, or other capitals. It returns what should stand there instead.
// It is not ok for a subject that is the user, or somebody else.
func (b *Binding) similarSubject(s rbacv1.Subject, u user.Info) (instead rbacv1.Subject, says string, ok bool) {
	if h, valid := b.holderOf(s); valid && h.is(u) {
		return rbacv1.Subject{}, "", false
	}
	if namespace, name, err := serviceaccount.SplitUsername(u.GetName()); err == nil {
		if says := b.missesServiceAccount(s, namespace, name); says != "" {
			return subjectOf(u), says, true
		}
	} else if says := missesUser(s, u.GetName()); says != "" {
		return subjectOf(u), says, true
	}
	for _, group := range u.GetGroups() {
		says := ""
		switch {
		case s.Kind == rbacv1.GroupKind && strings.EqualFold(s.Name, group):
			says = fmt.Sprintf("names Group %q, and the group is %q: capitals count", s.Name, group)
		case s.Kind == rbacv1.UserKind && s.Name == group:
			says = fmt.Sprintf("names User %q, and %s is a group", s.Name, group)
		}
		if says != "" {
			return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: group}, says, true
		}
	}
	return rbacv1.Subject{}, "", false
}

func (b *Binding) missesServiceAccount(s rbacv1.Subject, namespace, name string) string {
	spellings := []string{name, namespace + ":" + name, namespace + "/" + name, serviceaccount.MakeUsername(namespace, name)}
	if !slices.Contains(spellings, s.Name) {
		return ""
	}
	switch {
	case s.Kind != rbacv1.ServiceAccountKind:
		return fmt.Sprintf("names %s %q, and %s in namespace %s is a ServiceAccount", s.Kind, s.Name, name, namespace)
	case s.Name != name:
		return fmt.Sprintf("names ServiceAccount %q; the name is %q, and the namespace stands apart", s.Name, name)
	case s.Namespace == "" && b.Namespace == "":
		return fmt.Sprintf("names ServiceAccount %q without a namespace", s.Name)
	case s.Namespace == "":
		return fmt.Sprintf("names ServiceAccount %q of its own namespace %q, not of %q", s.Name, b.Namespace, namespace)
	}
	return fmt.Sprintf("names ServiceAccount %q of namespace %q, not of %q", s.Name, s.Namespace, namespace)
}

func missesUser(s rbacv1.Subject, name string) string {
	switch {
	case s.Name == name && s.Kind != rbacv1.UserKind:
		return fmt.Sprintf("names %s %q, and %s is a user", s.Kind, s.Name, name)
	case s.Kind == rbacv1.UserKind && strings.EqualFold(s.Name, name):
		return fmt.Sprintf("names User %q, and the user is %q: capitals count", s.Name, name)
	}
	return ""
}

// subjectOf is the subject that means exactly this user.
func subjectOf(u user.Info) rbacv1.Subject {
	if namespace, name, err := serviceaccount.SplitUsername(u.GetName()); err == nil {
		return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
	}
	return rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: u.GetName()}
}
