package rbac

import (
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Role is a Role or, when Namespace is empty, a ClusterRole. It belongs to a Snapshot and is never changed.
type Role struct {
	Namespace string
	Name      string
	Labels    map[string]string
	Rules     []rbacv1.PolicyRule
	// GathersFrom is a ClusterRole's aggregation rule: its rules are then those of other ClusterRoles.
	GathersFrom *rbacv1.AggregationRule
}

// Binding is a RoleBinding or, when Namespace is empty, a ClusterRoleBinding. It belongs to a Snapshot and
// is never changed.
type Binding struct {
	Namespace string
	Name      string
	RoleRef   rbacv1.RoleRef
	Subjects  []rbacv1.Subject
}

// objectKey names a role or a binding.
type objectKey struct{ kind, namespace, name string }

// Kind is Role or ClusterRole.
func (r *Role) Kind() string {
	if r.Namespace == "" {
		return "ClusterRole"
	}
	return "Role"
}

// Kind is RoleBinding or ClusterRoleBinding.
func (b *Binding) Kind() string {
	if b.Namespace == "" {
		return "ClusterRoleBinding"
	}
	return "RoleBinding"
}

func (r *Role) key() objectKey    { return objectKey{r.Kind(), r.Namespace, r.Name} }
func (b *Binding) key() objectKey { return objectKey{b.Kind(), b.Namespace, b.Name} }

// roleKey is where the role that the binding refers to would be. A ClusterRoleBinding to a Role finds nothing
// there, because a Role always has a namespace and the binding has none to look in.
func (b *Binding) roleKey() objectKey {
	key := objectKey{kind: b.RoleRef.Kind, name: b.RoleRef.Name}
	if key.kind == "Role" {
		key.namespace = b.Namespace
	}
	return key
}

// from reads one of the four kinds of rbac.authorization.k8s.io/v1; both results are nil for any other.
func from(obj runtime.Object) (*Role, *Binding) {
	switch o := obj.(type) {
	case *rbacv1.ClusterRole:
		return &Role{Name: o.Name, Labels: o.Labels, Rules: o.Rules, GathersFrom: o.AggregationRule}, nil
	case *rbacv1.Role:
		return &Role{Namespace: o.Namespace, Name: o.Name, Labels: o.Labels, Rules: o.Rules}, nil
	case *rbacv1.ClusterRoleBinding:
		return nil, &Binding{Name: o.Name, RoleRef: o.RoleRef, Subjects: o.Subjects}
	case *rbacv1.RoleBinding:
		return nil, &Binding{Namespace: o.Namespace, Name: o.Name, RoleRef: o.RoleRef, Subjects: o.Subjects}
	}
	return nil, nil
}

// Object is the role as kubectl would apply it.
func (r *Role) Object() runtime.Object {
	meta := metav1.ObjectMeta{Namespace: r.Namespace, Name: r.Name, Labels: r.Labels}
	if r.Namespace == "" {
		return &rbacv1.ClusterRole{TypeMeta: typeMeta(r.Kind()), ObjectMeta: meta, Rules: r.Rules, AggregationRule: r.GathersFrom}
	}
	return &rbacv1.Role{TypeMeta: typeMeta(r.Kind()), ObjectMeta: meta, Rules: r.Rules}
}

// Object is the binding as kubectl would apply it.
func (b *Binding) Object() runtime.Object {
	meta := metav1.ObjectMeta{Namespace: b.Namespace, Name: b.Name}
	if b.Namespace == "" {
		return &rbacv1.ClusterRoleBinding{TypeMeta: typeMeta(b.Kind()), ObjectMeta: meta, RoleRef: b.RoleRef, Subjects: b.Subjects}
	}
	return &rbacv1.RoleBinding{TypeMeta: typeMeta(b.Kind()), ObjectMeta: meta, RoleRef: b.RoleRef, Subjects: b.Subjects}
}

func typeMeta(kind string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: kind}
}

// describe names a binding and one of its subjects as Kubernetes does in the reason for an answer:
// `RoleBinding "name/namespace" of Role "r" to ServiceAccount "name/namespace"`.
// Source: pkg/registry/rbac/validation/rule.go.
func (b *Binding) describe(subject rbacv1.Subject) string {
	name := b.Name
	if b.Namespace != "" {
		name += "/" + b.Namespace
	}
	return fmt.Sprintf("%s %q of %s %q to %s", b.Kind(), name, b.RoleRef.Kind, b.RoleRef.Name, b.describeSubject(subject))
}

func (b *Binding) describeSubject(subject rbacv1.Subject) string {
	if subject.Kind != rbacv1.ServiceAccountKind {
		return fmt.Sprintf("%s %q", subject.Kind, subject.Name)
	}
	namespace := subject.Namespace
	if namespace == "" {
		namespace = b.Namespace
	}
	return fmt.Sprintf("%s %q", subject.Kind, subject.Name+"/"+namespace)
}
