package node

import (
	"slices"

	"k8s.io/apimachinery/pkg/selection"

	"coracle/apiserver/authz"
	"coracle/rbac"
)

// Objects that a node can call its own. On creation the name or content is not known yet: NodeRestriction admission
// compares it with the node.

// lease: the node's heartbeat, the lease of its name in kube-node-lease.
func lease(node string, a *rbac.Attributes) authz.Opinion {
	switch {
	case !slices.Contains([]string{"get", "create", "update", "patch", "delete"}, a.Verb):
		return no("can only get, create, update, patch, or delete a node lease")
	case a.Namespace != "kube-node-lease":
		return no("can only access leases in the %q system namespace", "kube-node-lease")
	case a.Verb != "create" && a.Name != node:
		return no("can only access node lease with the same name as the requesting node")
	}
	return yes()
}

func csiNode(node string, a *rbac.Attributes) authz.Opinion {
	switch {
	case a.Subresource == "status":
		return no("CSINode status access requires CSIVolumeHealth feature")
	case a.Subresource != "":
		return no("cannot authorize CSINode subresources")
	case !slices.Contains([]string{"get", "create", "update", "patch", "delete"}, a.Verb):
		return no("can only get, create, update, patch, or delete a CSINode")
	case a.Verb != "create" && a.Name != node:
		return no("can only access CSINode with the same name as the requesting node")
	}
	return yes()
}

func (n Authorizer) resourceSlice(node string, a *rbac.Attributes) authz.Opinion {
	if a.Subresource != "" {
		return no("cannot authorize ResourceSlice subresources")
	}
	switch a.Verb {
	case "create":
		return yes()
	case "get", "update", "patch", "delete":
		return n.relatedByName(node, a)
	case "watch", "list", "deletecollection":
		if selects(a, "spec.nodeName", node) {
			return yes()
		}
		return no("can only list/watch/deletecollection resourceslices with nodeName field selector")
	}
	return no("only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection")
}

func (n Authorizer) certificateRequest(node string, a *rbac.Attributes) authz.Opinion {
	if a.Subresource != "" {
		return no("nodes may not access the status subresource of PodCertificateRequests")
	}
	switch a.Verb {
	case "create":
		return yes()
	case "get":
		return n.relatedByName(node, a)
	case "list", "watch":
		if selects(a, "spec.nodeName", node) {
			return yes()
		}
		return no("can only list/watch podcertificaterequests with nodeName field selector")
	}
	return no("nodes may not %s podcertificaterequests", a.Verb)
}

// nodeObject: a node may read its own Node object, also before there is one, and write Node objects as far as
// NodeRestriction admission lets it.
func nodeObject(node string, a *rbac.Attributes) authz.Opinion {
	switch a.Subresource + " " + a.Verb {
	case " create", " update", " patch", "status update", "status patch":
		return yes()
	case " get", " list", " watch":
		switch a.Name {
		case node:
			return yes()
		case "":
			return no("node '%s' cannot read all nodes, only its own Node object", node)
		}
		return no("node '%s' cannot read '%s', only its own Node object", node, a.Name)
	}
	return authz.Opinion{}
}

// pod: a node reads the pods bound to it, and writes their status; mirror pods it makes itself.
func (n Authorizer) pod(node string, a *rbac.Attributes) authz.Opinion {
	switch a.Subresource + " " + a.Verb {
	case " get":
		return n.get(node, a)
	case " list", " watch":
		switch {
		case selects(a, "spec.nodeName", node):
			return yes()
		case a.Name != "":
			return n.related(node, a)
		}
		return no("can only list/watch pods with spec.nodeName field selector")
	case " create", " delete", "status update", "status patch", "eviction create":
		return yes()
	}
	return authz.Opinion{}
}

// selects tells whether the request is limited to objects of which the field has the value.
func selects(a *rbac.Attributes, field, value string) bool {
	for _, r := range a.FieldSelector {
		if r.Field == field && r.Operator == selection.Equals && r.Value == value {
			return true
		}
	}
	return false
}
