package rbac

import (
	"iter"

	"k8s.io/apiserver/pkg/authentication/user"
)

// holdings yields the roles that the user holds cluster-wide and in the namespace ("" for none),
// those of ClusterRoleBindings first.
func (s *Snapshot) holdings(u user.Info, namespace string) iter.Seq[holding] {
	return func(yield func(holding) bool) {
		scopes := []string{"", namespace}
		if namespace == "" {
			scopes = scopes[:1]
		}
		for _, scope := range scopes {
			holders := []holder{{namespace: scope, name: u.GetName()}}
			for _, group := range u.GetGroups() {
				holders = append(holders, holder{namespace: scope, group: true, name: group})
			}
			for _, h := range holders {
				list, _ := s.held.get(h)
				for _, held := range list {
					if !yield(held) {
						return
					}
				}
			}
		}
	}
}
