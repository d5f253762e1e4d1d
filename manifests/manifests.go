package manifests

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// policyJSON has one object per line. Decoding it takes about a millisecond, the YAML eight.
//
//go:embed policy.json
var policyJSON string

// Policy returns the default roles and bindings, roles before the bindings that refer to them.
// Each call returns objects of its own.
func Policy() ([]runtime.Object, error) {
	var objs []runtime.Object
	for line := range strings.Lines(policyJSON) {
		var kind metav1.TypeMeta
		if err := json.Unmarshal([]byte(line), &kind); err != nil {
			return nil, fmt.Errorf("read the default policy: %w", err)
		}
		obj := newObject(kind.Kind)
		if obj == nil {
			return nil, fmt.Errorf("read the default policy: %q is not a kind of it", kind.Kind)
		}
		if err := json.Unmarshal([]byte(line), obj); err != nil {
			return nil, fmt.Errorf("read the default policy: %w", err)
		}
		objs = append(objs, obj)
	}
	return objs, nil
}

func newObject(kind string) runtime.Object {
	switch kind {
	case "ClusterRole":
		return &rbacv1.ClusterRole{}
	case "ClusterRoleBinding":
		return &rbacv1.ClusterRoleBinding{}
	case "Role":
		return &rbacv1.Role{}
	case "RoleBinding":
		return &rbacv1.RoleBinding{}
	}
	return nil
}
