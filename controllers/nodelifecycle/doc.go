// Package nodelifecycle watches over nodes: one that is no longer heard of is marked, what is the matter with a node
// becomes taints, and pods that do not tolerate a taint are driven away.
//
// The nouns:
//
//   - heartbeat: a node renews its Lease, or reports its status. When neither comes for the grace period, its conditions
//     become Unknown and its pods not ready (health.go).
//   - taint: of the effect NoSchedule for each condition that is bad, and for a node that is cordoned; of the effect
//     NoExecute for one that is not ready or not heard of (taints.go).
//   - eviction: a pod that tolerates such a taint for some seconds is deleted after these; one that does not, at once
//     (evict.go).
//
// Start reading at Controller.reconcile.
//
// Identity: ServiceAccount kube-system/node-controller. RBAC: ClusterRole system:controller:node-controller.
//
// Upstream: pkg/controller/nodelifecycle, pkg/controller/tainteviction.
//
// # Simplifications
//
//   - No zones: however many nodes fail at once, each is treated alike, and without delay.
package nodelifecycle
