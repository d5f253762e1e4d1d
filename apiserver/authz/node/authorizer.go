package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/apiserver/authz"
	"coracle/rbac"
)

// Authorizer answers for kubelets: users of the group system:nodes whose name is system:node:NAME.
// For anybody else it has no opinion.
type Authorizer struct {
	*Graph
	// Rules are what any node may do with kinds of objects of which no node has its own: those of the
	// ClusterRole system:node.
	Rules []rbacv1.PolicyRule
}

// Name is how the reasons for a refusal begin.
func (Authorizer) Name() string { return "node" }

// Identity returns the name of the node that the user is, and whether it is one at all.
// The name can be empty: the user is then some node or other, which may nothing.
func Identity(u user.Info) (name string, isNode bool) {
	if u == nil {
		return "", false
	}
	name, found := strings.CutPrefix(u.GetName(), "system:node:")
	if !found || !slices.Contains(u.GetGroups(), user.NodesGroup) {
		return "", false
	}
	return name, true
}

// Relation is why a node may access an object: the way from the object to the node.
type Relation struct {
	Node string
	Path []Object
}

// Reason is empty, as Kubernetes gives none.
func (r Relation) Reason() string { return "" }

// String is the way in words: `secrets blue/db is needed by pods blue/web on node n1`.
func (r Relation) String() string {
	if len(r.Path) == 1 {
		return fmt.Sprintf("%s is of node %s", r.Path[0], r.Node)
	}
	words := make([]string, len(r.Path))
	for i, o := range r.Path {
		words[i] = o.String()
	}
	return strings.Join(words, " is needed by ") + " on node " + r.Node
}

// String is the object as in `secrets blue/db`.
func (o Object) String() string {
	if o.Namespace == "" {
		return o.Resource + " " + o.Name
	}
	return o.Resource + " " + o.Namespace + "/" + o.Name
}

func yes() authz.Opinion { return authz.Opinion{Verdict: authz.Allow} }

// no is a refusal with Kubernetes' reason. Another authorizer may still allow it.
func no(format string, args ...any) authz.Opinion {
	return authz.Opinion{Because: authz.Sentence(fmt.Sprintf(format, args...))}
}

// Authorize lets a node read what its own pods need. The sentences are those of upstream's authorizer.
func (n Authorizer) Authorize(_ context.Context, a *rbac.Attributes) authz.Opinion {
	node, isNode := Identity(a.User)
	switch {
	case !isNode:
		return authz.Opinion{}
	case node == "":
		return no("unknown node for user %q", a.User.GetName())
	}
	if a.ResourceRequest {
		switch (schema.GroupResource{Group: a.APIGroup, Resource: a.Resource}) {
		case schema.GroupResource{Resource: "secrets"}, schema.GroupResource{Resource: "configmaps"}:
			return n.read(node, a)
		case schema.GroupResource{Resource: "persistentvolumeclaims"}:
			if a.Subresource == "status" {
				return n.updateStatus(node, a)
			}
			return n.get(node, a)
		case schema.GroupResource{Resource: "persistentvolumes"},
			schema.GroupResource{Group: "resource.k8s.io", Resource: "resourceclaims"},
			schema.GroupResource{Group: "storage.k8s.io", Resource: "volumeattachments"}:
			return n.get(node, a)
		case schema.GroupResource{Resource: "serviceaccounts"}:
			return n.serviceAccount(node, a)
		case schema.GroupResource{Group: "coordination.k8s.io", Resource: "leases"}:
			return lease(node, a)
		case schema.GroupResource{Group: "storage.k8s.io", Resource: "csinodes"}:
			return csiNode(node, a)
		case schema.GroupResource{Group: "resource.k8s.io", Resource: "resourceslices"}:
			return n.resourceSlice(node, a)
		case schema.GroupResource{Group: "certificates.k8s.io", Resource: "podcertificaterequests"}:
			return n.certificateRequest(node, a)
		case schema.GroupResource{Resource: "nodes"}:
			return nodeObject(node, a)
		case schema.GroupResource{Resource: "pods"}:
			return n.pod(node, a)
		}
	}
	for i := range n.Rules {
		if rbac.Allows(&n.Rules[i], a) {
			return yes()
		}
	}
	return authz.Opinion{}
}

// RulesFor says for nodes that their permissions cannot be listed.
func (Authorizer) RulesFor(u user.Info, _ string) authz.Rules {
	if _, isNode := Identity(u); isNode {
		return authz.Rules{Incomplete: true, Err: errors.New("node authorizer does not support user rule resolution")}
	}
	return authz.Rules{}
}

// related allows what the graph connects with the node.
func (n Authorizer) related(node string, a *rbac.Attributes) authz.Opinion {
	if path := n.Path(Object{a.Resource, a.Namespace, a.Name}, node); path != nil {
		return authz.Opinion{Verdict: authz.Allow, Because: Relation{node, path}}
	}
	return no("no relationship found between node '%s' and this object", node)
}

func (n Authorizer) relatedByName(node string, a *rbac.Attributes) authz.Opinion {
	if a.Name == "" {
		return no("No Object name found")
	}
	return n.related(node, a)
}

// read allows get, list and watch of one object of a namespace: kubelets watch single secrets and configmaps by a field
// selector on the name.
func (n Authorizer) read(node string, a *rbac.Attributes) authz.Opinion {
	switch {
	case a.Verb != "get" && a.Verb != "list" && a.Verb != "watch":
		return no("can only read resources of this type")
	case a.Subresource != "":
		return no("cannot read subresource")
	case a.Namespace == "":
		return no("can only read namespaced object of this type")
	}
	return n.relatedByName(node, a)
}

func (n Authorizer) get(node string, a *rbac.Attributes) authz.Opinion {
	switch {
	case a.Verb != "get":
		return no("can only get individual resources of this type")
	case a.Subresource != "":
		return no("cannot get subresource")
	}
	return n.relatedByName(node, a)
}

func (n Authorizer) updateStatus(node string, a *rbac.Attributes) authz.Opinion {
	if a.Verb != "update" && a.Verb != "patch" {
		return no("can only get/update/patch this type")
	}
	return n.relatedByName(node, a)
}

// serviceAccount allows a node to read the accounts of its pods and to ask for their tokens.
// NodeRestriction admission sees to it that each token is bound to a pod of the node.
func (n Authorizer) serviceAccount(node string, a *rbac.Attributes) authz.Opinion {
	switch {
	case a.Verb == "get" && a.Subresource == "":
		return n.read(node, a)
	case a.Verb != "create" || a.Name == "":
		return no("can only create tokens for individual service accounts")
	case a.Subresource != "token":
		return no("can only create token subresource of serviceaccount")
	}
	return n.related(node, a)
}
