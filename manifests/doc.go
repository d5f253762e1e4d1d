// Package manifests holds the objects that a cluster starts with.
//
// rbac/*.yaml is the default policy: the ClusterRoles, Roles and bindings of Kubernetes v1.37 as kube-apiserver
// creates them with its default feature gates, rule by rule, and kubeadm's administrators. They are plain manifests,
// to be read; `kubectl auth reconcile -f` takes them too. policy.json.gz is the same, made ready for a quick start
// by `go test ./manifests -update`, and is what the binary contains.
//
// Nouns: Policy (those objects). Start reading at rbac/user-facing.yaml.
//
// Facts taken from Kubernetes (Apache-2.0), plugin/pkg/auth/authorizer/rbac/bootstrappolicy.
package manifests
