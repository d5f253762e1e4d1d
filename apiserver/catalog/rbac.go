package catalog

import (
	"fmt"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	rbacv1beta1 "k8s.io/api/rbac/v1beta1"
	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func rbacKinds() []*Kind {
	gv := rbacv1.SchemeGroupVersion
	return []*Kind{
		row[rbacv1.ClusterRoleBinding, rbacv1.ClusterRoleBindingList](gv, Kind{
			Resource: "clusterrolebindings",
			Strategy: Strategy{
				Default:             on(func(b *rbacv1.ClusterRoleBinding) { defaultBinding(&b.RoleRef, b.Subjects) }),
				Validate:            check(validateClusterRoleBinding),
				Revalidate:          checkChange(revalidateClusterRoleBinding),
				ValidateName:        pathSegmentName,
				AllowCreateOnUpdate: true,
			},
			Table: table(func(b *rbacv1.ClusterRoleBinding, now time.Time) []any {
				return bindingCells(b.ObjectMeta, b.RoleRef, b.Subjects, now)
			}, bindingColumns(rbacv1beta1.ClusterRoleBinding{}.SwaggerDoc(), "clusterRoleBinding")...),
		}),
		row[rbacv1.ClusterRole, rbacv1.ClusterRoleList](gv, Kind{
			Resource: "clusterroles",
			Strategy: Strategy{
				Validate:            check(validateClusterRole),
				ValidateName:        pathSegmentName,
				AllowCreateOnUpdate: true,
			},
		}),
		row[rbacv1.RoleBinding, rbacv1.RoleBindingList](gv, Kind{
			Resource:   "rolebindings",
			Namespaced: true,
			Strategy: Strategy{
				Default:             on(func(b *rbacv1.RoleBinding) { defaultBinding(&b.RoleRef, b.Subjects) }),
				Validate:            check(validateRoleBinding),
				Revalidate:          checkChange(revalidateRoleBinding),
				ValidateName:        pathSegmentName,
				AllowCreateOnUpdate: true,
			},
			Table: table(func(b *rbacv1.RoleBinding, now time.Time) []any {
				return bindingCells(b.ObjectMeta, b.RoleRef, b.Subjects, now)
			}, bindingColumns(rbacv1beta1.RoleBinding{}.SwaggerDoc(), "roleBinding")...),
		}),
		row[rbacv1.Role, rbacv1.RoleList](gv, Kind{
			Resource:   "roles",
			Namespaced: true,
			Strategy: Strategy{
				Validate:            check(validateRole),
				ValidateName:        pathSegmentName,
				AllowCreateOnUpdate: true,
			},
		}),
	}
}

// pathSegmentName: RBAC's names may hold anything that fits one segment of a URL, system:node for one.
func pathSegmentName(name string, prefix bool) []string { return content.IsPathSegmentName(name) }

func defaultBinding(ref *rbacv1.RoleRef, subjects []rbacv1.Subject) {
	if ref.APIGroup == "" {
		ref.APIGroup = rbacv1.GroupName
	}
	for i := range subjects {
		s := &subjects[i]
		if s.APIGroup == "" && (s.Kind == rbacv1.UserKind || s.Kind == rbacv1.GroupKind) {
			s.APIGroup = rbacv1.GroupName
		}
	}
}

func bindingColumns(doc map[string]string, kind string) []metav1.TableColumnDefinition {
	return []metav1.TableColumnDefinition{
		nameColumn(),
		column("Role", "string", doc["roleRef"]),
		ageColumn(),
		wide("Users", "string", "Users in the "+kind),
		wide("Groups", "string", "Groups in the "+kind),
		wide("ServiceAccounts", "string", "ServiceAccounts in the "+kind),
	}
}

func bindingCells(m metav1.ObjectMeta, ref rbacv1.RoleRef, subjects []rbacv1.Subject, now time.Time) []any {
	var users, groups, accounts []string
	for _, s := range subjects {
		switch s.Kind {
		case rbacv1.UserKind:
			users = append(users, s.Name)
		case rbacv1.GroupKind:
			groups = append(groups, s.Name)
		case rbacv1.ServiceAccountKind:
			accounts = append(accounts, s.Namespace+"/"+s.Name)
		}
	}
	return []any{
		m.Name, fmt.Sprintf("%s/%s", ref.Kind, ref.Name), Age(m.CreationTimestamp, now),
		strings.Join(users, ", "), strings.Join(groups, ", "), strings.Join(accounts, ", "),
	}
}
