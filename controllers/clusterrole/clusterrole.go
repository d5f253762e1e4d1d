package clusterrole

import (
	"cmp"
	"context"
	"log/slog"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	applyrbac "k8s.io/client-go/applyconfigurations/rbac/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	rbaclisters "k8s.io/client-go/listers/rbac/v1"

	"coracle/controllers/loop"
)

const fieldManager = "clusterrole-aggregation-controller"

// Controller keeps the rules of aggregated ClusterRoles up to date.
type Controller struct {
	client kubernetes.Interface
	roles  rbaclisters.ClusterRoleLister
	loop   *loop.Loop[string] // names of aggregated roles
}

// New makes a controller. Call it before the factory starts.
func New(client kubernetes.Interface, factory informers.SharedInformerFactory, log *slog.Logger) *Controller {
	roles := factory.Rbac().V1().ClusterRoles()
	c := &Controller{client: client, roles: roles.Lister()}
	c.loop = loop.New("clusterrole", log, c.reconcile)
	loop.Watch(c.loop, roles.Informer(), func(_, _ *rbacv1.ClusterRole) { c.addAll() })
	return c
}

// Run runs the controller until ctx ends.
func (c *Controller) Run(ctx context.Context) error { return c.loop.Run(ctx, 1) }

// addAll queues every aggregated role: any role may be selected by any of them, and there are few.
func (c *Controller) addAll() {
	roles, err := c.roles.List(labels.Everything())
	if err != nil {
		return // the lister reads memory; there is no error to have
	}
	for _, role := range roles {
		if role.AggregationRule != nil {
			c.loop.Add(role.Name)
		}
	}
}

func (c *Controller) reconcile(ctx context.Context, name string) error {
	role, err := c.roles.Get(name)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil || role.AggregationRule == nil {
		return err
	}
	rules, err := c.aggregate(role)
	if err != nil || equality.Semantic.DeepEqual(rules, role.Rules) {
		return err
	}
	desired := applyrbac.ClusterRole(name).WithRules(applied(rules)...)
	_, err = c.client.RbacV1().ClusterRoles().Apply(ctx, desired, metav1.ApplyOptions{FieldManager: fieldManager, Force: true})
	return err
}

// aggregate returns the rules of all roles that role selects, selector by selector, in the order of the roles' names,
// none twice.
func (c *Controller) aggregate(role *rbacv1.ClusterRole) ([]rbacv1.PolicyRule, error) {
	var rules []rbacv1.PolicyRule
	for _, s := range role.AggregationRule.ClusterRoleSelectors {
		selector, err := metav1.LabelSelectorAsSelector(&s)
		if err != nil {
			return nil, err
		}
		selected, err := c.roles.List(selector)
		if err != nil {
			return nil, err
		}
		slices.SortFunc(selected, func(a, b *rbacv1.ClusterRole) int { return cmp.Compare(a.Name, b.Name) })
		for _, other := range selected {
			if other.Name == role.Name {
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
