package authz

import (
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	"k8s.io/apiserver/pkg/authentication/user"
)

// Rules are what a user may do in a namespace, as far as it can be listed.
type Rules struct {
	Resource    []authorizationv1.ResourceRule
	NonResource []authorizationv1.NonResourceRule
	Incomplete  bool
	Err         error
}

// RulesFor puts together what each authorizer can list, for SelfSubjectRulesReview.
// Source: k8s.io/apiserver/pkg/authorization/union, RulesFor.
func (c Chain) RulesFor(u user.Info, namespace string) Rules {
	var all Rules
	var errs []error
	for _, authorizer := range c {
		lister, ok := authorizer.(RuleLister)
		if !ok {
			continue
		}
		rules := lister.RulesFor(u, namespace)
		all.Resource = append(all.Resource, rules.Resource...)
		all.NonResource = append(all.NonResource, rules.NonResource...)
		all.Incomplete = all.Incomplete || rules.Incomplete
		if rules.Err != nil {
			errs = append(errs, rules.Err)
		}
	}
	all.Err = utilerrors.NewAggregate(errs)
	return all
}

func rulesOf(policy []rbacv1.PolicyRule, err error) Rules {
	rules := Rules{Err: err}
	for _, r := range policy {
		if len(r.Resources) > 0 {
			rules.Resource = append(rules.Resource, authorizationv1.ResourceRule{
				Verbs: r.Verbs, APIGroups: r.APIGroups, Resources: r.Resources, ResourceNames: r.ResourceNames})
		}
		if len(r.NonResourceURLs) > 0 {
			rules.NonResource = append(rules.NonResource, authorizationv1.NonResourceRule{
				Verbs: r.Verbs, NonResourceURLs: r.NonResourceURLs})
		}
	}
	return rules
}
