package compare

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/kubernetes/pkg/auth/nodeidentifier"
	upstream "k8s.io/kubernetes/plugin/pkg/auth/authorizer/node"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy"

	"coracle/apiserver/authz"
	"coracle/apiserver/authz/node"
	"coracle/manifests"
)

func TestNode(t *testing.T) {
	objs, err := manifests.Policy()
	if err != nil {
		t.Fatal(err)
	}
	var rules []rbacv1.PolicyRule
	for _, obj := range objs {
		if role, ok := obj.(*rbacv1.ClusterRole); ok && role.Name == "system:node" {
			rules = role.Rules
		}
	}
	cases, allowed := 0, 0
	for seed := range worlds / 2 {
		d := seeded(seed)
		g := &graphs{theirs: upstream.NewGraph(), ours: node.NewGraph(), pods: map[string]*corev1.Pod{}}
		theirs := upstream.NewAuthorizer(g.theirs, nodeidentifier.NewDefaultNodeIdentifier(), bootstrappolicy.NodeRules())
		ours := node.Authorizer{Graph: g.ours, Rules: rules}
		for range d.IntN(20) {
			d.event(g)
		}
		for range requestsPerWorld {
			a := d.nodeRequest()
			verdict, reason, err := theirs.Authorize(t.Context(), a)
			got := ours.Authorize(t.Context(), attributesOf(a))
			cases++
			if verdict == authorizer.DecisionAllow {
				allowed++
			}
			if (got.Verdict == authz.Allow) != (verdict == authorizer.DecisionAllow) || got.Verdict == authz.Deny || got.Reason() != reason || err != nil {
				t.Fatalf("seed %d, %+v: Kubernetes answers %v %q (%v), we %v %q", seed, a, verdict, reason, err, got.Verdict, got.Reason())
			}
		}
	}
	t.Logf("%d requests, of which %d were allowed", cases, allowed)
	if allowed < cases/50 {
		t.Errorf("%d cases with %d allowed say little", cases, allowed)
	}
}

func (d draw) nodeRequest() authorizer.AttributesRecord {
	resources := [][2]string{
		{"", "secrets"}, {"", "configmaps"}, {"", "persistentvolumeclaims"}, {"", "persistentvolumes"}, {"", "serviceaccounts"}, {"", "nodes"},
		{"", "pods"}, {"", "services"}, {"apps", "secrets"}, {"resource.k8s.io", "resourceclaims"}, {"resource.k8s.io", "resourceslices"},
		{"storage.k8s.io", "volumeattachments"}, {"storage.k8s.io", "csinodes"}, {"coordination.k8s.io", "leases"},
		{"certificates.k8s.io", "podcertificaterequests"}, {"certificates.k8s.io", "certificatesigningrequests"}, {"certificates.k8s.io", "clustertrustbundles"},
	}
	resource := resources[d.IntN(len(resources))]
	a := authorizer.AttributesRecord{
		User: &user.DefaultInfo{
			Name:   d.one("system:node:n1", "system:node:n1", "system:node:n2", "system:node:", "ann"),
			Groups: []string{d.one("system:nodes", "system:nodes", "system:nodes", "others")},
		},
		Verb:            d.one("get", "get", "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "bind"),
		ResourceRequest: true,
		APIGroup:        resource[0],
		Resource:        resource[1],
		Subresource:     d.one("", "", "", "", "status", "token", "eviction", "binding"),
		Name:            d.one("a", "b", "c", "d", "p1", "p2", "n1", "n2", "p1-v1", ""),
	}
	switch a.Resource {
	case "persistentvolumes", "volumeattachments", "resourceslices", "nodes", "csinodes":
	default:
		a.Namespace = d.one("blue", "green", "", "kube-node-lease")
	}
	if d.chance(3) {
		a.FieldSelectorRequirements = fields.ParseSelectorOrDie(d.one("spec.nodeName=n1", "spec.nodeName=n2", "spec.nodeName!=n1", "metadata.name=a,spec.nodeName=n1")).Requirements()
	}
	return a
}
