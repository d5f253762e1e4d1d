package rbac

import (
	rbacv1 "k8s.io/api/rbac/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apiserver/pkg/authentication/user"
)

// RulesFor lists the rules of every role that the user holds cluster-wide and in the namespace. The error
// names roles that do not exist; the rules of the others are listed all the same, because rules only add.
func (s *Snapshot) RulesFor(u user.Info, namespace string) ([]rbacv1.PolicyRule, error) {
	return s.rulesFor(u, namespace, missing)
}

func (s *Snapshot) rulesFor(u user.Info, namespace string, missing func(*Binding) error) ([]rbacv1.PolicyRule, error) {
	var rules []rbacv1.PolicyRule
	var errs []error
	for h := range s.holdings(u, namespace) {
		if role, found := s.roles.get(h.role); found {
			rules = append(rules, role.Rules...)
		} else {
			errs = append(errs, missing(h.bindings[0]))
		}
	}
	return rules, utilerrors.NewAggregate(errs)
}
