package manifests

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// policyFile is a policy, as JSON and compressed. Decoding it takes about a millisecond, the YAML eight.
//
//go:embed policy.json.gz
var policyFile []byte

// policy is the form of the file: one read of one value is quickest.
type policy struct {
	ClusterRoles        []*rbacv1.ClusterRole        `json:"clusterRoles"`
	Roles               []*rbacv1.Role               `json:"roles"`
	ClusterRoleBindings []*rbacv1.ClusterRoleBinding `json:"clusterRoleBindings"`
	RoleBindings        []*rbacv1.RoleBinding        `json:"roleBindings"`
}

// Policy returns the default roles and bindings, roles before the bindings that refer to them.
// Each call returns objects of its own.
func Policy() ([]runtime.Object, error) {
	b, err := policyJSON()
	if err != nil {
		return nil, fmt.Errorf("read the default policy: %w", err)
	}
	var p policy
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, fmt.Errorf("read the default policy: %w", err)
	}
	objs := make([]runtime.Object, 0, len(p.ClusterRoles)+len(p.Roles)+len(p.ClusterRoleBindings)+len(p.RoleBindings))
	objs = appendAll(objs, p.ClusterRoles)
	objs = appendAll(objs, p.Roles)
	objs = appendAll(objs, p.ClusterRoleBindings)
	return appendAll(objs, p.RoleBindings), nil
}

func policyJSON() ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(policyFile))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}

func appendAll[T runtime.Object](objs []runtime.Object, more []T) []runtime.Object {
	for _, obj := range more {
		objs = append(objs, obj)
	}
	return objs
}
