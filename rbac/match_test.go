package rbac

import (
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apiserver/pkg/authentication/user"
)

// FuzzMatch: a rule's verdict is the naive one, and a rule that misses in one respect does not match.
func FuzzMatch(f *testing.F) {
	f.Add("get,list", ",apps", "pods,*/scale", "web", "", "get", "apps", "deployments", "scale", "web", "")
	f.Add("get", "", "", "", "/healthz/*,*", "get", "", "", "", "", "/healthz/etcd")
	f.Add("*", "*", "*", "", "", "x", "y", "a/b", "c", "", "")
	f.Fuzz(func(t *testing.T, verbs, groups, resources, names, paths, verb, group, resource, sub, name, path string) {
		split := func(s string) []string {
			if s == "" {
				return nil
			}
			return strings.Split(s, ",")
		}
		rule := rbacv1.PolicyRule{Verbs: split(verbs), APIGroups: strings.Split(groups, ","), Resources: split(resources),
			ResourceNames: split(names), NonResourceURLs: split(paths)}
		a := &Attributes{User: &user.DefaultInfo{Name: "ann"}, Verb: verb, ResourceRequest: path == "", APIGroup: group,
			APIVersion: "v1", Resource: resource, Subresource: sub, Name: name, Path: path}
		got := Allows(&rule, a)
		if want := naiveRule(rule, a); got != want {
			t.Errorf("%+v for %+v: %v, want %v", rule, a, got, want)
		}
		if m, ok := missOf(&rule, a); ok && got {
			t.Errorf("%+v allows %+v, and misses: %s", rule, a, m.says)
		}
	})
}

func TestPlural(t *testing.T) {
	for kind, want := range map[string]string{"Pod": "pods", "pods": "pods", "Ingress": "ingresses", "NetworkPolicy": "networkpolicies",
		"Gateway": "gateways", "StorageClass": "storageclasses", "Endpoints": "endpoints", "Box": "boxes"} {
		if got := plural(kind); got != want {
			t.Errorf("%s: %s, want %s", kind, got, want)
		}
	}
}
