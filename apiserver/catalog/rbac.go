package catalog

import (
	rbacv1 "k8s.io/api/rbac/v1"
)

func rbacKinds() []*Kind {
	gv := rbacv1.SchemeGroupVersion
	return []*Kind{
		row[rbacv1.ClusterRoleBinding, rbacv1.ClusterRoleBindingList](gv, Kind{
			Resource: "clusterrolebindings",
		}),
		row[rbacv1.ClusterRole, rbacv1.ClusterRoleList](gv, Kind{
			Resource: "clusterroles",
		}),
		row[rbacv1.RoleBinding, rbacv1.RoleBindingList](gv, Kind{
			Resource:   "rolebindings",
			Namespaced: true,
		}),
		row[rbacv1.Role, rbacv1.RoleList](gv, Kind{
			Resource:   "roles",
			Namespaced: true,
		}),
	}
}
