package clusterrole

import (
	"context"
	"log/slog"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
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
	roles, err := c.roles.List(labels.Everything())
	if err != nil {
		return err
	}
	rules, err := Aggregate(role, roles)
	if err != nil || equality.Semantic.DeepEqual(rules, role.Rules) {
		return err
	}
	return write(ctx, c.client, name, rules)
}
