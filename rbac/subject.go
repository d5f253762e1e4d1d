package rbac

import (
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
)

// holder is whoever can hold a role in a namespace, or everywhere when namespace is empty.
// A service account is the user that its token authenticates as.
type holder struct {
	namespace string
	group     bool
	name      string
}

// holderOf is the holder that a binding's subject stands for. It is not ok for a kind of subject that
// does not exist, and for a service account whose namespace nobody says: a RoleBinding lends its own,
// a ClusterRoleBinding has none to lend.
func (b *Binding) holderOf(s rbacv1.Subject) (h holder, ok bool) {
	switch s.Kind {
	case rbacv1.UserKind:
		return holder{namespace: b.Namespace, name: s.Name}, true
	case rbacv1.GroupKind:
		return holder{namespace: b.Namespace, group: true, name: s.Name}, true
	case rbacv1.ServiceAccountKind:
		namespace := s.Namespace
		if namespace == "" {
			namespace = b.Namespace
		}
		if namespace == "" {
			return holder{}, false
		}
		return holder{namespace: b.Namespace, name: serviceaccount.ServiceAccountUsernamePrefix + namespace + ":" + s.Name}, true
	}
	return holder{}, false
}

// is tells whether the user is the holder.
func (h holder) is(u user.Info) bool {
	if h.group {
		return slices.Contains(u.GetGroups(), h.name)
	}
	return h.name == u.GetName()
}

// subjectFor returns the first of the binding's subjects that is the user.
func (b *Binding) subjectFor(u user.Info) (rbacv1.Subject, bool) {
	for _, s := range b.Subjects {
		if h, ok := b.holderOf(s); ok && h.is(u) {
			return s, true
		}
	}
	return rbacv1.Subject{}, false
}
