// Package ttlafterfinished deletes Jobs that have ended, as many seconds later as their ttlSecondsAfterFinished says.
//
// The nouns: Controller. Start reading at Controller.reconcile.
//
// Identity: ServiceAccount kube-system/ttl-after-finished-controller. RBAC: ClusterRole
// system:controller:ttl-after-finished-controller.
//
// Upstream: pkg/controller/ttlafterfinished.
package ttlafterfinished
