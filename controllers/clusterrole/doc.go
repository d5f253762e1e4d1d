// Package clusterrole fills in aggregated ClusterRoles: one with an aggregationRule has no rules of its own but those of
// all ClusterRoles whose labels it selects. That is how admin, edit and view come to know new kinds.
//
// The nouns: Controller. Start reading at Controller.reconcile, and Aggregate. Fill does at once, when a cluster starts, what
// the controller does as roles change.
//
// Identity: ServiceAccount kube-system/clusterrole-aggregation-controller. RBAC: ClusterRole
// system:controller:clusterrole-aggregation-controller (patch and escalate clusterroles: it hands out rights that it
// does not have itself). The informers need list and watch on clusterroles.
//
// Upstream: pkg/controller/clusterroleaggregation/clusterroleaggregation_controller.go.
package clusterrole
