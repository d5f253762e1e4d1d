package rbac_test

import (
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authentication/user"

	"coracle/rbac"
)

func ExamplePolicy() {
	policy := rbac.NewPolicy()
	policy.Apply(
		&rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "reader"},
			Rules: []rbacv1.PolicyRule{{Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"pods"}}}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "blue", Name: "ann-reads"},
			RoleRef:  rbacv1.RoleRef{Kind: "Role", Name: "reader"},
			Subjects: []rbacv1.Subject{{Kind: "User", Name: "ann"}}},
	)
	request := &rbac.Attributes{User: &user.DefaultInfo{Name: "ann"}, Verb: "get",
		ResourceRequest: true, Resource: "pods", Namespace: "blue", Name: "web"}
	fmt.Println(policy.Authorize(request).Reason())

	request.Subresource = "log"
	fmt.Print(policy.Authorize(request).Explain().Text())
	// Output:
	// RBAC: allowed by RoleBinding "ann-reads/blue" of Role "reader" to User "ann"
	// ann may not get pods/log "web" in namespace "blue".
	// What comes nearest:
	//   - rule 1 of Role "reader" in namespace "blue" is for pods, which does not include the subresource pods/log.
	//     To mend it, add resource pods/log to rule 1 of Role "reader" in namespace "blue".
	// The smallest grant: create Role "ann-get-pods-log" in namespace "blue" with just that rule, and bind it to ann.
	//   kubectl create role ann-get-pods-log --verb=get --resource=pods/log --resource-name=web --namespace=blue
	//   kubectl create rolebinding ann-get-pods-log --role=ann-get-pods-log --user=ann --namespace=blue
}
