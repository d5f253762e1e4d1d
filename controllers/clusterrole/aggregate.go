package clusterrole

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	applyrbac "k8s.io/client-go/applyconfigurations/rbac/v1"
	"k8s.io/client-go/kubernetes"
)

// Aggregate returns the rules of those of the roles that role selects, selector by selector, in the order of the
// roles' names, none twice. A role does not select itself. The error is that of a selector that cannot be understood.
func Aggregate(role *rbacv1.ClusterRole, roles []*rbacv1.ClusterRole) ([]rbacv1.PolicyRule, error) {
	byName := slices.SortedFunc(slices.Values(roles), func(a, b *rbacv1.ClusterRole) int { return cmp.Compare(a.Name, b.Name) })
	var rules []rbacv1.PolicyRule
	for i := range role.AggregationRule.ClusterRoleSelectors {
		selector, err := metav1.LabelSelectorAsSelector(&role.AggregationRule.ClusterRoleSelectors[i])
		if err != nil {
			return nil, err
		}
		for _, other := range byName {
			if other.Name == role.Name || !selector.Matches(labels.Set(other.Labels)) {
				continue
			}
			for _, rule := range other.Rules {
				if !slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool { return equality.Semantic.DeepEqual(r, rule) }) {
					rules = append(rules, rule)
				}
			}
		}
	}
	return rules, nil
}

// Fill writes the rules that aggregated roles should have and do not, so that a cluster never answers by roles that are
// still empty. The roles are all that there are; none is changed.
func Fill(ctx context.Context, client kubernetes.Interface, roles []*rbacv1.ClusterRole) error {
	var wg sync.WaitGroup
	changed := settled(roles)
	errs := make([]error, len(changed))
	for i, role := range changed {
		wg.Go(func() { errs[i] = write(ctx, client, role.Name, role.Rules) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// settled returns the aggregated roles whose rules change, as they are when nothing changes any more: roles may
// gather from roles that gather. Those that gather from one another in a circle may never settle; they get
// as many turns as there are roles, and the rest is the controller's.
func settled(roles []*rbacv1.ClusterRole) []*rbacv1.ClusterRole {
	roles = slices.Clone(roles)
	changed := map[int]*rbacv1.ClusterRole{}
	for range roles {
		quiet := true
		for i, role := range roles {
			if role.AggregationRule == nil {
				continue
			}
			rules, err := Aggregate(role, roles)
			if err != nil || equality.Semantic.DeepEqual(rules, role.Rules) {
				continue
			}
			next := *role
			next.Rules = rules
			roles[i], changed[i], quiet = &next, &next, false
		}
		if quiet {
			break
		}
	}
	out := make([]*rbacv1.ClusterRole, 0, len(changed))
	for _, role := range changed {
		out = append(out, role)
	}
	return out
}

func write(ctx context.Context, client kubernetes.Interface, name string, rules []rbacv1.PolicyRule) error {
	desired := applyrbac.ClusterRole(name).WithRules(applied(rules)...)
	_, err := client.RbacV1().ClusterRoles().Apply(ctx, desired, metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
	return err
}

func applied(rules []rbacv1.PolicyRule) []*applyrbac.PolicyRuleApplyConfiguration {
	configurations := make([]*applyrbac.PolicyRuleApplyConfiguration, len(rules))
	for i, rule := range rules {
		configurations[i] = &applyrbac.PolicyRuleApplyConfiguration{
			Verbs:           rule.Verbs,
			APIGroups:       rule.APIGroups,
			Resources:       rule.Resources,
			ResourceNames:   rule.ResourceNames,
			NonResourceURLs: rule.NonResourceURLs,
		}
	}
	return configurations
}
