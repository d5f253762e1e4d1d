// Package serviceaccount sees to it that every namespace has a ServiceAccount named "default", so that a pod
// that names no account still has an identity.
//
// The nouns: Controller. Start reading at Controller.reconcile.
//
// Identity: ServiceAccount kube-system/service-account-controller. RBAC: ClusterRole
// system:controller:service-account-controller (create serviceaccounts). The informers read with the rights of
// whoever made the factory; they need list and watch on namespaces and serviceaccounts.
//
// Upstream: pkg/controller/serviceaccount/serviceaccounts_controller.go.
package serviceaccount
