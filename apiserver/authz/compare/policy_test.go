package compare

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy"

	"coracle/manifests"
)

// The default policy is Kubernetes', rule by rule.
func TestDefaultPolicy(t *testing.T) {
	want, got := map[string]any{}, map[string]any{}
	for _, o := range append(bootstrappolicy.ClusterRoles(), bootstrappolicy.ControllerRoles()...) {
		want["ClusterRole "+o.Name] = o
	}
	for _, o := range append(bootstrappolicy.ClusterRoleBindings(), bootstrappolicy.ControllerRoleBindings()...) {
		want["ClusterRoleBinding "+o.Name] = o
	}
	for _, list := range bootstrappolicy.NamespaceRoles() {
		for _, o := range list {
			want["Role "+o.Namespace+"/"+o.Name] = o
		}
	}
	for _, list := range bootstrappolicy.NamespaceRoleBindings() {
		for _, o := range list {
			want["RoleBinding "+o.Namespace+"/"+o.Name] = o
		}
	}
	objs, err := manifests.Policy()
	if err != nil {
		t.Fatal(err)
	}
	for _, obj := range objs {
		switch o := obj.(type) {
		case *rbacv1.ClusterRole:
			o.TypeMeta = metav1.TypeMeta{}
			got["ClusterRole "+o.Name] = *o
		case *rbacv1.ClusterRoleBinding:
			o.TypeMeta = metav1.TypeMeta{}
			got["ClusterRoleBinding "+o.Name] = *o
		case *rbacv1.Role:
			o.TypeMeta = metav1.TypeMeta{}
			got["Role "+o.Namespace+"/"+o.Name] = *o
		case *rbacv1.RoleBinding:
			o.TypeMeta = metav1.TypeMeta{}
			got["RoleBinding "+o.Namespace+"/"+o.Name] = *o
		}
	}
	// What kubeadm and Coracle add is not in kube-apiserver's.
	maps.DeleteFunc(got, func(name string, _ any) bool {
		_, name, _ = strings.Cut(name, " ")
		name = name[strings.LastIndexByte(name, '/')+1:]
		return strings.HasPrefix(name, "kubeadm:") || strings.HasPrefix(name, "coracle:")
	})
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-Kubernetes +ours):\n%s", diff)
	}
}
