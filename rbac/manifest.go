package rbac

import (
	"encoding/json"
	"fmt"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

// Manifests are roles and bindings to apply. Unlike a plain slice of objects they can be read from JSON as well,
// so that whoever asks for an explanation over the wire can use it.
type Manifests []runtime.Object

// UnmarshalJSON reads what json.Marshal writes.
func (m *Manifests) UnmarshalJSON(text []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil {
		return err
	}
	*m = nil
	for _, part := range parts {
		var kind metav1.TypeMeta
		if err := json.Unmarshal(part, &kind); err != nil {
			return err
		}
		obj, err := empty(kind)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(part, obj); err != nil {
			return err
		}
		*m = append(*m, obj)
	}
	return nil
}

func empty(kind metav1.TypeMeta) (runtime.Object, error) {
	if kind.APIVersion == rbacv1.SchemeGroupVersion.String() {
		switch kind.Kind {
		case "ClusterRole":
			return &rbacv1.ClusterRole{}, nil
		case "ClusterRoleBinding":
			return &rbacv1.ClusterRoleBinding{}, nil
		case "Role":
			return &rbacv1.Role{}, nil
		case "RoleBinding":
			return &rbacv1.RoleBinding{}, nil
		}
	}
	return nil, fmt.Errorf("%s of %s is neither a role nor a binding of %s", kind.Kind, kind.APIVersion, rbacv1.SchemeGroupVersion)
}

// YAML is the manifests ready for kubectl apply -f.
func (m Manifests) YAML() (string, error) {
	var docs []string
	for _, obj := range m {
		doc, err := yaml.Marshal(obj)
		if err != nil {
			return "", fmt.Errorf("write %s as YAML: %w", obj.GetObjectKind().GroupVersionKind().Kind, err)
		}
		docs = append(docs, string(doc))
	}
	return strings.Join(docs, "---\n"), nil
}
