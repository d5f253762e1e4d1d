package cluster

import (
	"errors"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"

	authzconfig "coracle/apiserver/authz/config"
	"coracle/apiserver/authz/node"
	"coracle/apiserver/registry"
	"coracle/manifests"
	"coracle/rbac"
	"coracle/storage/cache"
)

// authorizers are those that the settings name, after the one for whoever is above all rules. RBAC's policy and the
// nodes' graph are kept whichever they are: roles guard against escalation even where others authorize.
func authorizers(config Config, objects *registry.Registry) (*authzconfig.Live, *rbac.Policy, error) {
	policy := rbac.NewPolicy()
	follow(objects, policy.Apply, policy.Remove,
		schema.GroupResource{Group: "rbac.authorization.k8s.io", Resource: "clusterroles"},
		schema.GroupResource{Group: "rbac.authorization.k8s.io", Resource: "clusterrolebindings"},
		schema.GroupResource{Group: "rbac.authorization.k8s.io", Resource: "roles"},
		schema.GroupResource{Group: "rbac.authorization.k8s.io", Resource: "rolebindings"},
	)
	graph := node.NewGraph()
	follow(objects,
		func(objs ...runtime.Object) { graph.Apply(objs[0]) },
		func(objs ...runtime.Object) { graph.Remove(objs[0]) },
		schema.GroupResource{Resource: "pods"},
		schema.GroupResource{Resource: "persistentvolumes"},
		schema.GroupResource{Group: "storage.k8s.io", Resource: "volumeattachments"},
		schema.GroupResource{Group: "resource.k8s.io", Resource: "resourceslices"},
		schema.GroupResource{Group: "certificates.k8s.io", Resource: "podcertificaterequests"},
	)
	rules, err := nodeRules()
	if err != nil {
		return nil, nil, err
	}
	chain, err := authzconfig.New(config.Authorization, authzconfig.Parts{
		RBAC: policy, Node: node.Authorizer{Graph: graph, Rules: rules}, Now: config.Now,
	})
	return chain, policy, err
}

// nodeRules are those of the default role system:node.
func nodeRules() ([]rbacv1.PolicyRule, error) {
	policy, err := manifests.Policy()
	if err != nil {
		return nil, err
	}
	for _, obj := range policy {
		if role, ok := obj.(*rbacv1.ClusterRole); ok && role.Name == "system:node" {
			return role.Rules, nil
		}
	}
	return nil, errors.New("the default policy has no role system:node")
}

// follow keeps an index up to date with the objects of some resources.
func follow(objects *registry.Registry, apply, remove func(...runtime.Object), resources ...schema.GroupResource) {
	for _, r := range resources {
		objects.Subscribe(r, func(e *cache.Event) {
			v, err := e.Entry.Object()
			if err != nil {
				return // what cannot be read grants nothing
			}
			obj, ok := v.(runtime.Object)
			switch {
			case !ok:
			case e.Type == cache.Deleted:
				remove(obj)
			default:
				apply(obj)
			}
		})
	}
}
